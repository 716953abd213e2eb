package activities_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

const baseImage = "registry.example.com/base:1"

// A base image is new until a preview stands on it, of whichever project.
func TestMakePlan_SaysWhetherItsBaseImageIsNew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	planned := func(d deployment.Deployment) (plan, again temporal.PlanResult) {
		require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
			if err := b.upTo(ctx, d, deployment.StepPlan); err != nil {
				return err
			}
			at := temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit}
			if plan, err = call[temporal.PlanResult](ctx, b, b.plan.MakePlan, at); err != nil {
				return err
			}
			again, err = call[temporal.PlanResult](ctx, b, b.plan.MakePlan, at)
			return err
		}))
		return plan, again
	}
	plan, _ := planned(b.deployTo("branch/none"))
	require.False(t, plan.NewBase, "it has none")
	b.planner.base = baseImage
	plan, again := planned(b.deployTo("branch/new"))
	require.True(t, plan.NewBase)
	require.True(t, again.NewBase)
	b.live()
	plan, again = planned(b.deployTo("branch/known"))
	require.False(t, plan.NewBase)
	require.False(t, again.NewBase)
}

// based pushes and pulls the base image of a new deployment.
func (b *bench) based(d deployment.Deployment) (pushed temporal.BuildResult) {
	b.t.Helper()
	b.planner.base = baseImage
	require.NoError(b.t, b.run(d, func(ctx workflow.Context) (err error) {
		if err := b.upTo(ctx, d, deployment.StepBuild); err != nil {
			return err
		}
		at := temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit}
		if pushed, err = call[temporal.BuildResult](ctx, b, b.build.PushBase, at); err != nil {
			return err
		}
		in := temporal.ReleaseInput{DeploymentID: d.ID, Image: pushed.Image, Digest: pushed.Digest}
		_, err = call[none](ctx, b, b.preview.PullBase, in)
		return err
	}))
	return pushed
}

const pulledBase = "localhost:5000/app@"

func TestBase_IsPushedAndPulledWithRowsFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setSecret()
	d := b.deploy()
	b.engine.on("pull", func(context.Context) error {
		b.mustBeOwned(deployment.ResourceBaseImage, pulledBase+digestOf("app"), hostID)
		return nil
	})
	pushed := b.based(d)
	require.Equal(t, temporal.BuildResult{Image: "app", Digest: digestOf("app")}, pushed)
	request := b.builder.solves()[0]
	require.Equal(t, "FROM "+baseImage+"\n", request.Dockerfile)
	require.Regexp(t, `^registry:5000/app:`+d.ID+`-base-[a-z0-9]{8}$`, request.Image)
	require.Empty(t, request.Secrets)
	require.Equal(t, []string{request.Image}, b.owned(d, deployment.ResourceImageTag))
	require.Equal(t, []string{pulledBase + digestOf("app")}, b.owned(d, deployment.ResourceBaseImage))
	require.Zero(t, b.builder.busy)
	require.Empty(t, b.steps(d, deployment.StepRelease), "people see no step of it")
}

func TestBase_OfADeployThatEndsIsRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	pushed := b.based(d)
	b.engine.images = []string{pulledBase + pushed.Digest, "localhost:5000/app@" + digestOf("other")}
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		_, err := call[none](ctx, b, b.preview.RemovePreview, temporal.CleanUpInput{DeploymentID: d.ID})
		return err
	}))
	require.Equal(t, []string{"localhost:5000/app@" + digestOf("other")}, b.engine.images)
	require.Empty(t, b.owned(d, deployment.ResourceBaseImage))
}

// An engine that finishes the pull after the removal: the row stays until the image is seen to be gone.
func TestBase_IsLookedForAfterItsRemoval(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	image := pulledBase + b.based(d).Digest
	b.engine.bases = map[string]string{image: d.ID}
	b.engine.on("after image", once(func(context.Context) error { b.engine.images = []string{image}; return nil }))
	in := temporal.CleanUpInput{DeploymentID: d.ID}
	require.ErrorContains(t, b.preview.RemovePreview(t.Context(), in), "is there again")
	require.Equal(t, []string{image}, b.owned(d, deployment.ResourceBaseImage))
	require.NoError(t, b.preview.RemovePreview(t.Context(), in))
	require.Empty(t, b.engine.images)
	require.Empty(t, b.owned(d, deployment.ResourceBaseImage))
}

// What is live has its own image, whose layers these are.
func TestBase_OfWhatIsLiveIsSwept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.planner.base = baseImage
	d := b.live()
	name := pulledBase + digestOf("base")
	require.NoError(t, b.store.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceBaseImage, Name: name, Host: hostID, DeploymentID: d.ID, RunID: d.RunID}))
	require.NoError(t, b.workspaces.Remove(d.ID)) // which this bench does not vacate
	b.engine.images = []string{name}
	s := b.sweeper(hostID)
	s.Age = time.Hour
	_, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{name}, b.engine.images, "it has just ended")
	s.Age = 0
	_, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Empty(t, b.engine.images)
	require.Empty(t, b.owned(d, deployment.ResourceBaseImage))
	require.Len(t, b.engine.running(), 1)
}

func TestBase_GoesWithItsProject(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	name := pulledBase + digestOf("base")
	require.NoError(t, b.store.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceBaseImage, Name: name, Host: hostID, DeploymentID: d.ID, RunID: d.RunID}))
	b.engine.images = []string{name}
	m := b.removal(deployment.Scope{ProjectID: b.project.ID})
	require.NoError(t, m.pass(t.Context()))
	m.requireGone(d)
	require.Empty(t, b.engine.images)
}

// An engine that finishes a pull after its row was given up: it goes with what has ended, and with nothing else.
func TestBase_WithoutARowIsSwept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	over, building := b.live(), b.deployTo("branch/x")
	owned := pulledBase + digestOf("owned")
	require.NoError(t, b.store.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceBaseImage, Name: owned, Host: "another", DeploymentID: over.ID}))
	require.NoError(t, b.workspaces.Remove(over.ID)) // which this bench does not vacate
	b.engine.bases = map[string]string{
		pulledBase + "over": over.ID, pulledBase + "building": building.ID, owned: over.ID, pulledBase + "foreign": uuid.NewString(),
	}
	b.engine.images = slices.Sorted(maps.Keys(b.engine.bases))
	s := b.sweeper(hostID)
	swept, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{pulledBase + "building", owned, pulledBase + "foreign"}, b.engine.images)
	require.Positive(t, swept)
}
