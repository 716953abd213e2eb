package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// A server that dies under a store, in the middle of a statement and before one, that is not there, and that is back.
func TestStore_SaysThatPostgresIsAway(t *testing.T) {
	t.Parallel()
	own := postgrestest.NewOwn(t)
	store := own.Open(postgres.Options{PreviewDomain: "localhost"})
	require.Equal(t, 5*time.Second, store.Pool().Config().ConnConfig.ConnectTimeout, "a host that swallows packets is away too")

	working := make(chan error, 1)
	tx, err := store.Pool().Begin(t.Context())
	require.NoError(t, err)
	var pid int
	require.NoError(t, tx.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
	go func() {
		_, err := tx.Exec(context.WithoutCancel(t.Context()), "SELECT pg_sleep(600)")
		working <- err
	}()
	require.Eventually(t, func() bool {
		var active bool
		err := store.Pool().QueryRow(t.Context(), "SELECT query LIKE '%sleep%' FROM pg_stat_activity WHERE pid = $1", pid).Scan(&active)
		return err == nil && active
	}, 10*time.Second, 10*time.Millisecond)
	own.Kill()
	require.True(t, postgres.Unreachable(<-working))
	require.Error(t, tx.Rollback(t.Context())) // gives the broken connection back: Close waits for it
	requirePostgresAway(t, store)

	own.Start()
	_, err = store.Project(t.Context(), "shop")
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func requirePostgresAway(t *testing.T, store *postgres.Store) {
	t.Helper()
	_, err := store.Project(t.Context(), "shop")
	failure := deployment.AsFailure(err)
	require.Equal(t, "postgres.unavailable", failure.Code, "%v", err)
	require.Equal(t, deployment.ComponentPostgres, failure.Component)
	require.Equal(t, deployment.ClassTransient, failure.Class)
}

func TestUnreachable_IsNotWhatAnswersOrWasNotWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.Pool().Exec(t.Context(), "SELECT no_such_column")
	require.Error(t, err)
	require.False(t, postgres.Unreachable(err))
	late, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = b.Pool().Exec(late, "SELECT pg_sleep(600)")
	require.Error(t, err)
	require.False(t, postgres.Unreachable(err))
}
