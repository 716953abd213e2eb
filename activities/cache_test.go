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

// newCacheBench is a bench whose builds have steps to be kept.
func newCacheBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.build.RegistryCache = true
	b.builder.figures = deployment.BuildFigures{Steps: 4, Cached: 1}
	return b
}

// exported builds a deployment's image, does what changes then, and keeps its steps.
func (b *bench) exported(d deployment.Deployment, meanwhile func()) (result temporal.ExportResult, err error) {
	b.t.Helper()
	err = b.run(d, func(ctx workflow.Context) (err error) {
		if err := b.upTo(ctx, d, deployment.StepRelease); err != nil {
			return err
		}
		if meanwhile != nil {
			meanwhile()
		}
		in := temporal.ExportInput{DeploymentID: d.ID, Commit: b.commit, Builder: builderAddress}
		result, err = call[temporal.ExportResult](ctx, b, b.build.ExportCache, in)
		return err
	})
	return result, err
}

// keeps has the registry keep a cache of a deployment.
func (b *bench) keeps(d deployment.Deployment) {
	b.t.Helper()
	require.NoError(b.t, b.store.Own(b.t.Context(), deployment.Resource{Kind: deployment.ResourceCacheTag, Name: cacheTag(d), DeploymentID: d.ID}))
	b.shelf.push(cacheTag(d), digestOf("cache"))
}

func cacheTag(d deployment.Deployment) string { return "registry:5000/app:" + d.ID + "-cache" }

func TestExportCache_TheNextBuildBeginsWithWhatIsKept(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	b.setSecret()
	first := b.deploy()
	b.inLine(first)
	second := b.deploy()
	result, err := b.exported(first, nil)
	require.NoError(t, err)
	require.Equal(t, temporal.ExportResult{Tag: cacheTag(first)}, result)
	solves := b.builder.solves()
	require.Empty(t, solves[0].CacheFrom, "nothing was kept yet")
	require.Empty(t, solves[0].CacheTo, "the build itself keeps nothing, which would take time")
	export := solves[1]
	require.Equal(t, deployment.OutputNone, export.Output.Kind)
	require.Equal(t, cacheTag(first), export.CacheTo)
	require.Equal(t, solves[0].Secrets, export.Secrets, "or its steps would not be those of the build")
	require.NotEqual(t, solves[0].Ref, export.Ref)

	_, err = b.exported(second, nil)
	require.NoError(t, err)
	solves = b.builder.solves()
	require.Equal(t, []string{"registry:5000/app@" + digestOf("cache")}, solves[2].CacheFrom)
	require.Empty(t, solves[3].CacheFrom)
	require.Empty(t, b.owned(first, deployment.ResourceCacheTag))
	require.NotContains(t, b.shelf.tags(), cacheTag(first), "the newest is enough")
	require.Equal(t, []string{cacheTag(second)}, b.owned(second, deployment.ResourceCacheTag))
}

func TestExportCache_OnlyProductionsNewStepsAreToBeKept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arrange     func(*bench)
		environment string
		want        string
	}{
		"production":                      {want: builderAddress},
		"a branch":                        {environment: "branch/x"},
		"all from cache":                  {arrange: func(b *bench) { b.keeps(b.deployTo("branch/y")); b.builder.figures.Cached = b.builder.figures.Steps }},
		"all from cache, nothing is kept": {arrange: func(b *bench) { b.builder.figures.Cached = b.builder.figures.Steps }, want: builderAddress},
		"an installation without":         {arrange: func(b *bench) { b.build.RegistryCache = false }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newCacheBench(t)
			if test.arrange != nil {
				test.arrange(b)
			}
			d := b.deploy()
			if test.environment != "" {
				d = b.deployTo(test.environment)
			}
			built, err := b.builds(d)
			require.NoError(t, err)
			require.Equal(t, test.want, built.CachedOn)
		})
	}
}

func TestBuildImage_ABranchBeginsWithProductionsSteps(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	_, err := b.exported(b.deploy(), nil)
	require.NoError(t, err)
	branch := b.deployTo("branch/x")
	_, err = b.builds(branch)
	require.NoError(t, err)
	require.Len(t, b.builder.solves()[2].CacheFrom, 1)
	forced, _, err := b.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: b.project, Environment: "branch/y", Force: true})
	require.NoError(t, err)
	_, err = b.builds(forced)
	require.NoError(t, err)
	require.Empty(t, b.builder.solves()[3].CacheFrom)
}

// A cache stays where it was pushed when the project gets another name, and the next export replaces it all the same.
func TestExportCache_OfAProjectThatIsRenamed(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	before := b.deployTo("branch/before")
	old := deployment.Resource{Kind: deployment.ResourceCacheTag, Name: "registry:5000/zoo:" + before.ID + "-cache", DeploymentID: before.ID}
	require.NoError(t, b.store.Own(t.Context(), old))
	b.shelf.push(old.Name, digestOf("old"))
	d := b.deploy()
	_, err := b.exported(d, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"registry:5000/zoo@" + digestOf("old")}, b.builder.solves()[0].CacheFrom)
	require.Empty(t, b.owned(before, deployment.ResourceCacheTag))
	require.NotContains(t, b.shelf.tags(), old.Name)
	require.Equal(t, []string{cacheTag(d)}, b.owned(d, deployment.ResourceCacheTag))
}

