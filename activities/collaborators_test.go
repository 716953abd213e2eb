package activities_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// points are places where a collaborator can be made to do something else than its work.
type points struct {
	mu    sync.Mutex
	hooks map[string]func(context.Context) error
}

// on sets what happens at a point; once limits it to the first time.
func (p *points) on(point string, hook func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hooks == nil {
		p.hooks = map[string]func(context.Context) error{}
	}
	p.hooks[point] = hook
}

func (p *points) at(ctx context.Context, point string) error {
	p.mu.Lock()
	hook := p.hooks[point]
	p.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx)
}

// once does something the first time only.
func once(do func(context.Context) error) func(context.Context) error {
	var done atomic.Bool
	return func(ctx context.Context) error {
		if done.Swap(true) {
			return nil
		}
		return do(ctx)
	}
}

func die(context.Context) error { panic("died") }

// beats can be made silent: the server then gives the attempt up although it still runs.
type beats struct {
	activities.HeartbeatClient
	silent atomic.Bool
	sent   atomic.Int64
	heard  atomic.Int64 // by the server
}

func (h *beats) RecordActivityHeartbeat(ctx context.Context, token []byte, details ...any) error {
	if h.silent.Load() {
		return context.DeadlineExceeded
	}
	h.sent.Add(1)
	err := h.HeartbeatClient.RecordActivityHeartbeat(ctx, token, details...)
	if err == nil {
		h.heard.Add(1)
	}
	return err
}

// waitHeard returns when the server has taken n more beats.
func (h *beats) waitHeard(n int64) {
	until := h.heard.Load() + n
	for range time.Tick(interval / 10) {
		if h.heard.Load() >= until {
			return
		}
	}
}

// runs are Temporal's, unless a test says that another one is the newest.
type runs struct {
	activities.Runs
	newest atomic.Pointer[string]
}

func (r *runs) CurrentRun(ctx context.Context, deploymentID string) (string, bool, error) {
	if run := r.newest.Load(); run != nil {
		return *run, true, nil
	}
	return r.Runs.CurrentRun(ctx, deploymentID)
}

// git is real, with points around it.
type git struct {
	activities.Git
	points
}

func (g *git) Resolve(ctx context.Context, repo deployment.Repository, ref deployment.Ref) (string, string, error) {
	if err := g.at(ctx, "before resolve"); err != nil {
		return "", "", err
	}
	commit, branch, err := g.Git.Resolve(ctx, repo, ref)
	if e := g.at(ctx, "after resolve"); e != nil {
		return "", "", e
	}
	return commit, branch, err
}

func (g *git) Fetch(ctx context.Context, repo deployment.Repository, commit string, ref deployment.Ref, dir string, line func(string)) error {
	if err := g.at(ctx, "before fetch"); err != nil {
		return err
	}
	if err := g.Git.Fetch(ctx, repo, commit, ref, dir, line); err != nil {
		return err
	}
	return g.at(ctx, "after fetch")
}

// planner makes the same plan of everything.
type planner struct {
	points
	warnings []deployment.Warning
	frontend string
	base     string
	release  string // command of the Procfile
}

func (p *planner) Plan(ctx context.Context, _ string, _ deployment.Project, names []string) (*deployment.Plan, string, error) {
	if err := p.at(ctx, "plan"); err != nil {
		return nil, "", err
	}
	plan := &deployment.Plan{Builder: deployment.BuilderStatic, RootDir: ".", Port: 8080, SecretNames: names, Variables: map[string]string{"NODE_ENV": "production"}, Warnings: p.warnings, Frontend: p.frontend, Base: p.base}
	if p.release != "" {
		plan.ReleaseCommand, plan.ReleaseFrom = p.release, deployment.ReleaseFromProcfile
	}
	return plan, "FROM scratch\n", nil
}

