package chaos_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

var (
	cancels = flag.Int("cancels", 2, "cancels of TestCancelLatency")
	within  = flag.Duration("cancels-within", 30*time.Minute, "TestCancelLatency begins no further cancel after this long")
)

// lanes deploy and cancel side by side.
const lanes = 2

// latencies are how long cancels took from the request to canceled, by the step that was under way.
type latencies struct {
	mu    sync.Mutex
	of    map[string][]time.Duration
	late  int // came after the switch, and were refused
	begun int
}

// next reports whether a further cancel is wanted.
func (l *latencies) next(end time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun-l.late >= *cancels || time.Now().After(end) {
		return false
	}
	l.begun++
	return true
}

func (l *latencies) add(step string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if step == tooLate {
		l.late++
		return
	}
	l.of[step] = append(l.of[step], took)
}

// TestCancelLatency cancels deploys of a small app at random moments. Once a deployment says canceled, nothing of it is
// left, the processes of its build included. How long that took is reported, not judged.
func TestCancelLatency(t *testing.T) {
	l, end := &latencies{of: map[string][]time.Duration{}}, time.Now().Add(*within)
	t.Run("lanes", func(t *testing.T) {
		for n := range lanes {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				a, mark := newLane(t, n)
				full := a.fullDeploy(t)
				for i := 0; l.next(end); i++ {
					a.commitThat(t, fmt.Sprintf("this is number %d of %s", i, a.project)) // so that there is something to build
					step, took := a.cancelAt(t, rand.N(full), mark)
					l.add(step, took)
				}
			})
		}
	})
	t.Log("\n" + l.table())
	if *report != "" && *cancels > 0 && !t.Failed() {
		rewrite(t, *report, "cancel", fmt.Sprintf("Run on %s, on %s.\n\n%s", time.Now().UTC().Format(time.DateOnly), machine(t), l.table()))
	}
}

// newLane makes an app whose build runs a process that no other one has.
func newLane(t *testing.T, n int) (a *app, mark string) {
	t.Helper()
	mark = fmt.Sprintf("sleep 1.0%d", 11+n)
	return newApp(t, fmt.Sprintf("cancels-%d", n), map[string]any{"build_command": mark}, 500*time.Millisecond), mark
}

// fullDeploy returns how long a deploy takes that nobody cancels.
func (a *app) fullDeploy(t *testing.T) time.Duration {
	t.Helper()
	begun := time.Now()
	a.live = a.deploy(t)
	awaitStatus(t, a.live, "ready")
	return time.Since(begun)
}

// tooLate is the step of a cancel that came after the switch.
const tooLate = "ready"

// cancelAt deploys, cancels after a while, and returns in which step that was and how long it took until nothing was left.
func (a *app) cancelAt(t *testing.T, after time.Duration, mark string) (step string, took time.Duration) {
	t.Helper()
	id := a.deploy(t)
	require.NoError(t, pause(t.Context(), after))
	var d client.Deployment
	begun := time.Now()
	status, err := in.call(t.Context(), http.MethodPost, "/v1/deployments/"+id+"/cancel", "", nil, &d)
	if status == http.StatusConflict {
		awaitStatus(t, id, "ready")
		requireInvariants(t, a, id) // what it has replaced is gone before the next deploy is looked at
		return tooLate, 0
	}
	require.NoError(t, err)
	awaitStatus(t, id, "canceled")
	took = time.Since(begun)
	left := remains(t.Context(), id)
	require.Empty(t, append(left, processes(t, mark)...), "left at the moment when deployment %s said canceled", id)
	step = "queued"
	if d.Step != nil {
		if step = string(d.Step.Name); d.Step.Phase != nil {
			step += " " + string(*d.Step.Phase)
		}
	}
	t.Logf("%s: canceled in %s after %.2fs", id, step, took.Seconds())
	return step, took
}

// processes lists this machine's processes, those in builds included, whose command line holds a text.
func processes(t *testing.T, text string) (running []string) {
	t.Helper()
	all, err := procfs.AllProcs()
	require.NoError(t, err)
	for _, p := range all {
		if line, err := p.CmdLine(); err == nil && strings.Contains(strings.Join(line, " "), text) { // one that has ended has none
			running = append(running, fmt.Sprintf("process %d: %s", p.PID, strings.Join(line, " ")))
		}
	}
	return running
}

// inOrder are the steps, with their phases, in the order in which a deploy comes to them.
var inOrder = []string{"queued", "resolve", "fetch", "plan", "build", "build solve", "build push", "release", "release pull", "release start", "release probe", "release switch"}

func byProgress(a, b string) int {
	return cmp.Compare(slices.Index(inOrder, a), slices.Index(inOrder, b))
}

// table is the latencies in Markdown, in the order of the steps.
func (l *latencies) table() string {
	var b strings.Builder
	var all []time.Duration
	b.WriteString("| canceled in | cancels | p50 | p95 | max |\n|---|---:|---:|---:|---:|\n")
	line := func(name string, took []time.Duration) {
		slices.Sort(took)
		at := func(q float64) string { return fmt.Sprintf("%.2f s", took[int(q*float64(len(took)-1))].Seconds()) }
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", name, len(took), at(0.5), at(0.95), at(1))
	}
	for _, step := range slices.SortedFunc(maps.Keys(l.of), byProgress) {
		line(step, l.of[step])
		all = append(all, l.of[step]...)
	}
	if len(all) > 0 {
		line("all", all)
	}
	fmt.Fprintf(&b, "\n%d more came after the switch and were refused.\n", l.late)
	return b.String()
}
