package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// again takes the steps up to the release another time, as a retry does, and says which of them used again what there was.
func (b *bench) again(d deployment.Deployment) (resolved temporal.ResolveResult, planned temporal.PlanResult, built temporal.BuildResult) {
	b.t.Helper()
	step, at := temporal.StepInput{DeploymentID: d.ID}, temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit}
	require.NoError(b.t, b.run(d, func(ctx workflow.Context) (err error) {
		if resolved, err = call[temporal.ResolveResult](ctx, b, b.source.ResolveRef, step); err != nil {
			return err
		}
		if _, err = call[none](ctx, b, b.source.FetchSource, at); err != nil {
			return err
		}
		if planned, err = call[temporal.PlanResult](ctx, b, b.plan.MakePlan, at); err != nil {
			return err
		}
		built, err = call[temporal.BuildResult](ctx, b, b.build.BuildImage, b.buildInput(d))
		return err
	}))
	return resolved, planned, built
}

func TestSteps_UseAgainWhatTheSameInputMade(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret := []deployment.EnvVar{{Name: "KEY", Value: "one", Target: deployment.TargetBuild}}
	require.NoError(t, b.store.ReplaceEnvVars(t.Context(), deployment.Scope{ProjectID: b.project.ID}, secret))
	d := b.deploy()
	resolved, planned, built := b.again(d)
	require.False(t, resolved.Reused || planned.Reused || built.Reused)
	first := built.Digest

	resolved, planned, built = b.again(d)
	require.True(t, resolved.Reused && planned.Reused && built.Reused)
	require.Equal(t, first, built.Digest)
	require.Len(t, b.builder.solves(), 1)
	run := b.get(d).RunID
	for _, name := range []deployment.StepName{deployment.StepResolve, deployment.StepPlan, deployment.StepBuild} {
		steps := b.steps(d, name)
		require.Equal(t, deployment.StepReused, steps[len(steps)-1].Status, name)
		require.Equal(t, run, steps[len(steps)-1].RunID)
	}

	secret[0].Value = "two"
	require.NoError(t, b.store.ReplaceEnvVars(t.Context(), deployment.Scope{ProjectID: b.project.ID}, secret))
	resolved, planned, built = b.again(d)
	require.True(t, resolved.Reused && planned.Reused, "of a secret the plan has only the name")
	require.False(t, built.Reused)

	p, err := b.store.Project(t.Context(), b.project.ID)
	require.NoError(t, err)
	p.BuildCommand = "make"
	_, err = b.store.UpdateProject(t.Context(), p)
	require.NoError(t, err)
	resolved, planned, _ = b.again(d)
	require.True(t, resolved.Reused)
	require.False(t, planned.Reused)

	for _, tag := range b.shelf.tags() {
		require.NoError(t, b.shelf.Delete(t.Context(), tag))
	}
	_, planned, built = b.again(d)
	require.True(t, planned.Reused)
	require.False(t, built.Reused, "the registry has it no more")
}

// The run that takes over may sweep before there is anything to sweep: whoever makes a thing then takes it away again.
func TestReleasePreview_OfAStaleRunLeavesNoContainer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.engine.on("after start", func(ctx context.Context) error {
		_, err := b.pool.Exec(ctx, "DELETE FROM resources WHERE kind = 'container'") // as that run's sweep
		require.NoError(t, err)
		return b.takeOver(ctx, d, "newer")
	})
	err := b.run(d, func(ctx workflow.Context) error {
		if err := b.upTo(ctx, d, deployment.StepRelease); err != nil {
			return err
		}
		_, err := call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(d))
		return err
	})
	require.True(t, activities.IsType(err, activities.ErrTypeStaleRun), "%v", err)
	require.Empty(t, b.engine.running())
	require.Equal(t, "newer", b.get(d).RunID)
}

// A reset of a deploy whose project has been deleted ends at once: nothing could record its end.
func TestEnter_WithoutItsRows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	err := b.run(deployment.Deployment{ID: someDeployment}, func(ctx workflow.Context) error {
		_, err := call[temporal.CloseResult](ctx, b, b.control.CloseDeployment, temporal.CloseInput{DeploymentID: someDeployment})
		return err
	})
	require.True(t, activities.IsType(err, activities.ErrTypeStaleRun), "%v", err)
}

// The sweeper takes what belongs to another run: a checkout that is here already is made this run's first.
func TestFetchSource_OwnsACheckoutThatIsHere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	for range 2 {
		require.NoError(t, b.run(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepPlan) }))
		owned, err := b.store.Owned(t.Context(), d.ID, hostID, deployment.ResourceWorkspace)
		require.NoError(t, err)
		require.Equal(t, b.get(d).RunID, owned[0].RunID)
	}
	left, err := b.store.LeftOver(t.Context(), hostID, 0, 0)
	require.NoError(t, err)
	require.Empty(t, left)
}