// digestOf is the digest of what is built of a repository: like BuildKit's, the same every time.
func digestOf(repository string) string {
	sum := sha256.Sum256([]byte(repository))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// shelf is a registry.
type shelf struct {
	points
	mu      sync.Mutex
	digests map[string]string             // host/repository:tag → digest
	layers  map[string][]deployment.Layer // of host/repository@digest
}

func (s *shelf) Digest(ctx context.Context, image string) (string, error) {
	if err := s.at(ctx, "digest"); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	repository, digest, byDigest := strings.Cut(image, "@")
	if !byDigest {
		return s.digests[image], nil
	}
	for tag, d := range s.digests {
		if strings.HasPrefix(tag, repository+":") && d == digest {
			return digest, nil
		}
	}
	return "", nil
}

func (s *shelf) Delete(ctx context.Context, image string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.digests, image)
	return nil
}

func (s *shelf) Tags(_ context.Context, repository string) (list []string, err error) {
	for _, name := range s.tags() {
		if before, tag, found := strings.Cut(name, "/"+repository+":"); found && before == "registry:5000" {
			list = append(list, tag)
		}
	}
	return list, nil
}

// Layers of an image are those that the test gave it.
func (s *shelf) Layers(_ context.Context, image string) ([]deployment.Layer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.layers[image], nil
}

func (s *shelf) push(image, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.digests[image] = digest
}

func (s *shelf) tags() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tag := range s.digests {
		list = append(list, tag)
	}
	return list
}

// builder is a BuildKit that needs no time.
type builder struct {
	points
	b        *bench
	mu       sync.Mutex
	projects []string // that a builder was chosen for
	busy     int      // builds that are not said to have ended
	solved   []deployment.BuildRequest
	last     deployment.BuildRequest // that was asked for, whatever came of it
	looked   []string
	finished map[string]string // ref → digest: the history
	say      func(deployment.BuildSink)
	layers   []deployment.Layer // of what is built
	figures  deployment.BuildFigures
}

const builderAddress = "unix:///builder"

func (f *builder) Choose(ctx context.Context, project string) (string, func(), error) {
	f.mu.Lock()
	f.projects = append(f.projects, project)
	f.busy++
	f.mu.Unlock()
	return builderAddress, func() { f.mu.Lock(); defer f.mu.Unlock(); f.busy-- }, f.at(ctx, "choose")
}

func (f *builder) Home(string) string { return builderAddress }

func (f *builder) Solve(ctx context.Context, address string, r deployment.BuildRequest, sink deployment.BuildSink) (deployment.BuildOutcome, error) {
	if r.CacheTo != "" {
		return f.keep(ctx, r)
	}
	f.mu.Lock()
	f.last = r
	f.mu.Unlock()
	if err := f.at(ctx, "before push"); err != nil {
		return deployment.BuildOutcome{}, err
	}
	f.b.mustBeOwned(deployment.ResourceImageTag, r.Image, "")
	f.mu.Lock()
	f.solved = append(f.solved, r)
	f.mu.Unlock()
	if f.say != nil {
		f.say(sink)
	}
	digest := digestOf("app")
	f.b.shelf.push(r.Image, digest)
	return f.outcome(digest), f.at(ctx, "after push")
}

// keep is a solve for the cache alone.
func (f *builder) keep(ctx context.Context, r deployment.BuildRequest) (deployment.BuildOutcome, error) {
	f.b.mustBeOwned(deployment.ResourceCacheTag, r.CacheTo, "")
	if err := f.at(ctx, "keep"); err != nil {
		return deployment.BuildOutcome{}, err
	}
	f.mu.Lock()
	f.solved = append(f.solved, r)
	f.mu.Unlock()
	f.b.shelf.push(r.CacheTo, digestOf("cache"))
	return deployment.BuildOutcome{}, nil
}

func (f *builder) Lookup(ctx context.Context, address, ref string) (string, error) {
	assert.Equal(f.b.t, builderAddress, address)
	if err := f.at(ctx, "look up"); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked = append(f.looked, ref)
	return f.finished[ref], nil
}

