package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

func (b *bench) undone(d deployment.Deployment) (kinds []deployment.ResourceKind) {
	b.t.Helper()
	receipt, err := b.store.Receipt(b.t.Context(), d.ID)
	require.NoError(b.t, err)
	for _, u := range receipt {
		require.NotEmpty(b.t, u.Name)
		require.Equal(b.t, hostID, u.Host)
		kinds = append(kinds, u.Kind)
	}
	return kinds
}

// A clean-up that dies between the removal and its record, and then runs twice, writes each line once.
func TestReceipt_OfACanceledRelease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.preview.StopGrace = time.Minute
	b.engine.on("probe", func(context.Context) error { return deployment.UserFailure("release.unhealthy", "", "exit 1") })
	b.engine.on("owned", once(die))
	var closed temporal.CloseResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.wholeDeploy(d)(ctx); err == nil {
			return deployment.ErrInvalidMove
		}
		for range 2 {
			in := temporal.CleanUpInput{DeploymentID: d.ID, Canceled: true}
			if _, err := call[none](ctx, b, b.preview.RemovePreview, in); err != nil {
				return err
			}
		}
		in := temporal.CloseInput{DeploymentID: d.ID, Outcome: deployment.StatusCanceled}
		var err error
		closed, err = call[temporal.CloseResult](ctx, b, b.control.CloseDeployment, in)
		return err
	}))
	require.Equal(t, []deployment.ResourceKind{deployment.ResourceContainer, deployment.ResourceNetwork}, b.undone(d))
	require.Len(t, closed.Receipt, 2, "for people who look at Temporal alone")
	require.Equal(t, []time.Duration{0, 0}, b.engine.graces, "nobody waits for an app that never was live, the second look included")
}

func TestReceipt_NoLineForWhatIsStillThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.engine.on("probe", func(context.Context) error { return deployment.UserFailure("release.unhealthy", "", "exit 1") })
	var gone string
	b.engine.on("owned", func(context.Context) error { b.engine.add(gone); return nil }) // it comes back each time
	err := b.run(d, func(ctx workflow.Context) error {
		if err := b.wholeDeploy(d)(ctx); err == nil {
			return deployment.ErrInvalidMove
		}
		gone = b.engine.running()[0]
		_, err := call[none](ctx, b, b.preview.RemovePreview, temporal.CleanUpInput{DeploymentID: d.ID, Canceled: true})
		return err
	})
	require.True(t, activities.IsType(err, "teardown.still_there"), "%v", err)
	require.Empty(t, b.undone(d))
	require.NotEmpty(t, b.owned(d, deployment.ResourceContainer), "the ledger goes on to know it")
}

func TestReceipt_OfACanceledSolve(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		look error
		want []deployment.ResourceKind
	}{
		"ended":               {nil, []deployment.ResourceKind{deployment.UndoneSolve}},
		"builder cannot tell": {errors.New("builder is away"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.deploy()
			solving := make(chan struct{})
			b.builder.on("look up", func(context.Context) error { return c.look })
			b.builder.on("before push", func(ctx context.Context) error {
				close(solving)
				<-ctx.Done()
				return ctx.Err()
			})
			run := b.start(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepRelease) })
			<-solving
			require.NoError(t, b.client.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			require.Error(t, run.Get(t.Context(), nil))
			require.Equal(t, c.want, b.undone(d))
		})
	}
}
