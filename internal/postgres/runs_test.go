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
			b.SetPlan(t.Context(), d.ID, run, plan, "sha256:1", "FROM scratch"),
			b.SetImage(t.Context(), d.ID, run, "registry/app", "sha256:2"),
		}
	}
	for _, err := range writes("run-1") {
		require.NoError(t, err)
	}
	require.NoError(t, b.BeginRun(t.Context(), d.ID, "run-2"))
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

func TestBeginRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run-1")
	begun, err := b.Deployment(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, "run-1", begun.RunID)
	require.NotNil(t, begun.StartedAt)

	require.NoError(t, b.BeginRun(t.Context(), d.ID, "run-2"))
	again, err := b.Deployment(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, "run-2", again.RunID)
	require.Equal(t, begun.StartedAt, again.StartedAt, "the first start counts")

	_, err = b.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	require.NoError(t, b.BeginRun(t.Context(), d.ID, "run-3"), "a run that begins while canceling cleans up")
	_, err = b.Finish(t.Context(), d.ID, "run-3", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	require.NoError(t, b.BeginRun(t.Context(), d.ID, "run-3"))
	require.ErrorIs(t, b.BeginRun(t.Context(), d.ID, "run-4"), deployment.ErrStaleRun)
	require.ErrorIs(t, b.BeginRun(t.Context(), "nope", "run-4"), deployment.ErrNotFound)
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
	require.NoError(t, b.SetPlan(t.Context(), d.ID, "run-1", plan, digest, "FROM debian\nRUN echo \x00\xff"))
	found, err := b.Deployment(t.Context(), d.ID)
	require.NoError(t, err)
	again, err := found.Plan.Digest()
	require.NoError(t, err)
	require.Equal(t, digest, again)
	require.Equal(t, "FROM debian\nRUN echo \uFFFD\uFFFD", found.Dockerfile)
	require.Equal(t, plan.Warnings, found.Warnings)
}

func TestUnstartedAndCanceling(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	lost, young, begun := b.deploy(p, "production"), b.deploy(p, "production"), b.deploy(p, "production")
	b.exec("UPDATE deployments SET created_at = now() - interval '1 hour' WHERE id <> $1", young.ID)
	require.NoError(t, b.BeginRun(t.Context(), begun.ID, "run-1"))
	_, err := b.RequestCancel(t.Context(), begun.ID)
	require.NoError(t, err)

	unstarted, err := b.QueuedUnstarted(t.Context(), time.Minute)
	require.NoError(t, err)
	require.Len(t, unstarted, 1)
	require.Equal(t, lost.ID, unstarted[0].ID)
	canceling, err := b.CancelingDeployments(t.Context())
	require.NoError(t, err)
	require.Len(t, canceling, 1)
	require.Equal(t, begun.ID, canceling[0].ID)
}
