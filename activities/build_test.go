package activities_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// builds runs a deploy up to and with its build.
func (b *bench) builds(d deployment.Deployment) (built temporal.BuildResult, err error) {
	b.t.Helper()
	err = b.run(d, func(ctx workflow.Context) (err error) {
		if err := b.upTo(ctx, d, deployment.StepBuild); err != nil {
			return err
		}
		built, err = call[temporal.BuildResult](ctx, b, b.build.BuildImage, b.buildInput(d))
		return err
	})
	return built, err
}

func TestBuildImage_ThePlansFrontendBuildsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.planner.frontend = "example.com/frontend:1"
	d := b.deploy()
	_, err := b.builds(d)
	require.NoError(t, err)
	request := b.builder.solves()[0]
	require.Equal(t, "example.com/frontend:1", request.Frontend)
	require.Contains(t, b.log(d), "built by example.com/frontend:1, from the native plan above")
}

func TestBuildImage_ATagOfThisAttemptAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setSecret()
	d := b.deploy()
	built, err := b.builds(d)
	require.NoError(t, err)
	require.Equal(t, temporal.BuildResult{Image: "app", Digest: digestOf("app")}, built)
	request := b.builder.solves()[0]
	require.Regexp(t, `^registry:5000/app:`+d.ID+`-1-[a-z0-9]{8}$`, request.Image)
	require.Equal(t, []string{request.Image}, b.owned(d, deployment.ResourceImageTag))
	require.Equal(t, request.Image, "registry:5000/app:"+request.Ref, "the ref is the tag, to find one by the other")
	require.Equal(t, secret, request.Secrets["TOKEN"])
	require.Equal(t, b.commit, request.Variables["SLIPWAY_COMMIT"])
	require.Equal(t, "production", request.Secrets["SLIPWAY_ENVIRONMENT"], "it counts in the cache key")
	require.False(t, request.NoCache)
	require.NotContains(t, fmt.Sprint(request.Labels), secret)
	require.Equal(t, digestOf("app"), b.get(d).ImageDigest)
	require.Equal(t, []string{b.project.ID}, b.builder.projects, "its cache is where the project's is")
	require.Zero(t, b.builder.busy)
}

func TestBuildImage_ForcedBuildsWithoutCache(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, _, err := b.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: b.project, Environment: "production", Force: true})
	require.NoError(t, err)
	_, err = b.builds(d)
	require.NoError(t, err)
	require.True(t, b.builder.solves()[0].NoCache)
}

func TestBuildImage_KeepsToTheProjectsSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.project.Build = deployment.BuildSettings{
		Network: deployment.BuildNetworkNone, Provenance: deployment.ProvenanceMax, SBOM: true, Reproducible: true,
	}.WithDefaults()
	var err error
	b.project, err = b.store.UpdateProject(t.Context(), b.project)
	require.NoError(t, err)
	b.build.SBOMScanner = "example.com/scanner:1"
	_, err = b.builds(b.deploy())
	require.NoError(t, err)
	r := b.builder.solves()[0]
	require.Equal(t, []any{deployment.BuildNetworkNone, deployment.ProvenanceMax, "example.com/scanner:1", true}, []any{r.Network, r.Provenance, r.SBOMScanner, r.Reproducible})
	require.False(t, r.Committed.IsZero())
	require.Equal(t, map[string]string{
		"slipway.project": b.project.ID, "org.opencontainers.image.source": b.project.RepoURL, "org.opencontainers.image.revision": b.commit,
		"org.opencontainers.image.created": r.Committed.UTC().Format(time.RFC3339),
	}, r.Labels)
}

func TestBuildImage_FindsWhatTheBuildersHistoryHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.builder.on("before push", once(func(context.Context) error {
		b.beats.waitHeard(2)
		last := b.owned(d, deployment.ResourceImageTag)[0]
		// Solved and pushed, then the tag was moved away by somebody: the history alone knows.
		b.builder.finished[last[len("registry:5000/app:"):]] = digestOf("app")
		b.shelf.push("registry:5000/app:elsewhere", digestOf("app"))
		panic("died")
	}))
	built, err := b.builds(d)
	require.NoError(t, err)
	require.True(t, built.Reused)
	require.Empty(t, b.builder.solves())
	require.Len(t, b.builder.looked, 1)
}

// An attempt that died after its push has built from what was set then.
func TestBuildImage_BuildsAgainWhenAVariableHasChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.builder.on("after push", once(func(ctx context.Context) error {
		b.beats.waitHeard(2)
		require.NoError(t, b.store.MergeEnvVars(ctx, d.Scope(), []deployment.EnvVar{{Name: "TOKEN", Value: "other", Target: deployment.TargetBuild}}))
		panic("died")
	}))
	built, err := b.builds(d)
	require.NoError(t, err)
	require.False(t, built.Reused)
	require.Len(t, b.builder.solves(), 2)
	require.Equal(t, "other", b.builder.solves()[1].Secrets["TOKEN"])
}

func TestBuildImage_BuildsAgainWhatIsNotThereAnyMore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	var again temporal.BuildResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
		if err := b.upTo(ctx, d, deployment.StepRelease); err != nil {
			return err
		}
		if err := b.shelf.Delete(b.t.Context(), b.shelf.tags()[0]); err != nil {
			return err
		}
		again, err = call[temporal.BuildResult](ctx, b, b.build.BuildImage, b.buildInput(d))
		return err
	}))
	require.False(t, again.Reused)
	require.Len(t, b.builder.solves(), 2)
}

func TestBuildImage_TimeoutIsTheUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.project.BuildTimeoutSeconds = 1
	_, err := b.store.UpdateProject(t.Context(), b.project)
	require.NoError(t, err)
	d := b.deploy()
	b.builder.say = func(sink deployment.BuildSink) {
		for i := range deployment.MaxFailureLines + 5 {
			sink.Line(deployment.StreamStdout, fmt.Sprintf("line %d", i))
		}
	}
	b.builder.on("after push", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	_, err = b.builds(d)
	failure := activities.Failure(err, "")
	require.Equal(t, deployment.ClassUser, failure.Class, "%v", err)
	require.Equal(t, "build.timeout", failure.Code)
	require.Contains(t, failure.Message, "1s")
	require.Len(t, failure.Lines, deployment.MaxFailureLines)
	require.Equal(t, fmt.Sprintf("line %d", deployment.MaxFailureLines+4), failure.Lines[deployment.MaxFailureLines-1])
	require.Len(t, b.steps(d, deployment.StepBuild), 1, "it is not tried again")
}

func TestBuildImage_WithoutItsWorkspace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	err := b.run(d, func(ctx workflow.Context) error {
		if err := b.upTo(ctx, d, deployment.StepBuild); err != nil {
			return err
		}
		if err := b.workspaces.Remove(d.ID); err != nil {
			return err
		}
		_, err := call[temporal.BuildResult](ctx, b, b.build.BuildImage, b.buildInput(d))
		return err
	})
	require.True(t, activities.IsType(err, activities.ErrTypeWorkspaceGone), "%v", err)
	require.Len(t, b.steps(d, deployment.StepBuild), 1, "the segment starts again, not the attempt")
}
