package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

func TestTheTriggerKeepsTheTransitionsOfTheWords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, from := range deployment.Statuses() {
		for _, to := range deployment.Statuses() {
			var may bool
			require.NoError(t, b.Pool().QueryRow(t.Context(), "SELECT deployment_may_become($1, $2)", string(from), string(to)).Scan(&may))
			require.Equal(t, from.CanBecome(to), may, "%s → %s", from, to)
		}
	}
	d := b.deploy(b.project("app"), "production")
	_, err := b.Pool().Exec(t.Context(), "UPDATE deployments SET status = 'building' WHERE id = $1", d.ID)
	require.ErrorContains(t, err, "building cannot follow queued")
}

func TestTheSchemaKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	d, elsewhere := b.deploy(p, "production"), b.deploy(p, "branch/a")
	for name, sql := range map[string]string{
		"an end has a time":                 "UPDATE deployments SET status = 'failed' WHERE id = '" + d.ID + "'",
		"only a failure has a reason":       "UPDATE deployments SET failure = '{}' WHERE id = '" + d.ID + "'",
		"numbers are unique":                "UPDATE deployments SET number = 2 WHERE id = '" + d.ID + "'",
		"what is live was deployed here":    "UPDATE environments SET live_deployment_id = '" + elsewhere.ID + "' WHERE name = 'production'",
		"hosts are unique":                  "UPDATE environments SET host = 'x'",
		"a deleted environment has no host": "UPDATE environments SET deleted_at = now() WHERE name = 'production'",
		"names of environments are unique":  "UPDATE environments SET name = 'production'",
		"a variable is its project's":       "INSERT INTO env_vars SELECT gen_random_uuid(), 'A', 'both', '', id FROM environments LIMIT 1",
		"a variable is set once per place":  "INSERT INTO env_vars SELECT project_id, 'A', 'both', '' FROM environments",
		"a commit is whole":                 "UPDATE deployments SET commit = 'abc'",
		"a live preview has an address":     "INSERT INTO previews VALUES ('" + d.ID + "', 'h', 'c', 'c', 'n', '', 'live')",
		"there is one installation":         "INSERT INTO installation (one, id) VALUES (false, '0123456789ab')",
		"a token's hash is a SHA-256":       `INSERT INTO tokens (id, name, hash) VALUES (gen_random_uuid(), 'a', '\x00')`,
		"one step runs at a time": "INSERT INTO steps (deployment_id, run_id, step, phase, attempt, host, status, started_at) " +
			"SELECT '" + d.ID + "', 'r', 'build', '', n, 'h', 'running', now() FROM generate_series(1, 2) n",
	} {
		_, err := b.Pool().Exec(t.Context(), sql)
		require.Error(t, err, name)
	}
}

func TestNothingBeginsInADeletedEnvironment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	_, err := b.Finish(t.Context(), d.ID, "", deployment.StatusFailed, nil)
	require.NoError(t, err)
	const again = "UPDATE deployments SET status = 'queued', finished_at = NULL, failure = NULL WHERE id = $1"
	b.remove(d.Scope())
	_, err = b.Pool().Exec(t.Context(), again, d.ID)
	require.ErrorContains(t, err, "environment "+d.EnvironmentID+" is deleted")
	require.ErrorIs(t, postgres.At(err), deployment.ErrNotFound, "whatever the store was asked for")
	_, err = b.Pool().Exec(t.Context(), "INSERT INTO deployments (id, project_id, environment_id, number, generation, ref_kind, ref_name, force, "+
		"workflow_id, preview_host) SELECT gen_random_uuid(), project_id, environment_id, 9, 9, '', '', false, 'w', 'h' FROM deployments")
	require.ErrorContains(t, err, "is deleted")
	b.exec("UPDATE environments SET deleted_at = NULL, host = 'back'")
	b.exec(again, d.ID)
	require.Equal(t, deployment.StatusQueued, b.status(d.ID))
}

