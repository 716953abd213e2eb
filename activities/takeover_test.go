package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// resolves runs a new deploy's first step and returns the deployment as it is then.
func (b *bench) resolves(environment string, force bool) (deployment.Deployment, temporal.ResolveResult) {
	b.t.Helper()
	d, _, err := b.store.CreateDeployment(b.t.Context(), deployment.NewDeployment{Project: b.project, Environment: environment, Force: force})
	require.NoError(b.t, err)
	var resolved temporal.ResolveResult
	require.NoError(b.t, b.run(d, func(ctx workflow.Context) (err error) {
		resolved, err = call[temporal.ResolveResult](ctx, b, b.source.ResolveRef, temporal.StepInput{DeploymentID: d.ID})
		return err
	}))
	return b.get(d), resolved
}

func TestResolveRef_TakesOverWhatWasBuiltFromTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.plan.Fingerprint = "planner"
	planner := func(host, fingerprint string) {
		require.NoError(t, b.store.SeenHost(t.Context(), host, []string{"build"}, 1))
		require.NoError(t, b.store.HasPlanner(t.Context(), host, fingerprint))
	}
	planner("a", "planner")
	built, err := b.builds(b.deploy())
	require.NoError(t, err)

	d, resolved := b.resolves("production", false)
	require.Equal(t, temporal.BuildResult{Image: "app", Digest: built.Digest, Reused: true}, resolved.Built)
	require.Equal(t, b.commit, resolved.Commit)
	require.Equal(t, built.Digest, d.ImageDigest)
	require.NotNil(t, d.Plan)
	require.NotEmpty(t, d.Dockerfile)
	require.Empty(t, d.ReusedFrom, "its image is its own")
	again, resolved := b.resolves("production", false)
	require.Equal(t, built.Digest, resolved.Built.Digest, "also from one that has built nothing itself")
	require.NotEqual(t, d.ID, again.ID)

	none := func(why, environment string, force bool) {
		t.Helper()
		d, resolved := b.resolves(environment, force)
		require.Empty(t, resolved.Built, why)
		require.Empty(t, d.ImageDigest, why)
	}
	none("it was forced", "production", true)
	none("what a build is told of the environment is another", "branch/next", false)
	planner("b", "newer")
	none("a build host would plan otherwise", "production", false)
	planner("b", "planner")
	b.project, err = b.store.Project(t.Context(), b.project.ID) // its production branch is known by now
	require.NoError(t, err)
	settings := b.project
	b.project.Build.Network = deployment.BuildNetworkNone
	b.project, err = b.store.UpdateProject(t.Context(), b.project)
	require.NoError(t, err)
	none("the build has another setting", "production", false)
	b.project.Build, b.project.StartCommand = settings.Build, "node other.js"
	b.project, err = b.store.UpdateProject(t.Context(), b.project)
	require.NoError(t, err)
	none("the plan has another setting", "production", false)
	b.project.StartCommand = ""
	b.project, err = b.store.UpdateProject(t.Context(), b.project)
	require.NoError(t, err)
	_, resolved = b.resolves("production", false)
	require.Equal(t, built.Digest, resolved.Built.Digest, "everything is as it was")
	b.setSecret()
	none("a variable of the build is new", "production", false)
}

func TestResolveRef_BuildsAnewWhatIsGoneFromTheRegistry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.plan.Fingerprint = "planner"
	first := b.deploy()
	_, err := b.builds(first)
	require.NoError(t, err)
	for _, tag := range b.owned(first, deployment.ResourceImageTag) {
		require.NoError(t, b.shelf.Delete(t.Context(), tag))
	}
	d, resolved := b.resolves("production", false)
	require.Empty(t, resolved.Built)
	require.Empty(t, d.ImageDigest)
}
