package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// beforeLeases is the last version of the schema in which a preview had no lease.
const beforeLeases = 25

// liveBefore has something live in a new environment, as a slipway from before leases left it: its preview is in a state, or has no row
// where that is empty. It was live for ten days.
func liveBefore(t *testing.T, pool *pgxpool.Pool, environment string, kind deployment.EnvironmentKind, state deployment.PreviewState) (d deployment.Deployment) {
	t.Helper()
	exec := func(sql string, args ...any) {
		_, err := pool.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	d = deployment.Deployment{ID: uuid.NewString(), ProjectID: uuid.NewString(), EnvironmentID: uuid.NewString()}
	exec(`INSERT INTO projects (id, name, repo_url, root_dir, builder, install_command, build_command, start_command, port, health_path, health_status,
	          health_timeout_seconds, production_branch, build_timeout_seconds, cpus, memory_mb, next_number)
	      VALUES ($1, left($2, 63), 'https://git.example.com/app', '', 'auto', '', '', '', 0, '/', 0, 60, '', 1800, 0.5, 512, 2)`, d.ProjectID, "app-"+d.ProjectID)
	exec("INSERT INTO environments (id, project_id, name, kind, host, generation) VALUES ($1, $2, $3, $4, $5, 1)", d.EnvironmentID, d.ProjectID, environment, kind, "host-"+d.EnvironmentID)
	exec(`INSERT INTO deployments (id, project_id, environment_id, number, generation, status, ref_kind, ref_name, force, workflow_id, preview_host, created_at, ready_at, finished_at)
	      SELECT $1::uuid, $2::uuid, $3::uuid, 1, 1, 'ready', '', '', false, 'deploy/' || $1::uuid, 'host-' || $1::uuid, at, at, at FROM (SELECT now() - interval '10 days' AS at) long`, d.ID, d.ProjectID, d.EnvironmentID)
	if state != "" {
		exec(`INSERT INTO previews (deployment_id, host, container_id, container, network, address, state, created_at, updated_at)
		      VALUES ($1, 'host-1', 'c', 'c', 'n', '172.18.0.2:3000', $2, now() - interval '10 days', now() - interval '10 days')`, d.ID, state)
	}
	exec("UPDATE environments SET live_deployment_id = $1 WHERE id = $2", d.ID, d.EnvironmentID)
	return d
}

// What runs when an installation learns of leases goes on: it has no end that is over already, and nobody had counted its visitors.
func TestMigrate_GivesLeasesToWhatIsLive(t *testing.T) {
	t.Parallel()
	pool := postgrestest.NewEmpty(t)
	require.NoError(t, postgres.MigrateTo(t.Context(), pool, beforeLeases))
	branch := liveBefore(t, pool, "branch/a", deployment.KindBranch, deployment.PreviewLive)
	production := liveBefore(t, pool, "production", deployment.KindProduction, deployment.PreviewLive)
	failed := liveBefore(t, pool, "branch/b", deployment.KindBranch, deployment.PreviewFailed)
	bare := liveBefore(t, pool, "branch/c", deployment.KindBranch, "")
	deleted := liveBefore(t, pool, "branch/d", deployment.KindBranch, deployment.PreviewLive)
	_, err := pool.Exec(t.Context(), "UPDATE environments SET deleted_at = now(), host = NULL WHERE id = $1", deleted.EnvironmentID)
	require.NoError(t, err)
	nothing := liveBefore(t, pool, "branch/e", deployment.KindBranch, deployment.PreviewStopped)
	_, err = pool.Exec(t.Context(), "UPDATE environments SET live_deployment_id = NULL WHERE id = $1", nothing.EnvironmentID)
	require.NoError(t, err)
	require.NoError(t, postgres.Migrate(t.Context(), pool))

	b := bench{Store: postgres.New(pool, postgres.Options{PreviewTTL: 7 * 24 * time.Hour}), t: t}
	policy := deployment.LeasePolicy{TTL: 7 * 24 * time.Hour, Idle: 30 * time.Minute, HostLost: time.Minute}
	require.NoError(t, b.SeenHost(t.Context(), "host-1", []string{"preview"}, 0))
	for _, d := range []deployment.Deployment{branch, production} {
		lease := b.standing(d)
		require.Equal(t, deployment.WantedRunning, lease.Wanted)
		require.Nil(t, lease.ExpiresAt)
		require.False(t, lease.Pinned)
		require.Empty(t, lease.Duty(policy).Act, "it goes on")
	}
	lease := b.standing(branch)
	require.WithinDuration(t, lease.Now, *lease.LastRequestAt, time.Minute, "its idle time begins with the upgrade")
	fell, err := b.FallAsleep(t.Context(), branch.ID, "host-1", policy.Idle)
	require.NoError(t, err)
	require.False(t, fell)
	_, err = pool.Exec(t.Context(), "UPDATE preview_traffic SET last_request_at = now() - interval '31 minutes'")
	require.NoError(t, err)
	require.Equal(t, deployment.LeaseSleep, b.standing(branch).Duty(policy).Act)
	require.Empty(t, b.standing(production).Duty(policy).Act)

	lease = b.standing(failed)
	require.Equal(t, deployment.WantedStopped, lease.Wanted)
	require.Empty(t, lease.Duty(policy).Act, "what had failed is not tried again unasked")

	rows, err := pool.Query(t.Context(), "SELECT environment_id::text FROM preview_leases WHERE wanted = 'stopped' OR expires_at IS NOT NULL OR pinned")
	require.NoError(t, err)
	leases, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.ElementsMatch(t, []string{failed.EnvironmentID, bare.EnvironmentID}, leases)
	for _, d := range []deployment.Deployment{deleted, nothing} {
		var there bool
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM preview_leases WHERE environment_id = $1)", d.EnvironmentID).Scan(&there))
		require.False(t, there)
	}
}

// What is deployed after the upgrade has its time before it, like everything else.
func TestMigrate_TheNextDeployHasAnEnd(t *testing.T) {
	t.Parallel()
	pool := postgrestest.NewEmpty(t)
	require.NoError(t, postgres.MigrateTo(t.Context(), pool, beforeLeases))
	before := liveBefore(t, pool, "branch/a", deployment.KindBranch, deployment.PreviewLive)
	require.NoError(t, postgres.Migrate(t.Context(), pool))
	b := bench{Store: postgres.New(pool, postgres.Options{PreviewDomain: "localhost", PreviewTTL: time.Hour}), t: t}
	p, err := b.Project(t.Context(), before.ProjectID)
	require.NoError(t, err)
	next := b.deploy(p, "branch/a")
	require.Equal(t, before.EnvironmentID, next.EnvironmentID)
	b.live(next, "run-2")
	lease := b.standing(next)
	require.Equal(t, next.ID, lease.Preview.DeploymentID)
	require.Equal(t, time.Hour, lease.ExpiresAt.Sub(lease.Since))
}
