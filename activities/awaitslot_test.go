package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// resolved is the step that a deployment shows once its ref is resolved.
func (b *bench) resolved(d deployment.Deployment) *deployment.StepNow {
	b.t.Helper()
	require.NoError(b.t, b.run(d, func(ctx workflow.Context) error {
		_, err := call[temporal.ResolveResult](ctx, b, b.source.ResolveRef, temporal.StepInput{DeploymentID: d.ID})
		return err
	}))
	return b.get(d).Step
}

// A deploy is in line for a build slot when its ref is resolved, and so is a retry that has nothing to use again; one that has
// its image is not.
func TestRecorder_WhoeverIsToBuildWaitsForASlot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.deployTo("branch/a")
	require.Equal(t, 1, b.resolved(other).QueuePosition)

	d := b.deploy()
	for range 2 {
		step := b.resolved(d)
		require.Equal(t, "a build slot", step.WaitingFor)
		require.Equal(t, 2, step.QueuePosition)
	}
	require.Equal(t, deployment.StepReused, b.steps(d, deployment.StepResolve)[1].Status)
	require.NoError(t, b.run(d, b.wholeDeploy(d)))
	require.Equal(t, deployment.StatusReady, b.get(d).Status)

	back, err := b.rollBackTo(d)
	require.NoError(t, err)
	require.Empty(t, b.resolved(back).WaitingFor)
}
