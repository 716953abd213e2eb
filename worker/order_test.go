package worker_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// The API died before it could cancel the workflow of the older deployment: the reconciler does.
func TestSupersede_TheReconcilerCancelsTheWorkflow(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	begun := make(chan struct{})
	s.host.on("solve", func(ctx context.Context) error { close(begun); <-ctx.Done(); return ctx.Err() })
	older := s.deploy()
	<-begun
	s.host.on("solve", failing(0))
	newer := s.deploy()
	require.Equal(t, deployment.StatusCanceling, s.get(older).Status)
	for range 2 { // twice at the same time would be the same
		_, err := s.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
		require.NoError(t, err)
	}
	d := s.until(older, deployment.StatusSuperseded)
	require.Equal(t, newer.ID, d.SupersededBy)
	require.Nil(t, d.Failure)
	described, err := s.client.DescribeWorkflowExecution(t.Context(), temporal.DeployWorkflowID(older.ID), "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, described.GetWorkflowExecutionInfo().GetStatus())
	owned, err := s.store.Owned(t.Context(), older.ID, "", deployment.ResourceLease, deployment.ResourceWorkspace, deployment.ResourceContainer)
	require.NoError(t, err)
	require.Empty(t, owned)
	s.until(newer, deployment.StatusReady)
	run, _ := s.current(newer)
	s.requireLive(newer, run)
}

// queue lets the deployments of production take turns from the first on, and posts n of them as the API does: the first is
// in the middle of its build until the returned function is called, the others wait.
func (s *system) queue(n int) (all []deployment.Deployment, release func()) {
	s.t.Helper()
	begun, open := make(chan struct{}), make(chan struct{})
	s.host.on("solve", func(ctx context.Context) error {
		close(begun)
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	all = append(all, s.deploy())
	<-begun
	s.host.on("solve", failing(0))
	_, _, err := s.store.SetOrderPolicy(s.t.Context(), all[0].EnvironmentID, deployment.OrderQueue)
	require.NoError(s.t, err)
	for range n - 1 {
		d, _, err := s.store.CreateDeployment(s.t.Context(), deployment.NewDeployment{Project: s.project, Environment: "production"})
		require.NoError(s.t, err)
		require.True(s.t, d.Waiting())
		all = append(all, d)
	}
	return all, sync.OnceFunc(func() { close(open) })
}

// Nobody but the ends of the deploys themselves begins the next: one goes live, one fails, one is canceled, one goes live.
func TestQueue_EachEndBeginsTheNext(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	all, release := s.queue(4)
	probing, canceled := make(chan struct{}), make(chan struct{})
	s.host.on("probe", func(ctx context.Context) error {
		switch s.underWay() {
		case all[1].ID:
			return deployment.UserFailure("app.broken", "mend it", "it is broken")
		case all[2].ID:
			close(probing)
			<-ctx.Done()
			close(canceled)
			return ctx.Err()
		}
		return nil
	})
	release()
	s.until(all[0], deployment.StatusReady)
	s.until(all[1], deployment.StatusFailed)
	<-probing
	require.True(t, s.get(all[3]).Waiting())
	_, err := s.store.RequestCancel(t.Context(), all[2].ID)
	require.NoError(t, err)
	_, err = s.deploys.Cancel(t.Context(), all[2].ID)
	require.NoError(t, err)
	<-canceled
	s.until(all[2], deployment.StatusCanceled)
	s.until(all[3], deployment.StatusReady)
	run, _ := s.current(all[3])
	s.requireLive(all[3], run)
	for i, d := range all[1:] {
		require.False(t, s.get(d).StartedAt.Before(*s.get(all[i]).FinishedAt), "one after the other")
	}
}

// underWay is the one deployment of the project that has begun and not ended.
func (s *system) underWay() (id string) {
	list, err := s.store.UnderWay(s.t.Context(), 0)
	if assert.NoError(s.t, err) && assert.Len(s.t, list, 1) {
		id = list[0].ID
	}
	return id
}

// A retry, and a reset by tctl, wait until the deployment that is under way has ended.
func TestQueue_RetriesTakeTheirTurn(t *testing.T) {
	t.Parallel()
	for name, retry := range map[string]func(*system, deployment.Deployment) error{
		"REST": func(s *system, d deployment.Deployment) error { return s.retry(s.t.Context(), d) },
		"tctl": func(s *system, d deployment.Deployment) error {
			run := s.reset(d, firstWorkflowTask)
			require.Eventually(s.t, func() bool {
				current, open := s.current(d)
				return current == run && !open
			}, eventually, tick, "its run closes")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIdleSystem(t)
			s.host.work(s.client, s.writer, s.deploys.Limits)
			s.host.on("solve", failing(1))
			failed := s.until(s.deploy(), deployment.StatusFailed)
			all, release := s.queue(1)
			require.NoError(t, retry(s, failed))
			require.True(t, s.get(failed).Waiting())
			_, err := s.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
			require.NoError(t, err)
			require.True(t, s.get(failed).Waiting(), "nothing has begun")
			_, err = s.store.RequestCancel(t.Context(), all[0].ID)
			require.NoError(t, err)
			_, err = s.deploys.Cancel(t.Context(), all[0].ID)
			require.NoError(t, err)
			s.until(all[0], deployment.StatusCanceled)
			release()
			d := s.until(failed, deployment.StatusReady)
			require.NotEqual(t, failed.RunID, d.RunID)
			s.requireLive(d, d.RunID)
		})
	}
}

// The worker dies between the end of one deployment, which admits the next, and the start of the next's workflow.
func TestQueue_TheReconcilerStartsWhatWasAdmitted(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	all, release := s.queue(2)
	require.NoError(t, s.client.TerminateWorkflow(t.Context(), temporal.DeployWorkflowID(all[0].ID), "", "test"))
	release()
	_, err := s.store.Finish(t.Context(), all[0].ID, s.get(all[0]).RunID, deployment.StatusFailed, nil)
	require.NoError(t, err)
	lease := deployment.Resource{Kind: deployment.ResourceLease, Name: all[0].ID, Host: s.host.id, DeploymentID: all[0].ID}
	require.NoError(t, s.store.Disown(t.Context(), lease))
	require.True(t, s.get(all[1]).Due())
	run, _ := s.current(all[1])
	require.Empty(t, run)
	for range 2 {
		_, err := s.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
		require.NoError(t, err)
	}
	s.until(all[1], deployment.StatusReady)
}
