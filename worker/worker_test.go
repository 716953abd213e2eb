package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	hosts := []*host{{id: "a", store: store, t: t}, {id: "b", store: store, t: t}}
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
	require.Eventually(t, func() bool { return len(ready()) == deploys }, 60*time.Second, 100*time.Millisecond)

	for _, h := range hosts {
		require.GreaterOrEqual(t, h.built, 2, "builds of host %s", h.id)
		open, err := store.OpenLeases(t.Context(), h.id)
		require.NoError(t, err)
		require.Empty(t, open)
	}
	require.Equal(t, deploys, hosts[0].built+hosts[1].built)
	for _, d := range ready() {
		require.Eventually(t, func() bool { // ready is written with the switch, the end of its step after it
			steps, err := store.Steps(t.Context(), d.ID)
			require.NoError(t, err)
			return !slices.ContainsFunc(steps, func(s deployment.Step) bool { return s.Status != deployment.StepSucceeded })
		}, 20*time.Second, 50*time.Millisecond, "steps of deployment %d", d.Number)
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