func TestMigrateAtOnceFromManyProcesses(t *testing.T) {
	t.Parallel()
	pool := postgrestest.NewEmpty(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := postgres.Migrate(t.Context(), pool); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	_, err := postgres.New(pool, postgres.Options{}).InstallationID(t.Context())
	require.NoError(t, err)
}

func TestMigrateRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	_, err := pool.Exec(t.Context(), "UPDATE schema_version SET version = 9999")
	require.NoError(t, err)
	err = postgres.Migrate(t.Context(), pool)
	require.ErrorIs(t, err, postgres.ErrNewerSchema)
	require.ErrorContains(t, err, "9999")
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	require.NoError(t, postgres.CheckSchema(t.Context(), pool))
	for version, want := range map[int]error{1: postgres.ErrOlderSchema, 9999: postgres.ErrNewerSchema} {
		_, err := pool.Exec(t.Context(), "UPDATE schema_version SET version = $1", version)
		require.NoError(t, err)
		require.ErrorIs(t, postgres.CheckSchema(t.Context(), pool), want)
	}
	_, err := pool.Exec(t.Context(), "DROP TABLE schema_version")
	require.NoError(t, err)
	err = postgres.CheckSchema(t.Context(), pool)
	require.ErrorIs(t, err, postgres.ErrOlderSchema, "nobody has migrated yet")
	require.ErrorContains(t, err, "slipway migrate")
}

// A process that runs goes on with the schema of a newer release, and says so of an older one, as of a backup.
func TestSchema(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.Schema(t.Context()))
	b.exec("UPDATE schema_version SET version = 9999")
	require.NoError(t, b.Schema(t.Context()))
	b.exec("UPDATE schema_version SET version = 1")
	err := b.Schema(t.Context())
	require.ErrorIs(t, err, postgres.ErrOlderSchema)
	failure := deployment.AsFailure(err)
	require.Equal(t, "schema.older", failure.Code)
	require.Contains(t, failure.Fix, "slipway migrate")
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	_, err := postgres.Open(t.Context(), "host=/nowhere", postgres.Options{})
	require.True(t, postgres.Unreachable(err), "nothing listens there")
	_, err = postgres.Open(t.Context(), postgrestest.New(t).Config().ConnString()+" dbname=no_such_database", postgres.Options{})
	require.Error(t, err)
	require.False(t, postgres.Unreachable(err), "the server has answered: %v", err)
	require.False(t, postgres.Unreachable(nil))
}

func TestOpen(t *testing.T) {
	t.Parallel()
	store, err := postgres.Open(t.Context(), postgrestest.New(t).Config().ConnString(), postgres.Options{})
	require.NoError(t, err)
	require.NoError(t, store.Ping(t.Context()))
	store.Close()
	require.Error(t, store.Ping(t.Context()))
	_, err = postgres.Open(t.Context(), "host=/nowhere", postgres.Options{})
	require.ErrorContains(t, err, "open postgres")
}

// listen collects what a channel is told until the returned function is called.
func listen(t *testing.T, pool *pgxpool.Pool, channel string) (heard func() map[string]bool) {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Release)
	_, err = conn.Exec(t.Context(), "LISTEN "+channel)
	require.NoError(t, err)
	return func() map[string]bool {
		// Notifications arrive in the order of commits, so everything before this one has been heard with it.
		_, err := pool.Exec(t.Context(), "SELECT pg_notify($1, 'last')", channel)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		all := map[string]bool{}
		for {
			n, err := conn.Conn().WaitForNotification(ctx)
			require.NoError(t, err)
			if n.Payload == "last" {
				return all
			}
			all[n.Payload] = true
		}
	}
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	changes, routes := listen(t, b.Pool(), postgres.ChannelDeployment), listen(t, b.Pool(), postgres.ChannelRoutes)
	d := b.deploy(b.project("app"), "production")
	own, this := map[string]bool{d.PreviewHost: true, d.EnvHost: true}, map[string]bool{d.ID: true}
	require.Equal(t, own, routes())

	a := attempt(d, "run", deployment.StepResolve)
	for name, change := range map[string]func() error{
		"begin":    func() error { return b.begin(d, "run") },
		"step":     func() error { return b.StepStarted(t.Context(), a, time.Now()) },
		"progress": func() error { return b.StepProgress(t.Context(), a, deployment.Progress{Percent: 5}) },
		"end":      func() error { return b.StepEnded(t.Context(), a, deployment.StepSucceeded, nil, nil, time.Now()) },
	} {
		_ = changes()
		require.NoError(t, b.begin(d, "run"))
		require.NoError(t, b.StepStarted(t.Context(), a, time.Now()))
		_ = changes()
		require.NoError(t, change())
		require.Equal(t, this, changes(), name)
	}
	b.through(d, "run", deployment.StepRelease)
	_ = routes()
	_, err := b.SwitchRoute(t.Context(), "run", preview(d))
	require.NoError(t, err)
	require.Equal(t, own, routes())
	require.Equal(t, this, changes())
	require.NoError(t, b.SetPreviewState(t.Context(), d.ID, deployment.PreviewStopped))
	require.Equal(t, own, routes())
}