func (f *builder) outcome(digest string) deployment.BuildOutcome {
	out := deployment.BuildOutcome{Digest: digest, Layers: f.layers, BuildFigures: f.figures}
	if out.Layers != nil {
		out.Image = deployment.FiguresOf(out.Layers)
	}
	return out
}

func (f *builder) asked() deployment.BuildRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

func (f *builder) solves() []deployment.BuildRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.solved)
}

// engine is a Docker engine that only counts; like the real one it keeps what stands already.
type engine struct {
	points
	b          *bench
	mu         sync.Mutex
	containers map[string]int // name → how often it was made
	networks   map[string]int
	stopped    []string
	graces     []time.Duration         // that were given to them
	specs      []deployment.RunSpec    // in the order in which they were started
	commands   []deployment.RunSpec    // that were begun
	limits     []time.Duration         // that they were given
	output     []deployment.OutputLine // of every container, besides its first line
	secrets    []string                // in every container's environment
	images     []string                // that no container runs
	bases      map[string]string       // those of them that are base images, with their deployments
	otherPort  string                  // where every app listens instead of on PORT; "" for nowhere
}

func (e *engine) Pull(ctx context.Context, _ string, progress func(deployment.Progress)) error {
	progress(deployment.Progress{Percent: 100})
	return e.at(ctx, "pull")
}

func (e *engine) Prepare(_ context.Context, s deployment.RunSpec) {
	e.b.mustBeOwned(deployment.ResourceNetwork, e.NetworkName(s.DeploymentID), hostID)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.networks[e.NetworkName(s.DeploymentID)] = 1
}

func (*engine) NetworkName(deploymentID string) string { return "net-" + deploymentID }

func (e *engine) Start(ctx context.Context, s deployment.RunSpec) (deployment.Preview, error) {
	if err := e.at(ctx, "before start"); err != nil {
		return deployment.Preview{}, err
	}
	network := e.NetworkName(s.DeploymentID)
	e.b.mustBeOwned(deployment.ResourceNetwork, network, hostID)
	e.b.mustBeOwned(deployment.ResourceContainer, s.Name, hostID)
	e.mu.Lock()
	e.specs = append(e.specs, s)
	e.networks[network] = 1
	if e.containers[s.Name] == 0 {
		e.containers[s.Name]++
	}
	e.mu.Unlock()
	p := deployment.Preview{
		DeploymentID: s.DeploymentID, Host: hostID, ContainerID: "id-" + s.Name, Container: s.Name, Network: network,
		Address: "172.18.0.2:8080", State: deployment.PreviewStarting,
	}
	return p, e.at(ctx, "after start")
}

// RunOnce begins a command in a container that is not there yet, and keeps it. One that an abandoned attempt makes late, without a
// row, is not begun.
func (e *engine) RunOnce(ctx context.Context, s deployment.RunSpec, o deployment.Once) error {
	if err := e.at(ctx, "before command"); err != nil {
		return err
	}
	e.mu.Lock()
	made := e.containers[s.Name] == 0
	e.containers[s.Name] = 1
	e.mu.Unlock()
	if made {
		if err := o.Begin(ctx); err != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			delete(e.containers, s.Name)
			return err
		}
		e.b.mustBeOwned(deployment.ResourceContainer, s.Name, hostID)
		e.mu.Lock()
		e.commands = append(e.commands, s)
		e.limits = append(e.limits, o.Limit)
		e.mu.Unlock()
	}
	o.Line(deployment.OutputLine{Stream: deployment.StreamStdout, Text: "migrated", At: printedAt(0)})
	return e.at(ctx, "command")
}

// ran returns the commands that were begun.
func (e *engine) ran() []deployment.RunSpec {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.commands)
}

func (e *engine) Probe(ctx context.Context, p deployment.Preview, s deployment.ProbeSpec, line func(string)) (string, error) {
	line("200 OK")
	if e.otherPort != "" && !s.OtherPort {
		return "", deployment.UserFailure("release.wrong_port", "", "the app listens on %s", e.otherPort)
	}
	if e.otherPort != "" {
		return e.otherPort, nil
	}
	return p.Address, e.at(ctx, "probe")
}

