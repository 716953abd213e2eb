package roles_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

func migration(t *testing.T) config.MigrateRole {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	return config.MigrateRole{
		DataDir:  dir,
		Postgres: config.Postgres{URL: postgrestest.New(t).Config().ConnString(), Keyset: filepath.Join(dir, "keyset.json")},
		Temporal: config.Temporal{Addr: devservertest.Start(t), Namespace: "migrate-" + uuid.NewString(), Retention: 48 * time.Hour},
	}
}

func TestMigrate_AtOnceAndAgain(t *testing.T) {
	t.Parallel()
	c := migration(t)
	quiet := slog.New(slog.DiscardHandler)
	var group errgroup.Group
	for range 3 {
		group.Go(func() error {
			done, err := roles.Migrate(t.Context(), c, quiet)
			if err == nil && done.AdminTokenFile != c.AdminTokenFile() {
				err = errors.New("it made no token, and found none")
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	token, err := os.ReadFile(c.AdminTokenFile())
	require.NoError(t, err)
	keys, err := os.ReadFile(c.Postgres.Keyset)
	require.NoError(t, err)

	c.Temporal.Retention = 72 * time.Hour
	_, err = roles.Migrate(t.Context(), c, quiet)
	require.NoError(t, err)
	again, err := os.ReadFile(c.AdminTokenFile())
	require.NoError(t, err)
	require.Equal(t, token, again)
	keysAgain, err := os.ReadFile(c.Postgres.Keyset)
	require.NoError(t, err)
	require.Equal(t, keys, keysAgain)
	found, err := devservertest.ClientOf(t, c.Temporal.Namespace).WorkflowService().DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: c.Temporal.Namespace})
	require.NoError(t, err)
	require.Equal(t, c.Temporal.Retention, found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())

	store, err := roles.JoinStore(t.Context(), c.Postgres, "localhost")
	require.NoError(t, err, "the other roles can start now")
	store.Close()
}

func TestMigrate_OnAFurtherHostNeedsTheKeyset(t *testing.T) {
	t.Parallel()
	first := migration(t)
	quiet := slog.New(slog.DiscardHandler)
	_, err := roles.Migrate(t.Context(), first, quiet)
	require.NoError(t, err)

	further := first
	further.DataDir = filepath.Join(t.TempDir(), "data")
	further.Postgres.Keyset = filepath.Join(further.DataDir, "keyset.json")
	_, err = roles.Migrate(t.Context(), further, quiet)
	require.ErrorContains(t, err, "copy the file")
	require.NoFileExists(t, further.Postgres.Keyset)

	keys, err := os.ReadFile(first.Postgres.Keyset)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(further.Postgres.Keyset, keys, 0o600))
	done, err := roles.Migrate(t.Context(), further, quiet)
	require.NoError(t, err)
	require.Empty(t, done.AdminTokenFile, "the first token lies on the first host")
}

func TestMigrate_WaitsForWhatDoesNotAnswerYet(t *testing.T) {
	t.Parallel()
	c := migration(t)
	c.Postgres.URL = "postgres://slipway@" + freeAddr(t) + "/slipway"
	ctx, cancel := context.WithCancelCause(t.Context())
	waiting := watch{word: "waiting for postgres", seen: func() { cancel(errPatience) }}
	_, err := roles.Migrate(ctx, c, slog.New(slog.NewTextHandler(&waiting, nil)))
	require.ErrorIs(t, err, errPatience, "it was waiting, and said so")
	require.ErrorContains(t, err, "connection refused", "and says for what")
}

func TestMigrate_DoesNotWaitForAnAnswerThatIsNo(t *testing.T) {
	t.Parallel()
	c := migration(t)
	c.Postgres.URL += " dbname=no_such_database"
	_, err := roles.Migrate(t.Context(), c, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "no_such_database")
}

const errPatience = patienceError("no more patience")

type patienceError string

func (e patienceError) Error() string { return string(e) }

// watch calls seen when word is written.
type watch struct {
	word string
	seen func()
}

func (w *watch) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.word)) {
		w.seen()
	}
	return len(p), nil
}
