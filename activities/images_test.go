package activities_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// liveWith is a deployment that is live with an image of its own.
func (b *bench) liveWith(digest string) deployment.Deployment {
	b.t.Helper()
	d := b.deploy()
	require.NoError(b.t, b.run(d, b.wholeDeploy(d)))
	tag := b.owned(d, deployment.ResourceImageTag)[0]
	b.shelf.push(tag, digest)
	_, err := b.pool.Exec(b.t.Context(), "UPDATE deployments SET image_digest = $2 WHERE id = $1", d.ID, digest)
	require.NoError(b.t, err)
	return b.get(d)
}

func (b *bench) rollBackTo(d deployment.Deployment) (deployment.Deployment, error) {
	back, _, err := b.store.CreateDeployment(b.t.Context(), deployment.NewDeployment{
		Project: b.project, Environment: d.Environment, Reuse: &deployment.Reuse{From: d.ID},
	})
	return back, err
}

func TestRepair_RemovesImagesThatNothingNeeds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second, third := b.liveWith(digestOf("1")), b.liveWith(digestOf("2")), b.liveWith(digestOf("3"))
	r := b.reconciler()
	r.Keep = activities.Keep{Images: 2}
	r.Ledger = &mortal{Ledger: b.store}
	for _, d := range []deployment.Deployment{first, second} { // as the drain of each, which this bench has not
		require.NoError(t, b.store.SetPreviewState(t.Context(), d.ID, deployment.PreviewStopped))
	}

	result, err := r.Repair(t.Context(), temporal.ReconcileInput{})
	require.ErrorContains(t, err, "died with the row of a image_tag")
	require.Zero(t, result.Images)
	require.Len(t, b.owned(first, deployment.ResourceImageTag), 1, "the tag is gone, its row is not yet")
	require.Len(t, b.shelf.tags(), 2)
	result, err = r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, temporal.ReconcileResult{Images: 1}, result)
	require.Empty(t, b.owned(first, deployment.ResourceImageTag))
	for _, kept := range []deployment.Deployment{second, third} {
		require.Contains(t, strings.Join(b.shelf.tags(), " "), kept.ID)
	}
	result, err = r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Zero(t, result, "a further pass finds nothing")
	_, err = b.rollBackTo(first)
	require.ErrorIs(t, err, deployment.ErrImageRemoved)
}

// A rollback that failed may be retried when its image was given up meanwhile: it is not begun with what is about to go.
func TestReuse_OfAnImageThatIsGoing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.liveWith(digestOf("1"))
	b.liveWith(digestOf("2"))
	d, err := b.rollBackTo(first)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), "UPDATE deployments SET image_removed_at = now() WHERE id = $1", d.ID)
	require.NoError(t, err)
	err = b.run(d, func(ctx workflow.Context) error {
		_, err := call[temporal.ResolveResult](ctx, b, b.source.ResolveRef, temporal.StepInput{DeploymentID: d.ID})
		return err
	})
	require.ErrorContains(t, err, "is gone from the registry")
}

func TestBuild_UsesNoImageAgainThatIsGoing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	_, _, built := b.again(d)
	require.False(t, built.Reused)
	_, err := b.pool.Exec(t.Context(), "UPDATE deployments SET image_removed_at = now()")
	require.NoError(t, err)
	resolved, _, built := b.again(d)
	require.False(t, built.Reused)
	require.Empty(t, resolved.Built, "no retry goes on from it")
	require.Nil(t, b.get(d).ImageRemovedAt)
	_, _, built = b.again(d)
	require.True(t, built.Reused)
}

func TestTeardown_LeavesPromotedImages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	production := b.live()
	branch, _, err := b.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: b.project, Environment: "branch/cart"})
	require.NoError(t, err)
	require.NoError(t, b.run(branch, b.wholeDeploy(branch)))
	b.shelf.push(b.owned(branch, deployment.ResourceImageTag)[0], digestOf("cart"))
	_, err = b.pool.Exec(t.Context(), "UPDATE deployments SET image_digest = $2 WHERE id = $1", branch.ID, digestOf("cart"))
	require.NoError(t, err)
	_, _, err = b.store.CreateDeployment(t.Context(), deployment.NewDeployment{
		Project: b.project, Environment: "production", Reuse: &deployment.Reuse{From: branch.ID},
	})
	require.NoError(t, err)
	require.NoError(t, b.removal(branch.Scope()).pass(context.Background()))
	require.Len(t, b.shelf.tags(), 2)
	require.Equal(t, deployment.StatusReady, b.get(production).Status)
}
