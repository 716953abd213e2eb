package worker_test

import (
	"context"
	"testing"

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
		_, err := s.reconciler().Repair(t.Context())
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