// A layer that is lost below a cache fails the step that needs it, each time.
func TestBuildImage_ASecondAttemptTakesNoCache(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	b.keeps(b.deployTo("branch/x"))
	var from []int
	b.builder.on("before push", func(context.Context) error {
		if from = append(from, len(b.builder.asked().CacheFrom)); len(from) == 1 {
			return deployment.PlatformFailure("build.failed", "", "blob not found")
		}
		return nil
	})
	_, err := b.builds(b.deploy())
	require.NoError(t, err)
	require.Equal(t, []int{1, 0}, from)
}

func TestBuildImage_ARegistryThatDoesNotAnswerForItsCacheHoldsNothingUp(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	_, err := b.exported(b.deploy(), nil)
	require.NoError(t, err)
	b.shelf.on("digest", func(context.Context) error { return context.DeadlineExceeded })
	branch := b.deployTo("branch/x")
	_, err = b.builds(branch)
	require.NoError(t, err)
	require.Contains(t, b.log(branch), "the registry's cache is not used: context deadline exceeded")
}

// The steps would run again, with other values than those that the image was built with.
func TestExportCache_AVariableThatHasChangedLeavesIt(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	d := b.deploy()
	result, err := b.exported(d, func() {
		err := b.store.MergeEnvVars(t.Context(), d.Scope(), []deployment.EnvVar{{Name: "TOKEN", Value: "other", Target: deployment.TargetBuild}})
		require.NoError(t, err)
	})
	require.NoError(t, err)
	require.Contains(t, result.Skipped, "changed")
	require.Len(t, b.builder.solves(), 1)
	require.Empty(t, b.owned(d, deployment.ResourceCacheTag))
}

func TestExportCache_OneAtATime(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	d := b.deploy()
	var second temporal.ExportResult
	b.builder.on("keep", once(func(ctx context.Context) (err error) {
		second, err = b.build.ExportCache(ctx, temporal.ExportInput{DeploymentID: d.ID, Commit: b.commit, Builder: builderAddress})
		return err
	}))
	first, err := b.exported(d, nil)
	require.NoError(t, err)
	require.NotEmpty(t, first.Tag)
	require.Contains(t, second.Skipped, "another build")
}

// What a step says is in the failure, and may be a secret.
func TestExportCache_AFailureTellsItsCodeAlone(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	b.setSecret()
	b.builder.on("keep", func(context.Context) error {
		f := deployment.UserFailure("build.command_failed", "read the last lines", "RUN %s", secret)
		f.Lines = []string{secret}
		return f
	})
	d := b.deploy()
	_, err := b.exported(d, nil)
	failure := activities.Failure(err, "")
	require.Equal(t, "build.cache_not_kept", failure.Code)
	require.Contains(t, failure.Message, "build.command_failed")
	require.NotContains(t, b.historyOf(d), secret)
	require.Equal(t, []string{cacheTag(d)}, b.owned(d, deployment.ResourceCacheTag), "the tag may be there")
}

// Nothing is kept when each attempt dies with the row written: the next build begins without, and its export removes the row.
func TestExportCache_KilledBetweenTheRowAndTheTag(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	b.builder.on("keep", die)
	first := b.deploy()
	b.inLine(first)
	second := b.deploy()
	_, err := b.exported(first, nil)
	require.Error(t, err)
	require.Equal(t, []string{cacheTag(first)}, b.owned(first, deployment.ResourceCacheTag))
	require.NotContains(t, b.shelf.tags(), cacheTag(first))
	b.builder.on("keep", nil)
	_, err = b.exported(second, nil)
	require.NoError(t, err)
	require.Empty(t, b.builder.solves()[1].CacheFrom)
	require.Empty(t, b.owned(first, deployment.ResourceCacheTag))
}

func TestExportCache_OfAProjectThatWasDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	b := newCacheBench(t)
	d := b.deploy()
	b.builder.on("keep", func(ctx context.Context) error {
		_, err := b.store.Delete(ctx, deployment.Scope{ProjectID: b.project.ID})
		return err
	})
	_, err := b.exported(d, nil)
	require.NoError(t, err)
	require.NotContains(t, b.shelf.tags(), cacheTag(d))
	require.Empty(t, b.owned(d, deployment.ResourceCacheTag))
}

func TestVacateHost_LeavesAWorkspaceThatIsNeededForLonger(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if _, err := call[temporal.ClaimResult](ctx, b, b.slots.ClaimHost, temporal.StepInput{DeploymentID: d.ID}); err != nil {
			return err
		}
		if err := b.upTo(ctx, d, deployment.StepPlan); err != nil {
			return err
		}
		_, err := call[none](ctx, b, b.slots.VacateHost, temporal.CleanUpInput{DeploymentID: d.ID, KeepWorkspace: true})
		return err
	}))
	require.Empty(t, b.owned(d, deployment.ResourceLease))
	require.Equal(t, []string{d.ID}, b.owned(d, deployment.ResourceWorkspace))
	_, err := b.workspaces.Open(d.ID, b.commit)
	require.NoError(t, err)
}
