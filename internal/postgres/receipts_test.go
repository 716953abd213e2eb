package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestReceiptHoldsWhatACancelUndid(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	thing := func(kind deployment.ResourceKind) deployment.Resource {
		return deployment.Resource{Kind: kind, Name: d.ID, Host: "host-1", DeploymentID: d.ID, RunID: "run-1"}
	}
	lease, workspace, container := thing(deployment.ResourceLease), thing(deployment.ResourceWorkspace), thing(deployment.ResourceContainer)
	for _, r := range []deployment.Resource{lease, workspace, container} {
		require.NoError(t, b.Own(t.Context(), r))
	}
	require.NoError(t, b.Gone(t.Context(), lease, time.Second))
	receipt, err := b.Receipt(t.Context(), d.ID)
	require.NoError(t, err)
	require.Empty(t, receipt, "what goes in the course of a deploy is no cancel's doing")

	_, err = b.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	attempt := deployment.StepAttempt{DeploymentID: d.ID, RunID: "run-1", Host: "host-1"}
	taken := container
	taken.RunID = "run-2"
	for range 2 {
		require.NoError(t, b.SolveEnded(t.Context(), attempt, "ref", time.Second))
		require.NoError(t, b.Gone(t.Context(), workspace, 20*time.Millisecond))
		require.NoError(t, b.Gone(t.Context(), taken, time.Second), "another run's")
	}
	receipt, err = b.Receipt(t.Context(), d.ID)
	require.NoError(t, err)
	require.Len(t, receipt, 2, "each once: %v", receipt)
	require.Equal(t, "solve ref ended, workspace "+d.ID+" removed", receipt.String())
	require.Equal(t, []int64{1000, 20}, []int64{receipt[0].TookMS, receipt[1].TookMS})
	owned, err := b.Owned(t.Context(), d.ID, "")
	require.NoError(t, err)
	require.Equal(t, []deployment.Resource{container}, owned)
	_, err = b.Receipt(t.Context(), "no id")
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestGone_OfAContainerEndsItsPreview(t *testing.T) {
	t.Parallel()
	for state, ended := range map[deployment.PreviewState]deployment.PreviewState{
		deployment.PreviewStarting: deployment.PreviewFailed, deployment.PreviewLive: deployment.PreviewStopped,
	} {
		b := newBench(t)
		d := b.deploy(b.project("app"), "production")
		container := deployment.Resource{Kind: deployment.ResourceContainer, Name: "c", Host: "host-1", DeploymentID: d.ID}
		require.NoError(t, b.Own(t.Context(), container))
		require.NoError(t, b.SetPreview(t.Context(), d.RunID, deployment.Preview{DeploymentID: d.ID, Host: "host-1", Container: "c", Address: "10.0.0.2:80", State: state}))
		other := container
		other.Name = "b" // of an earlier attempt
		require.NoError(t, b.Own(t.Context(), other))
		require.NoError(t, b.Gone(t.Context(), other, 0))
		requireState(t, b, d, state)
		require.NoError(t, b.Gone(t.Context(), container, 0))
		requireState(t, b, d, ended)
	}
}

func requireState(t *testing.T, b bench, d deployment.Deployment, state deployment.PreviewState) {
	t.Helper()
	route, err := b.Route(t.Context(), d.PreviewHost)
	require.NoError(t, err)
	require.Equal(t, state, route.State)
}