func (e *engine) KeepAlive(ctx context.Context, _ string, _ deployment.Resources) error {
	return e.at(ctx, "keep alive")
}

func (e *engine) Logs(ctx context.Context, _ string, from deployment.OutputCursor, line func(deployment.OutputLine)) error {
	if err := e.at(ctx, "logs"); err != nil {
		return err
	}
	e.mu.Lock()
	lines := append([]deployment.OutputLine{{Stream: deployment.StreamStdout, Text: "listening", At: printedAt(0)}}, e.output...)
	e.mu.Unlock()
	for _, l := range lines {
		if !from.Passed(l.Stream, l.At) {
			line(l)
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (e *engine) Secrets(context.Context, string) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.secrets, nil
}

// print lets every container print more.
func (e *engine) print(texts ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, text := range texts {
		e.output = append(e.output, deployment.OutputLine{
			Stream: deployment.StreamStdout, Text: text, At: printedAt(len(e.output) + 1),
		})
	}
}

// printedAt is the engine's stamp of the nth line.
func printedAt(n int) time.Time { return time.Date(2026, 1, 2, 3, 4, 5, n, time.UTC) }

func (e *engine) Stop(ctx context.Context, container string, grace time.Duration) error {
	if err := e.at(ctx, "stop"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, container)
	e.stopped = append(e.stopped, container)
	e.graces = append(e.graces, grace)
	return nil
}

func (e *engine) RemoveNetwork(_ context.Context, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for container := range e.containers {
		if strings.Contains(container, strings.TrimPrefix(name, "net-")) {
			return fmt.Errorf("network %s has active endpoints", name)
		}
	}
	delete(e.networks, name)
	return nil
}

// Owned tells the deployment of a thing from its name, which holds it.
func (e *engine) Owned(ctx context.Context) ([]deployment.Resource, error) {
	if err := e.at(ctx, "owned"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []deployment.Resource
	for kind, things := range map[deployment.ResourceKind]map[string]int{
		deployment.ResourceNetwork: e.networks, deployment.ResourceContainer: e.containers,
	} {
		for name := range things {
			list = append(list, deployment.Resource{Kind: kind, Name: name, Host: hostID, DeploymentID: idIn.FindString(name)})
		}
	}
	return list, nil
}

// BaseImages are those of the images that a test calls so.
func (e *engine) BaseImages(context.Context) (bases []deployment.Resource, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, image := range e.images {
		if id, isBase := e.bases[image]; isBase {
			bases = append(bases, deployment.Resource{Kind: deployment.ResourceBaseImage, Name: image, Host: hostID, DeploymentID: id})
		}
	}
	return bases, nil
}

// UnusedImages are those that a test has put there.
func (e *engine) UnusedImages(context.Context) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.images), nil
}

func (e *engine) RemoveImage(_ context.Context, image string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images = slices.DeleteFunc(e.images, func(i string) bool { return i == image })
	return nil
}

var idIn = regexp.MustCompile("[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")

// add makes a container behind everybody's back, as an attempt does that was given up as dead.
func (e *engine) add(container string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers[container]++
}

func (e *engine) running() (list []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name := range e.containers {
		list = append(list, name)
	}
	return list
}

// mustBeOwned checks that a thing has its row at the moment in which it is made.
func (b *bench) mustBeOwned(kind deployment.ResourceKind, name, host string) {
	var n int
	err := b.pool.QueryRow(context.Background(), "SELECT count(*) FROM resources WHERE kind = $1 AND name = $2 AND host = $3",
		string(kind), name, host).Scan(&n)
	assert.NoError(b.t, err) //nolint:testifylint // called on an activity's goroutine, where require must not be
	assert.Equal(b.t, 1, n, "%s %s is made without a row", kind, name)
}
