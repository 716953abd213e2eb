package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
	"github.com/slipway-dev/slipway/worker"
)

func TestMain(m *testing.M) {
	code := postgrestest.Main(m)
	devservertest.Stop()
	os.Exit(code)
}

// host stands in for git, planner, builder, registry and engine of one machine. What is not answered here is not asked.
type host struct {
	activities.Git
	activities.Builder
	activities.ImageStore
	activities.Engine
	id    string
	store *postgres.Store
	t     *testing.T

	mu       sync.Mutex
	building int
	built    int
}

const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func (h *host) Resolve(context.Context, deployment.Repository, deployment.Ref) (commit, branch string, err error) {
	return "0123456789abcdef0123456789abcdef01234567", "main", nil
}

func (h *host) Fetch(context.Context, deployment.Repository, string, deployment.Ref, string, func(string)) error {
	return nil
}

func (h *host) Plan(context.Context, string, deployment.Project, []string) (*deployment.Plan, string, error) {
	return &deployment.Plan{Builder: deployment.BuilderStatic, RootDir: ".", Port: 8080}, "FROM scratch\n", nil
}

func (h *host) Address() string { return h.id }

// Solve takes long enough for a second build to show itself.
func (h *host) Solve(ctx context.Context, _ deployment.BuildRequest, _ deployment.BuildSink) (deployment.BuildOutcome, error) {
	h.mu.Lock()
	h.building++
	h.built++
	assert.Equal(h.t, 1, h.building, "builds at the same time on %s", h.id)
	h.mu.Unlock()
	if open, err := h.store.OpenLeases(ctx, h.id); err != nil || len(open) != 1 {
		h.t.Errorf("leases of %s: %v, %v", h.id, open, err)
	}
	select {
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
	}
	h.mu.Lock()
	h.building--
	h.mu.Unlock()
	return deployment.BuildOutcome{Digest: digest}, ctx.Err()
}

func (h *host) Pull(context.Context, string, func(deployment.Progress)) error { return nil }

func (h *host) NetworkName(deploymentID string) string { return "net-" + deploymentID }

func (h *host) Start(_ context.Context, s deployment.RunSpec) (deployment.Preview, error) {
	return deployment.Preview{
		DeploymentID: s.DeploymentID, Host: h.id, Container: s.Name, Address: "172.18.0.2:8080", State: deployment.PreviewStarting,
	}, nil
}

func (h *host) Logs(ctx context.Context, _ string, _ deployment.OutputCursor, _ func(deployment.OutputLine)) error {
	<-ctx.Done()
	return nil
}

func (h *host) Secrets(context.Context, string) ([]string, error) { return nil, nil }

func (h *host) Probe(context.Context, deployment.Preview, deployment.ProbeSpec, func(string)) error {
	return nil
}

func (h *host) KeepAlive(context.Context, string) error { return nil }

// work starts the whole worker of a host with one build slot.
func (h *host) work(client sdkclient.Client, writer *logs.Writer, limits temporal.Limits) {
	quiet := slog.New(slog.DiscardHandler)
	workspaces := activities.Workspaces{Root: filepath.Join(h.t.TempDir(), h.id)}
	open := func(ctx context.Context) (int, error) {
		leases, err := h.store.OpenLeases(ctx, h.id)
		return len(leases), err
	}
	slots := worker.NewLeaseSlots(open, 1, 100*time.Millisecond, quiet)
	w, err := worker.New(worker.Options{
		Client: client, HostID: h.id, Leases: slots, BuildSlots: 1, StopTimeout: time.Second, Limits: limits, Log: quiet,
		ReconcileEvery: time.Hour,
		Recorder: &activities.Recorder{
			Steps: h.store, Store: h.store, Logs: writer, HostID: h.id, Now: time.Now, Log: quiet,
			Heartbeats: &activities.Heartbeats{Client: client, Interval: 200 * time.Millisecond, Limit: time.Second},
		},
		Activities: worker.Activities{
			Control: &activities.Control{Store: h.store, Ledger: h.store, Hosts: h.store},
			Reconciler: &activities.Reconciler{
				Store: h.store, Ledger: h.store, Stuck: h.store, Age: time.Hour,
				Workflows: &temporal.Deploys{Client: client, Limits: limits}, Images: h,
			},
			Source: &activities.Source{Store: h.store, Ledger: h.store, Logs: writer, Git: h, Workspaces: workspaces, HostID: h.id},
			Slots: &activities.Slots{
				Store: h.store, Steps: h.store, Ledger: h.store, Workspaces: workspaces, HostID: h.id, Freed: slots.Free,
			},
			Plan:  &activities.Plan{Store: h.store, Logs: writer, Planner: h, Workspaces: workspaces},
			Build: &activities.Build{Store: h.store, Ledger: h.store, Logs: writer, Builder: h, Images: h, Workspaces: workspaces, PushHost: "r"},
			Preview: &activities.Preview{
				Store: h.store, Steps: h.store, Ledger: h.store, Logs: writer, Engine: h, HostID: h.id, PullHost: "r",
			},
		},
	})
	require.NoError(h.t, err)
	require.NoError(h.t, w.Start(h.t.Context()))
	h.t.Cleanup(w.Stop)
}

