package worker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// reconcile does what `slipway admin reconcile` does.
func (s *system) reconcile(in temporal.ReconcileInput) (result temporal.ReconcileResult) {
	s.t.Helper()
	in.Limits = s.deploys.Limits
	run, err := s.client.ExecuteWorkflow(s.t.Context(), sdkclient.StartWorkflowOptions{TaskQueue: temporal.QueueControl}, temporal.WorkflowReconcile, in)
	require.NoError(s.t, err)
	require.NoError(s.t, run.Get(s.t.Context(), &result))
	return result
}

// A pass that a person waits for asks every host, and names what it finds.
func TestReconcile_ForAPersonWhoWaits(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.until(s.deploy(), deployment.StatusReady)
	require.Empty(t, s.reconcile(temporal.ReconcileInput{DryRun: true}).Differences)

	s.host.mu.Lock()
	s.host.containers = append(s.host.containers, "stray")
	s.host.mu.Unlock()
	stray := deployment.Difference{Kind: "container", Thing: "stray", Host: "a", Found: "no row knows of it", Repair: "removed"}
	require.Equal(t, []deployment.Difference{stray}, s.reconcile(temporal.ReconcileInput{DryRun: true}).Differences)
	require.Len(t, s.host.running(), 2)
	require.Zero(t, s.reconcile(temporal.ReconcileInput{}), "the schedule's pass leaves hosts to themselves")
	require.Equal(t, []deployment.Difference{stray}, s.reconcile(temporal.ReconcileInput{List: true}).Differences)
	require.Len(t, s.host.running(), 1)
	require.Empty(t, s.reconcile(temporal.ReconcileInput{DryRun: true}).Differences)
}

func TestReconcile_AHostThatDoesNotAnswerIsADifference(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.deploys.Limits.ScheduleToStart = 6 * time.Second // the stuck one's, and more than the other one needs
	require.NoError(t, s.store.SeenHost(t.Context(), "gone", []string{"build", "preview"}, 1))
	_, err := s.store.Pool().Exec(t.Context(), "UPDATE hosts SET last_seen_at = now() - interval '3 hours' WHERE id = 'gone'")
	require.NoError(t, err)
	require.NoError(t, s.store.SeenHost(t.Context(), "stuck", []string{"build"}, 1)) // it is there, and its worker does nothing
	found := s.reconcile(temporal.ReconcileInput{DryRun: true}).Differences
	require.Len(t, found, 2)
	require.Equal(t, "gone", found[0].Thing)
	require.Contains(t, found[0].Found, "not been seen for 3h0m")
	require.Contains(t, found[0].Fix, "slipway admin hosts forget gone")
	require.Equal(t, "stuck", found[1].Thing)
	require.Contains(t, found[1].Error, "no answer in time (ScheduleToStart)")

	_, err = s.store.ForgetHost(t.Context(), "gone")
	require.NoError(t, err)
	require.Len(t, s.reconcile(temporal.ReconcileInput{DryRun: true}).Differences, 1)
}
