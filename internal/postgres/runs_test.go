package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestWritesOfAnotherRunAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run-1")
	plan := &deployment.Plan{Builder: deployment.BuilderNixpacks}
	writes := func(run string) []error {
		return []error{
			b.SetCommit(t.Context(), d.ID, run, "0123456789012345678901234567890123456789", "main"),
			b.SetPlan(t.Context(), d.ID, run, deployment.Planned{Plan: plan, Digest: "sha256:1", Dockerfile: "FROM scratch"}),
			b.AddWarning(t.Context(), d.ID, run, deployment.NewWarning("release.other_port", "", 0, "8080")),
			b.SetImage(t.Context(), d.ID, run, deployment.BuiltImage{Image: "registry/app", Digest: "sha256:2", Input: "sha256:3"}),
		}
	}
	for _, err := range writes("run-1") {
		require.NoError(t, err)
	}
	require.NoError(t, b.begin(d, "run-2"))
	for _, err := range writes("run-1") {
		require.ErrorIs(t, err, deployment.ErrStaleRun)
	}
	_, err := b.Finish(t.Context(), d.ID, "run-1", deployment.StatusFailed, nil)
	require.ErrorIs(t, err, deployment.ErrStaleRun)
	_, err = b.Finish(t.Context(), d.ID, "run-2", deployment.StatusFailed, nil)
	require.NoError(t, err)
	for _, err := range writes("run-2") {
		require.ErrorIs(t, err, deployment.ErrStaleRun, "it has ended")
	}
}

func TestAddWarning_OncePerCode(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]*deployment.Plan{
		"without a plan": nil, "a plan without warnings": {}, "a plan with one": {Warnings: []deployment.Warning{deployment.NewWarning("version.eol", "a", 1, "old")}},
	} {
		b := newBench(t)
		d := b.running(name)
		var before []deployment.Warning
		if plan != nil {
			before = plan.Warnings
			require.NoError(t, b.SetPlan(t.Context(), d.ID, name, deployment.Planned{Plan: plan}))
		}
		w := deployment.NewWarning("release.other_port", "", 0, "8080")
		for range 2 {
			require.NoError(t, b.AddWarning(t.Context(), d.ID, name, w))
		}
		got, err := b.Deployment(t.Context(), d.ID)
		require.NoError(t, err)
		require.Equal(t, append(before, w), got.Warnings, name)
	}
}

func TestBeginRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run-1")
	begun, err := b.Deployment(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, "run-1", begun.RunID)
	require.NotNil(t, begun.StartedAt)
	require.NoError(t, b.begin(d, "run-1"))
	again, err := b.Deployment(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, begun.StartedAt, again.StartedAt, "the first start counts")
	require.ErrorIs(t, b.BeginRun(t.Context(), d.ID, "run-0", "run-2"), deployment.ErrConflict, "the row names another than was seen")
	require.ErrorIs(t, b.BeginRun(t.Context(), "nope", "", "run-4"), deployment.ErrNotFound)
}

// A run that was reset while it went on: the new one starts over and owes nothing to the old one.
func TestBeginRun_TakesOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run-1")
	lease := deployment.Resource{Kind: deployment.ResourceLease, Name: d.ID, Host: "host-1", DeploymentID: d.ID, RunID: "run-1"}
	for _, status := range []deployment.StepName{deployment.StepFetch, deployment.StepPlan, deployment.StepBuild, deployment.StepRelease} {
		old, run := "old "+string(status), "new "+string(status)
		b.through(d, old, status)
		require.NoError(t, b.Own(t.Context(), lease))
		require.NoError(t, b.begin(d, run))
		stands, err := b.Deployment(t.Context(), d.ID)
		require.NoError(t, err)
		require.Equal(t, deployment.StatusQueued, stands.Status)
		require.Equal(t, run, stands.RunID)
		leases, err := b.OpenLeases(t.Context(), "host-1")
		require.NoError(t, err)
		require.Empty(t, leases, "the slot is free")
		steps, err := b.Steps(t.Context(), d.ID)
		require.NoError(t, err)
		require.Equal(t, deployment.StepLost, steps[len(steps)-1].Status)
		require.ErrorIs(t, b.StepPhase(t.Context(), attempt(d, old, status), time.Now()), deployment.ErrStaleRun)
	}
	_, err := b.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	require.NoError(t, b.begin(d, "run-9"))
	require.Equal(t, deployment.StatusCanceling, b.status(d.ID), "a run that begins while canceling cleans up")
}