func TestWorker_TwoHostsShareTheDeploys(t *testing.T) {
	t.Parallel()
	const deploys = 6
	pool := postgrestest.New(t)
	store := postgres.New(pool, postgres.Options{PreviewDomain: "localhost"})
	writer := logs.NewWriter(pool, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { assert.NoError(t, writer.Close(context.WithoutCancel(t.Context()))) })
	client := devservertest.Client(t)
	limits := temporal.DefaultLimits()
	hosts := []*host{{id: "a", store: store, t: t}, {id: "b", store: store, t: t}}
	for _, h := range hosts {
		require.NoError(t, store.SeenHost(t.Context(), h.id, []string{"build", "preview"}, 1))
		h.work(client, writer, limits)
	}

	p, err := store.CreateProject(t.Context(), deployment.Project{Name: "app", RepoURL: "https://git.example.com/app"}.WithDefaults())
	require.NoError(t, err)
	starter := &temporal.Deploys{Client: client, Limits: limits}
	for i := range deploys {
		d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: fmt.Sprintf("branch/%d", i)})
		require.NoError(t, err)
		require.NoError(t, starter.Start(t.Context(), d, p))
	}
	ready := func() []deployment.Deployment {
		list, _, err := store.Deployments(t.Context(), deployment.DeploymentFilter{Status: deployment.StatusReady}, deployment.Page{Limit: 20})
		require.NoError(t, err)
		return list
	}
	require.Eventually(t, func() bool { return len(ready()) == deploys }, 60*time.Second, 100*time.Millisecond)

	for _, h := range hosts {
		require.GreaterOrEqual(t, h.built, 2, "builds of host %s", h.id)
		open, err := store.OpenLeases(t.Context(), h.id)
		require.NoError(t, err)
		require.Empty(t, open)
	}
	require.Equal(t, deploys, hosts[0].built+hosts[1].built)
	for _, d := range ready() {
		steps, err := store.Steps(t.Context(), d.ID)
		require.NoError(t, err)
		for _, s := range steps {
			require.Equal(t, deployment.StepSucceeded, s.Status, "%s of deployment %d", s.Name, d.Number)
		}
	}
}

// A second start finds the schedule there, and brings its settings up to date.
func TestWorker_ScheduleIsUpdated(t *testing.T) {
	t.Parallel()
	client := devservertest.Client(t)
	for _, every := range []time.Duration{time.Hour, 2 * time.Hour} {
		w, err := worker.New(worker.Options{
			Client: client, HostID: "a", Recorder: &activities.Recorder{}, ReconcileEvery: every,
			Activities: worker.Activities{Control: &activities.Control{}, Reconciler: &activities.Reconciler{}, Source: &activities.Source{}},
		})
		require.NoError(t, err)
		require.NoError(t, w.Start(t.Context()))
		w.Stop()
		schedule, err := client.ScheduleClient().GetHandle(t.Context(), temporal.ReconcileScheduleID).Describe(t.Context())
		require.NoError(t, err)
		require.Equal(t, every, schedule.Schedule.Spec.Intervals[0].Every)
	}
}
