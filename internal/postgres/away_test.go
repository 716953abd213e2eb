package postgres_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/cluster"
)

// A server that dies under a store, in the middle of a statement and before one, that is not there, and that is back.
func TestStore_SaysThatPostgresIsAway(t *testing.T) {
	t.Parallel()
	socket, err := os.MkdirTemp("/tmp", "slipway-away-") //nolint:usetesting // t.TempDir's names are too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(socket)) })
	c, err := cluster.Find("", filepath.Join(t.TempDir(), "postgres"), socket, "fsync=off")
	require.NoError(t, err)
	require.NoError(t, c.Init(t.Context()))
	server := startPostgres(t, c)
	require.NoError(t, c.EnsureDatabase(t.Context(), "slipway"))
	store, err := postgres.Open(t.Context(), "host="+socket+" user=slipway dbname=slipway", postgres.Options{PreviewDomain: "localhost"})
	require.NoError(t, err)
	defer store.Close()
	require.NoError(t, postgres.Migrate(t.Context(), store.Pool()))

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
	require.NoError(t, server.Process.Signal(syscall.SIGQUIT)) // every connection is cut at once
	require.True(t, postgres.Unreachable(<-working))
	_ = server.Wait()
	require.Error(t, tx.Rollback(t.Context())) // gives the broken connection back: Close waits for it
	requirePostgresAway(t, store)

	startPostgres(t, c)
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

func startPostgres(t *testing.T, c *cluster.Cluster) *exec.Cmd {
	t.Helper()
	server := exec.Command(c.Path(), c.Args()...)
	server.SysProcAttr = &syscall.SysProcAttr{Credential: c.Account(), AmbientCaps: c.Capabilities(), Pdeathsig: syscall.SIGQUIT}
	server.Dir = "/"
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT) // one that the test has ended already
		_ = server.Wait()
	})
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return c.Ready(ctx) == nil
	}, 30*time.Second, 20*time.Millisecond)
	return server
}