func TestThePlanComesBackWithItsDigest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run-1")
	plan := &deployment.Plan{
		Builder: deployment.BuilderNixpacks, Native: []byte(`{"z":1,"a":{"c":[1, 2],"b":"\u0000"}}`), Port: 3000,
		Variables: map[string]string{"NODE_ENV": "production"}, Warnings: []deployment.Warning{{Code: "w", Message: "look"}},
	}
	digest, err := plan.Digest()
	require.NoError(t, err)
	require.NoError(t, b.SetPlan(t.Context(), d.ID, "run-1", deployment.Planned{
		Plan: plan, Digest: digest, Dockerfile: "FROM debian\nRUN echo \x00\xff", Input: "sha256:3",
	}))
	found, err := b.Deployment(t.Context(), d.ID)
	require.NoError(t, err)
	again, err := found.Plan.Digest()
	require.NoError(t, err)
	require.Equal(t, digest, again)
	require.Equal(t, "FROM debian\nRUN echo \uFFFD\uFFFD", found.Dockerfile)
	require.Equal(t, plan.Warnings, found.Warnings)
	require.Equal(t, "sha256:3", found.PlanInput)
}

func TestUnstartedAndCanceling(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	lost, young, begun := b.deploy(p, "production"), b.deploy(p, "branch/a"), b.deploy(p, "branch/b")
	b.exec("UPDATE deployments SET admitted_at = now() - interval '1 hour' WHERE id <> $1", young.ID)
	require.NoError(t, b.begin(begun, "run-1"))
	_, err := b.RequestCancel(t.Context(), begun.ID)
	require.NoError(t, err)

	unstarted, err := b.Due(t.Context(), "", time.Minute)
	require.NoError(t, err)
	require.Len(t, unstarted, 1)
	require.Equal(t, lost.ID, unstarted[0].ID)
	canceling, err := b.CancelingDeployments(t.Context())
	require.NoError(t, err)
	require.Len(t, canceling, 1)
	require.Equal(t, begun.ID, canceling[0].ID)
}

// The plan that a new one is compared with: of what was live last in the same environment, with what changed stored beside it.
func TestPlanBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	planned := func(d deployment.Deployment, start string, changes ...deployment.Warning) {
		require.NoError(t, b.SetPlan(t.Context(), d.ID, "run-1", deployment.Planned{
			Plan: &deployment.Plan{StartCommand: start, Warnings: []deployment.Warning{{Code: "w"}}}, Digest: "sha256:1", Changes: changes,
		}))
	}
	before := func(d deployment.Deployment) *deployment.Plan {
		plan, err := b.PlanBefore(t.Context(), d.ID)
		require.NoError(t, err)
		return plan
	}
	first := b.deploy(p, "production")
	require.NoError(t, b.begin(first, "run-1"))
	require.Nil(t, before(first))
	planned(first, "one", deployment.Warning{Code: "c"})
	found, err := b.Deployment(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, []deployment.Warning{{Code: "w"}, {Code: "c"}}, found.Warnings)
	require.Len(t, found.Plan.Warnings, 1)
	b.live(first, "run-1")

	failed := b.deploy(p, "production")
	require.NoError(t, b.begin(failed, "run-1"))
	planned(failed, "two")
	b.finish(failed, "run-1", deployment.StatusFailed)
	require.Equal(t, "one", before(b.deploy(p, "production")).StartCommand, "what failed was never live")
	require.Nil(t, before(b.deploy(p, "branch/x")), "another environment")
}
