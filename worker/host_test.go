package worker_test

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/source"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/worker"
)

// host stands in for git, planner, builder, registry and engine of one machine. What is not answered here is not asked.
type host struct {
	namespace string // of Temporal; needed to reset a workflow
	activities.Git
	activities.Builder
	activities.ImageStore
	activities.Engine
	id          string
	build       string        // of the worker, when builds are told apart
	controlOnly bool          // the worker runs workflows, and nothing that happens on the host
	unscheduled bool          // another host makes the reconciler's schedule
	perProject  int           // slots of all hosts that one project may hold; 0 for any number
	unanswered  time.Duration // after which a lease is one that its deployment may not know of; 0 for long
	deaf        atomic.Bool   // nothing is heard of the worker's activities any more
	policy      deployment.LeasePolicy
	patience    time.Duration // of the record with a Postgres that is away; 0 for its default
	stopping    time.Duration // that a step has when the worker stops; 0 for a second
	meet        chan struct{} // where each build waits for one of another host
	store       *postgres.Store
	workspaces  activities.Workspaces
	t           *testing.T

	mu         sync.Mutex
	building   int
	built      int
	sink       deployment.BuildSink                   // of the build that runs, for a hook
	hooks      map[string]func(context.Context) error // what happens instead of the work, by point
	pushed     bool
	containers []string
	still      []string // of them
}

// claims is the ledger of the build slots, with a point "claim" after a slot was taken.
type claims struct {
	*postgres.Store
	h *host
}

func (c claims) Lease(ctx context.Context, r deployment.Resource, most int) error {
	if err := c.Store.Lease(ctx, r, most); err != nil {
		return err
	}
	return c.h.pass(ctx, "claim")
}

// heart sends heartbeats until the host is deaf.
type heart struct {
	sdkclient.Client
	h *host
}

func (b heart) RecordActivityHeartbeat(ctx context.Context, token []byte, details ...any) error {
	if b.h.deaf.Load() {
		return nil
	}
	return b.Client.RecordActivityHeartbeat(ctx, token, details...)
}

// on sets what happens at a point: resolve, claim, fetch, plan, solve, pull, start or probe.
func (h *host) on(point string, hook func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hooks == nil {
		h.hooks = map[string]func(context.Context) error{}
	}
	h.hooks[point] = hook
}

func (h *host) at(point string) func(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hooks[point]
}

const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// pass does what was set for a point.
func (h *host) pass(ctx context.Context, point string) error {
	if hook := h.at(point); hook != nil {
		return hook(ctx)
	}
	return nil
}

func (h *host) Resolve(ctx context.Context, _ deployment.Repository, _ deployment.Ref) (commit, branch string, err error) {
	return "0123456789abcdef0123456789abcdef01234567", "main", h.pass(ctx, "resolve")
}

func (h *host) Fetch(ctx context.Context, _ deployment.Repository, _ string, _ deployment.Ref, _ string, _ func(string)) error {
	return h.pass(ctx, "fetch")
}

func (h *host) Plan(ctx context.Context, _ string, _ deployment.Project, _ []string) (*deployment.Plan, string, error) {
	return &deployment.Plan{Builder: deployment.BuilderStatic, RootDir: ".", Port: 8080}, "FROM scratch\n", h.pass(ctx, "plan")
}

func (h *host) Choose(context.Context, string) (string, func(), error) { return h.id, func() {}, nil }

// Solve does what was set for it, or waits for a build of another host: a second build of this one would show itself.
func (h *host) Solve(ctx context.Context, _ string, _ deployment.BuildRequest, sink deployment.BuildSink) (deployment.BuildOutcome, error) {
	h.mu.Lock()
	h.sink = sink
	h.mu.Unlock()
	if hook := h.at("solve"); hook != nil {
		err := hook(ctx)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.pushed = h.pushed || err == nil
		return deployment.BuildOutcome{Digest: digest}, err
	}
	h.mu.Lock()
	h.building++
	h.built++
	assert.Equal(h.t, 1, h.building, "builds at the same time on %s", h.id)
	h.mu.Unlock()
	if open, err := h.store.OpenLeases(ctx, h.id); err != nil || len(open) != 1 {
		h.t.Errorf("leases of %s: %v, %v", h.id, open, err)
	}
	select {
	case h.meet <- struct{}{}:
	case <-h.meet:
	case <-ctx.Done():
	}
	h.mu.Lock()
	h.building--
	h.mu.Unlock()
	return deployment.BuildOutcome{Digest: digest}, ctx.Err()
}

