package activities_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"
	"go.temporal.io/sdk/activity"

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

// beats can be silenced for an attempt: the server then gives it up although it still runs.
type beats struct {
	activities.HeartbeatClient
	silent sync.Map // task tokens of attempts
	sent   atomic.Int64
	heard  atomic.Int64 // by the server
}

// silence lets nothing be heard any more of the attempt that ctx belongs to.
func (h *beats) silence(ctx context.Context) {
	h.silent.Store(string(activity.GetInfo(ctx).TaskToken), true)
}

func (h *beats) RecordActivityHeartbeat(ctx context.Context, token []byte, details ...any) error {
	if _, silent := h.silent.Load(string(token)); silent {
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

// mustBeOwned checks that a thing has its row at the moment in which it is made.
func (b *bench) mustBeOwned(kind deployment.ResourceKind, name, host string) {
	var n int
	err := b.pool.QueryRow(context.Background(), "SELECT count(*) FROM resources WHERE kind = $1 AND name = $2 AND host = $3",
		string(kind), name, host).Scan(&n)
	assert.NoError(b.t, err) //nolint:testifylint // called on an activity's goroutine, where require must not be
	assert.Equal(b.t, 1, n, "%s %s is made without a row", kind, name)
}
