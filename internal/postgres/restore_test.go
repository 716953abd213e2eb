package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// What was live is queued anew with its image and commit, for the reconciler to start; nothing is live meanwhile.
func TestRestore_BringsBackWhatWasLive(t *testing.T) {
	t.Parallel()
	b, p, live, _ := everything(t)
	b.exec("UPDATE deployments SET commit = repeat('a', 40), ref_kind = 'branch', ref_name = 'main' WHERE id = $1", live.ID)
	r, done := restored(t, b.dump(), postgres.RestoreOptions{})
	require.Equal(t, 1, done.Again, "the deleted project's is not")

	due, err := r.Due(t.Context(), "", 0)
	require.NoError(t, err)
	require.Len(t, due, 1)
	again, err := r.Deployment(t.Context(), due[0].ID)
	require.NoError(t, err)
	former, err := r.Deployment(t.Context(), live.ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusReady, former.Status, "history stays")
	require.True(t, again.BuildAgain)
	require.False(t, former.BuildAgain)
	require.Equal(t, live.ID, again.ReusedFrom)
	require.Equal(t, again.ID, former.SupersededBy, "or it would count as live")
	require.Equal(t, former.ImageDigest, again.ImageDigest)
	require.Equal(t, former.Image, again.Image)
	require.Equal(t, former.Commit, again.Commit)
	require.Equal(t, former.Ref, again.Ref)
	require.Equal(t, former.EnvHost, again.EnvHost)
	require.NotEqual(t, former.PreviewHost, again.PreviewHost)
	require.Equal(t, 4, again.Number)
	environment, err := r.Environment(t.Context(), p.ID, "production")
	require.NoError(t, err)
	require.Empty(t, environment.LiveDeploymentID)
	previews, err := r.LivePreviews(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, previews)
	vars, err := r.EnvVars(t.Context(), live.Scope())
	require.NoError(t, err)
	require.Equal(t, "tab\t, newline\n, \\N and \\.", vars[0].Value)

	require.NoError(t, r.BeginRun(t.Context(), again.ID, "", "first"))
	require.NoError(t, r.SetImage(t.Context(), again.ID, "first", deployment.BuiltImage{Image: "app", Digest: "sha256:9", Input: "input"}))
	again, err = r.Deployment(t.Context(), again.ID)
	require.NoError(t, err)
	require.Empty(t, again.ReusedFrom, "it was built again, and runs an image of its own")
	former, err = r.Deployment(t.Context(), live.ID)
	require.NoError(t, err)
	require.NotNil(t, former.ImageRemovedAt, "nobody goes back to an image that is gone")
}

// What was under way has failed, says why, and can be retried although what was live comes back with a later deployment.
func TestRestore_EndsWhatWasUnderWay(t *testing.T) {
	t.Parallel()
	b, p, _, underWay := everything(t)
	canceling := b.begun(p, "branch/b")
	_, err := b.RequestCancel(t.Context(), canceling.ID)
	require.NoError(t, err)
	older := b.begun(p, "branch/c")
	newer := b.deploy(p, "branch/c") // cancels the older one
	r, done := restored(t, b.dump(), postgres.RestoreOptions{})
	require.Equal(t, 4, done.Ended)

	failed, err := r.Deployment(t.Context(), underWay.ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusFailed, failed.Status)
	require.Equal(t, "deploy.restored", failed.Failure.Code)
	require.Equal(t, deployment.ClassPlatform, failed.Failure.Class)
	require.NotEmpty(t, failed.Failure.Fix)
	steps, err := r.Steps(t.Context(), underWay.ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StepFailed, steps[len(steps)-1].Status)
	require.Equal(t, deployment.StatusCanceled, r.status(canceling.ID))
	require.Equal(t, deployment.StatusSuperseded, r.status(older.ID))
	require.Equal(t, deployment.StatusFailed, r.status(newer.ID))

	due, err := r.Due(t.Context(), "", 0)
	require.NoError(t, err)
	require.Len(t, due, 1)
	r.live(due[0], "first")
	_, err = r.RequestRetry(t.Context(), underWay.ID, 0)
	require.NoError(t, err)
	r.live(failed, "second")
	environment, err := r.Environment(t.Context(), p.ID, "production")
	require.NoError(t, err)
	require.Equal(t, underWay.ID, environment.LiveDeploymentID)
	require.Greater(t, r.deploy(p, "production").Generation, failed.Generation)
}

// begun is a deployment of a project whose run has begun.
func (b bench) begun(p deployment.Project, environment string) deployment.Deployment {
	b.t.Helper()
	d := b.deploy(p, environment)
	require.NoError(b.t, b.begin(d, "run"))
	return d
}

// Hosts, what they hold and their slots are gone with the old machine; where they remain, each removes what it holds.
func TestRestore_Hosts(t *testing.T) {
	t.Parallel()
	b, _, _, underWay := everything(t)
	c := b.dump()
	kinds := func(r bench) (kinds []deployment.ResourceKind) {
		rows, err := r.Pool().Query(t.Context(), "SELECT DISTINCT kind FROM resources ORDER BY kind")
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var kind deployment.ResourceKind
			require.NoError(t, rows.Scan(&kind))
			kinds = append(kinds, kind)
		}
		return kinds
	}
	hosts := func(r bench) (n int) {
		require.NoError(t, r.Pool().QueryRow(t.Context(), "SELECT count(*) FROM hosts").Scan(&n))
		return n
	}
	elsewhere, _ := restored(t, c, postgres.RestoreOptions{})
	require.Equal(t, []deployment.ResourceKind{deployment.ResourceImageTag}, kinds(elsewhere))
	require.Zero(t, hosts(elsewhere))

	there, _ := restored(t, c, postgres.RestoreOptions{HostsRemain: true})
	require.Equal(t, []deployment.ResourceKind{deployment.ResourceContainer, deployment.ResourceImageTag, deployment.ResourceWorkspace}, kinds(there))
	require.Equal(t, 1, hosts(there))
	there.exec("UPDATE deployments SET finished_at = now() - interval '1 hour' WHERE finished_at IS NOT NULL")
	left, err := there.LeftOver(t.Context(), "host-1", 0, 0)
	require.NoError(t, err)
	require.Len(t, left, 2, "the live container too: what was live comes back with another")
	require.Equal(t, underWay.ID, left[1].Name)
}

// Whoever migrates meanwhile waits for the restore, which has the migrator's lock to its end.
func TestRestore_KeepsMigrationsAway(t *testing.T) {
	t.Parallel()
	b, _, _, _ := everything(t)
	pool := postgrestest.NewEmpty(t)
	store := postgres.New(pool, postgres.Options{PreviewDomain: "localhost"})
	const lock = "SELECT pg_try_advisory_lock(9628173550095224)" // tern's
	var free bool
	_, err := store.Restore(t.Context(), b.dump().Dump, postgres.RestoreOptions{Last: func() error {
		return pool.QueryRow(t.Context(), lock).Scan(&free)
	}})
	require.NoError(t, err)
	require.False(t, free)
	require.NoError(t, pool.QueryRow(t.Context(), lock).Scan(&free))
	require.True(t, free)
}