// Lookup knows of no solve: an attempt that lasted long enough to tell of its own is asked for by the next one.
func (h *host) Lookup(context.Context, string, string) (string, error) { return "", nil }

func (h *host) Digest(context.Context, string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.pushed {
		return "", nil
	}
	return digest, nil
}

func (h *host) Tags(context.Context, string) ([]string, error) { return nil, nil }

// lose is a registry that has lost its images.
func (h *host) lose() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pushed = false
}

func (h *host) Pull(ctx context.Context, _ string, _ func(deployment.Progress)) error {
	return h.pass(ctx, "pull")
}

func (h *host) NetworkName(deploymentID string) string { return "net-" + deploymentID + "-" + h.id }

func (h *host) Start(ctx context.Context, s deployment.RunSpec) (deployment.Preview, error) {
	if err := h.pass(ctx, "start"); err != nil {
		return deployment.Preview{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.containers, s.Name) {
		h.containers = append(h.containers, s.Name)
	}
	return deployment.Preview{
		DeploymentID: s.DeploymentID, Host: h.id, ContainerID: s.Name, Container: s.Name, Network: h.NetworkName(s.DeploymentID),
		Address: "172.18.0.2:8080", State: deployment.PreviewStarting,
	}, nil
}

func (h *host) Stop(_ context.Context, container string, _ time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.containers = slices.DeleteFunc(h.containers, func(name string) bool { return name == container })
	return nil
}

// Halt and Wake let a container stand still and run again.
func (h *host) Halt(_ context.Context, container string, _ time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.still = append(h.still, container)
	return nil
}

func (h *host) Wake(_ context.Context, container string, _ deployment.Resources) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.still = slices.DeleteFunc(h.still, func(name string) bool { return name == container })
	return slices.Contains(h.containers, container), nil
}

func (h *host) standsStill(container string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.still, container)
}

func (h *host) RemoveNetwork(context.Context, string) error { return nil }

func (h *host) Owned(context.Context) (owned []deployment.Resource, err error) {
	for _, name := range h.running() {
		owned = append(owned, deployment.Resource{Kind: deployment.ResourceContainer, Name: name, Host: h.id})
	}
	return owned, nil
}

func (h *host) BaseImages(context.Context) ([]deployment.Resource, error) { return nil, nil }
func (h *host) UnusedImages(context.Context) ([]string, error)            { return nil, nil }

func (h *host) running() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.containers)
}

func (h *host) Logs(ctx context.Context, _ string, _ deployment.OutputCursor, _ func(deployment.OutputLine)) error {
	<-ctx.Done()
	return nil
}

func (h *host) Secrets(context.Context, string) ([]string, error) { return nil, nil }

func (h *host) Probe(ctx context.Context, p deployment.Preview, _ deployment.ProbeSpec, _ func(string)) (string, error) {
	return p.Address, h.pass(ctx, "probe")
}

func (h *host) Prepare(context.Context, deployment.RunSpec)                   {}
func (h *host) KeepAlive(context.Context, string, deployment.Resources) error { return nil }

