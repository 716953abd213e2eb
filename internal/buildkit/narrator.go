package buildkit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// narrator turns a solve's status messages into log lines and progress, and remembers what a failure has to show. It is
// used from one goroutine at a time.
type narrator struct {
	sink          deployment.BuildSink
	vertices      map[digest.Digest]*vertex
	started       int             // vertices that have a number
	steps, cached int             // of the Dockerfile
	told          map[string]bool // parts of vertices whose end was told
	progress      tracker
	bill          bill
}

// vertex is one node of the build graph: a Dockerfile instruction, a load or an export.
type vertex struct {
	number   int // 0 until it starts
	name     string
	finished bool
	output   map[int]*lineSplitter // by stream
	tail     []string              // its last lines, at most deployment.MaxFailureLines and maxTail bytes
	cached   bool
	took     time.Duration
	bytes    map[string]int64 // that came to the daemon, by part
}

// maxTail bounds what a vertex keeps for a failure. Its lines are whole: who records the failure cuts them after looking
// for secrets.
const maxTail = 2 * maxLine

// newNarrator tells a solve to sink; sections are those of its Dockerfile.
func newNarrator(sink deployment.BuildSink, sections map[string]string) *narrator {
	return &narrator{
		sink: sink, vertices: map[digest.Digest]*vertex{}, told: map[string]bool{}, progress: newTracker(), bill: newBill(sections),
	}
}

// take tells one status message: what starts, then what is printed, then what ends.
func (n *narrator) take(s *client.SolveStatus) {
	for _, v := range s.Vertexes {
		n.start(v)
	}
	for _, l := range s.Logs {
		n.log(l)
	}
	for _, p := range s.Statuses {
		n.part(p)
		n.bill.status(n.vertex(p.Vertex), p)
	}
	for _, w := range s.Warnings {
		n.say("warning: %s", w.Short)
	}
	for _, v := range s.Vertexes {
		n.finish(v)
	}
	if p, changed := n.progress.update(s, n.vertices); changed {
		n.sink.Progress(p)
	}
}

// flush tells what was printed without a line end. It waits for the end of the solve: the daemon tells the end of a step that
// prints much before it has sent all of its output, and a line that was cut in two could hold half a secret in each.
func (n *narrator) flush() {
	for _, v := range n.vertices {
		for stream, splitter := range v.output {
			n.print(v, stream, splitter.rest())
		}
	}
}

func (n *narrator) say(format string, args ...any) {
	n.sink.Line(deployment.StreamSlipway, fmt.Sprintf(format, args...))
}

func (n *narrator) vertex(d digest.Digest) *vertex {
	v := n.vertices[d]
	if v == nil {
		v = &vertex{output: map[int]*lineSplitter{}, bytes: map[string]int64{}}
		n.vertices[d] = v
	}
	return v
}

func (n *narrator) start(update *client.Vertex) {
	v := n.vertex(update.Digest)
	v.name = update.Name
	if v.number != 0 || update.Started == nil && update.Completed == nil {
		return
	}
	n.started++
	v.number = n.started
	n.say("#%d %s", v.number, v.name)
}

func (n *narrator) finish(update *client.Vertex) {
	v := n.vertices[update.Digest]
	if update.Completed == nil || v.finished {
		return
	}
	v.finished = true // its output may still be coming, so a line without an end is not taken for whole yet
	if update.Error == "" {
		v.tail = nil // nothing has to be explained
	}
	if isStep(v.name) && !isBase(v.name) { // a base image is had or fetched, and not made: BuildKit never calls one cached that it looked up
		n.steps++
		if update.Cached {
			n.cached++
		}
	}
	n.bill.ended(v, update)
	if update.Started != nil {
		n.sink.Vertex(deployment.BuildVertex{
			Name: v.name, Started: *update.Started, Completed: *update.Completed, Cached: update.Cached, Failed: update.Error != "",
		})
	}
	switch {
	case strings.HasSuffix(update.Error, "context canceled"):
		n.say("#%d CANCELED", v.number)
	case update.Error != "":
		n.say("#%d ERROR: %s", v.number, update.Error)
	case update.Cached:
		n.say("#%d CACHED", v.number)
	default:
		n.say("#%d DONE %.1fs", v.number, elapsed(update).Seconds())
	}
}

// part tells the end of those parts of a vertex that can take long: a base image that is unpacked, layers that are
// written and pushed. A vertex counts as done before its push.
func (n *narrator) part(p *client.VertexStatus) {
	long := strings.HasPrefix(p.ID, "extracting ") || p.ID == "exporting layers" || p.ID == "pushing layers"
	key := p.Vertex.String() + p.ID
	if !long || p.Started == nil || p.Completed == nil || n.told[key] {
		return
	}
	n.told[key] = true
	n.say("#%d %s %.1fs", n.vertex(p.Vertex).number, p.ID, p.Completed.Sub(*p.Started).Seconds())
}

func (n *narrator) log(l *client.VertexLog) {
	v := n.vertex(l.Vertex)
	splitter := v.output[l.Stream]
	if splitter == nil {
		splitter = &lineSplitter{}
		v.output[l.Stream] = splitter
	}
	n.print(v, l.Stream, splitter.write(l.Data))
}

func (n *narrator) print(v *vertex, stream int, lines []string) {
	name := deployment.StreamStdout
	if stream == 2 {
		name = deployment.StreamStderr
	}
	for _, line := range lines {
		n.sink.Line(name, fmt.Sprintf("#%d %s", v.number, line))
		v.tail = append(v.tail, line)
	}
	v.tail = lastLines(v.tail)
}

// lastLines returns the end of lines that a failure has room for.
func lastLines(lines []string) []string {
	first, size := len(lines), 0
	for first > 0 && len(lines)-first < deployment.MaxFailureLines && size+len(lines[first-1]) <= maxTail {
		first--
		size += len(lines[first])
	}
	if first == 0 {
		return lines
	}
	return slices.Clone(lines[first:]) // lets go of the rest
}

// figures returns what the solve did, which took so long.
func (n *narrator) figures(took time.Duration) deployment.BuildFigures {
	f := n.bill.figures(took)
	f.Steps, f.Cached = n.steps, n.cached
	return f
}

func elapsed(v *client.Vertex) time.Duration {
	if v.Started == nil {
		return 0
	}
	return v.Completed.Sub(*v.Started)
}

// isStep reports whether a vertex is an instruction of the Dockerfile: BuildKit marks those with their place, as in
// "[2/5] RUN npm ci", and its own with "[internal]".
func isStep(name string) bool {
	return strings.HasPrefix(name, "[") && !strings.HasPrefix(name, "[internal]") && !strings.HasPrefix(name, "[auth]")
}

// isBase reports whether a vertex is a base image, as in "[2/5] FROM debian".
func isBase(name string) bool {
	_, instruction, _ := strings.Cut(name, "] ")
	return strings.HasPrefix(instruction, "FROM ")
}
