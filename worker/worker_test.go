package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

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
	devservertest.Widen()
	code := postgrestest.Main(m)
	devservertest.Stop()
	os.Exit(code)
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
	meet := make(chan struct{})
	hosts := []*host{{id: "a", store: store, t: t, meet: meet}, {id: "b", store: store, t: t, meet: meet}}
	for _, h := range hosts {
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
	require.Eventually(t, func() bool { return len(ready()) == deploys }, eventually, tick)

	for _, h := range hosts {
		require.Equal(t, deploys/len(hosts), h.built, "builds of host %s", h.id)
		open, err := store.OpenLeases(t.Context(), h.id)
		require.NoError(t, err)
		require.Empty(t, open)
	}
	for _, d := range ready() {
		require.Eventually(t, func() bool { // ready is written with the switch, the end of its step after it
			steps, err := store.Steps(t.Context(), d.ID)
			require.NoError(t, err)
			return !slices.ContainsFunc(steps, func(s deployment.Step) bool { return s.Status != deployment.StepSucceeded })
		}, eventually, tick, "steps of deployment %d", d.Number)
	}
}

// A server that is asked about the schedule before it can answer is asked again.
func TestWorker_ScheduleOfAServerThatIsBusy(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	busy := func(ctx context.Context, method string, in, out any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if strings.HasSuffix(method, "/DescribeSchedule") && asked.Add(1) == 1 {
			return status.FromContextError(context.DeadlineExceeded).Err()
		}
		return invoke(ctx, method, in, out, c, options...)
	}
	client := devservertest.ClientOf(t, devservertest.Namespace(t), func(o *sdkclient.Options) {
		o.ConnectionOptions.DialOptions = append(o.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(busy))
	})
	for range 2 {
		w, err := worker.New(worker.Options{
			Client: client, HostID: "a", Recorder: &activities.Recorder{}, ReconcileEvery: time.Hour,
			Activities: worker.Activities{Control: &activities.Control{}, Reconciler: &activities.Reconciler{}, Source: &activities.Source{}},
		})
		require.NoError(t, err)
		require.NoError(t, w.Start(t.Context()))
		w.Stop()
	}
	require.GreaterOrEqual(t, asked.Load(), int32(2))
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