// work starts the whole worker of a host with one build slot. It stops at the test's end or, once, when stop is called.
func (h *host) work(client sdkclient.Client, writer *logs.Writer, limits temporal.Limits) (stop func()) {
	quiet := slog.New(slog.DiscardHandler)
	h.workspaces = activities.Workspaces{Root: filepath.Join(h.t.TempDir(), h.id)}
	mirrors := source.NewMirrors(filepath.Join(h.workspaces.Root, "mirrors"), 0)
	if h.unanswered == 0 {
		h.unanswered = time.Minute
	}
	deploys := &temporal.Deploys{Client: client, Namespace: h.namespace, Limits: limits}
	turns := &activities.Turns{Line: h.store, Workflows: deploys, Log: quiet}
	taken := &worker.Taken{
		Leases: h.store, Claims: deploys.ClaimsSlot, Host: h.id, Max: 1, Age: h.unanswered, Every: 200 * time.Millisecond,
	}
	every := time.Hour
	if h.unscheduled {
		every = 0
	}
	slots := worker.NewLeaseSlots(taken.Count, 1, 100*time.Millisecond, quiet)
	recorder := &activities.Recorder{
		Steps: h.store, Store: h.store, Runs: deploys, Logs: writer, HostID: h.id, Now: time.Now, Log: quiet, Patience: h.patience,
		Heartbeats: &activities.Heartbeats{Client: heart{client, h}, Interval: 200 * time.Millisecond, Limit: 2 * time.Second},
	}
	alone := new(activities.OneByOne)
	w, err := worker.New(worker.Options{
		Client: client, HostID: h.id, BuildID: h.build, ControlOnly: h.controlOnly, Leases: slots, BuildSlots: 1, StopTimeout: cmp.Or(h.stopping, time.Second), Limits: limits, Log: quiet,
		ReconcileEvery: every,
		Recorder:       recorder,
		Activities: worker.Activities{
			Control: &activities.Control{Store: h.store, Ledger: h.store, Hosts: h.store, Turns: turns, Leases: h.store, Policy: h.policy, Limits: limits},
			Reconciler: &activities.Reconciler{
				Store: h.store, Ledger: h.store, Stuck: h.store, Deleted: h.store, Retention: h.store, Keep: activities.Keep{Images: 5, Unused: time.Hour}, Age: time.Hour, Workflows: deploys, Images: h,
				PushHost: "r", Tags: h.store, Known: h.store, Grace: time.Minute, Leases: h.store, Policy: h.policy,
			},
			Source: &activities.Source{Store: h.store, Ledger: h.store, Logs: writer, Git: h, Workspaces: h.workspaces, Images: h, PushHost: "r", HostID: h.id},
			Slots: &activities.Slots{
				Store: h.store, Steps: h.store, Ledger: claims{h.store, h}, Workspaces: h.workspaces, Mirrors: mirrors, HostID: h.id, PerProject: h.perProject, Freed: slots.Free,
			},
			Plan:  &activities.Plan{Store: h.store, Logs: writer, Planner: h, Workspaces: h.workspaces},
			Build: &activities.Build{Store: h.store, Ledger: h.store, Logs: writer, Builder: h, Images: h, Workspaces: h.workspaces, PushHost: "r"},
			Preview: &activities.Preview{
				Store: h.store, Steps: h.store, Ledger: h.store, Logs: writer, Engine: h, HostID: h.id, PullHost: "r", Turns: turns, Leases: h.store, Policy: h.policy, Hold: recorder.Hold,
				Alone: alone.Take,
			},
			Sweeper: &activities.Sweeper{
				LeftOvers: h.store, Ledger: h.store, Engine: h, Workspaces: h.workspaces, Mirrors: mirrors, Projects: h.store, HostID: h.id, Age: time.Minute, Settled: time.Minute,
				Alone: alone.Take,
			},
		},
	})
	require.NoError(h.t, err)
	require.NoError(h.t, w.Start(h.t.Context()))
	silent := h.stayAlive()
	stop = sync.OnceFunc(func() { silent(); w.Stop() })
	h.t.Cleanup(stop)
	return stop
}

// stayAlive notes that the host lives until silent is called, as a worker does: on a slow machine a test lasts longer than a
// host may be silent.
func (h *host) stayAlive() (silent func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	note := func(ctx context.Context) error {
		if err := h.store.SeenHost(ctx, h.id, []string{"build", "preview"}, 1); err != nil {
			return err
		}
		return h.store.LimitProjects(ctx, h.id, h.perProject)
	}
	require.NoError(h.t, note(ctx))
	var noting sync.WaitGroup
	noting.Go(func() {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := note(ctx); err != nil && ctx.Err() == nil && deployment.AsFailure(err).Component != deployment.ComponentPostgres {
					h.t.Error(err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); noting.Wait() }
}
