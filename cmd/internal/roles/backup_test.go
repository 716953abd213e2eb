package roles_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/backup"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/internal/supervise"
)

func ignore(string) {}

// backedUp returns a backup of a machine as its reader sees it.
func backedUp(t *testing.T, m config.Dev, store *postgres.Store) *backup.Backup {
	t.Helper()
	var file bytes.Buffer
	done, err := roles.Backup(t.Context(), m, store, &file, roles.BackupOptions{
		Version: "1.2.3", Tell: ignore, Environ: []string{"SLIPWAY_DATABASE_URL=postgres://slipway:s3cret@db/slipway", "SLIPWAY_BUILD_SLOTS=3"},
	})
	require.NoError(t, err)
	b, err := backup.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.NoError(t, err)
	require.Equal(t, done, b.Manifest)
	return b
}

// elsewhere is another machine, on which nothing was prepared.
func elsewhere(t *testing.T) config.Dev {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	return config.Dev{
		DataDir: dir, Gateway: config.Gateway{Domain: "localhost"},
		Postgres: config.Postgres{URL: postgrestest.NewEmpty(t).Config().ConnString(), Keyset: filepath.Join(dir, "keyset.json")},
	}
}

func restoreOptions() roles.RestoreOptions {
	return roles.RestoreOptions{Tell: ignore, Log: slog.New(slog.DiscardHandler)}
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	m, store, p := withSecrets(t)
	m.Planner.Overrides = filepath.Join(t.TempDir(), "overrides.yaml")
	require.NoError(t, os.WriteFile(m.Planner.Overrides, []byte("node: {}\n"), 0o600))
	_, err := store.InstallationID(t.Context())
	require.NoError(t, err)
	former, err := os.ReadFile(filepath.Join(m.DataDir, "admin.token"))
	require.NoError(t, err)

	b := backedUp(t, m, store)
	require.Equal(t, "1.2.3", b.Version)
	require.Equal(t, "localhost", b.PreviewDomain)
	require.Len(t, b.Installation, 12)
	require.EqualValues(t, 1, b.Rows("projects"))
	settings, err := b.Read(backup.Configuration)
	require.NoError(t, err)
	require.Contains(t, string(settings), "\nSLIPWAY_DATABASE_URL=postgres://slipway@db/slipway\n")
	require.Contains(t, string(settings), "\nSLIPWAY_BUILD_SLOTS=3\n")
	require.Contains(t, string(settings), "\n# SLIPWAY_API_ADDR=127.0.0.1:8080\n")
	overrides, err := b.Read(backup.PlanOverrides)
	require.NoError(t, err)
	require.Equal(t, "node: {}\n", string(overrides))
	images, err := b.Read(backup.Images)
	require.NoError(t, err)
	require.True(t, json.Valid(images))

	next := elsewhere(t)
	done, err := roles.Restore(t.Context(), next, b, restoreOptions())
	require.NoError(t, err)
	require.Equal(t, 1, done.Ended, "what was queued then")
	restored, err := roles.JoinMachine(t.Context(), next)
	require.NoError(t, err)
	defer restored.Close()
	requireReadable(t, restored, p)
	info, err := os.Stat(next.Postgres.Keyset)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	now, err := os.ReadFile(filepath.Join(next.DataDir, "admin.token"))
	require.NoError(t, err)
	for _, secret := range []string{string(former), string(now)} {
		_, err := restored.TokenByHash(t.Context(), deployment.HashToken(strings.TrimSpace(secret)))
		require.NoError(t, err, "tokens stay valid, and the file's is")
	}

	_, err = roles.Restore(t.Context(), next, b, restoreOptions())
	requireCode(t, err, "restore.not_empty")
}

func requireCode(t *testing.T, err error, code string) {
	t.Helper()
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, code, f.Code)
	require.NotEmpty(t, f.Fix)
}

// Without a database in the configuration it is slipway-dev's own, which is made in the data directory and left as slipway-dev
// finds it.
func TestRestore_IntoAnEmptyDataDirectory(t *testing.T) {
	t.Parallel()
	m, store, p := withSecrets(t)
	b := backedUp(t, m, store)
	next := elsewhere(t)
	next.Postgres.URL = ""
	t.Cleanup(func() { os.RemoveAll(next.SocketDir()) })
	lock, err := supervise.Lock(next.DataDir)
	require.NoError(t, err)
	_, err = roles.Restore(t.Context(), next, b, restoreOptions())
	require.ErrorContains(t, err, "is in use by the slipway-dev process")
	require.NoFileExists(t, next.Postgres.Keyset)
	require.NoError(t, lock.Unlock())

	_, err = roles.Restore(t.Context(), next, b, restoreOptions())
	require.NoError(t, err)
	_, err = roles.JoinMachine(t.Context(), next)
	requireCode(t, err, "machine.no_database") // it has ended
	_, err = roles.Restore(t.Context(), next, b, restoreOptions())
	requireCode(t, err, "restore.not_empty")
	require.NoError(t, roles.WithOwnPostgres(t.Context(), next, slog.New(slog.DiscardHandler), func(string) error {
		restored, err := roles.JoinMachine(t.Context(), next)
		require.NoError(t, err)
		defer restored.Close()
		requireReadable(t, restored, p)
		return nil
	}))
}

// Other keys may be all that opens something: they are neither replaced nor used.
func TestRestore_LeavesOtherKeys(t *testing.T) {
	t.Parallel()
	m, store, p := withSecrets(t)
	b := backedUp(t, m, store)
	next := elsewhere(t)
	require.NoError(t, os.Mkdir(next.DataDir, 0o700))
	_, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: next.Postgres.Keyset})
	require.NoError(t, err)
	others, err := os.ReadFile(next.Postgres.Keyset)
	require.NoError(t, err)
	_, err = roles.Restore(t.Context(), next, b, restoreOptions())
	requireCode(t, err, "restore.other_keys")
	now, err := os.ReadFile(next.Postgres.Keyset)
	require.NoError(t, err)
	require.Equal(t, others, now)

	// The backup's own are there when a restore was killed before its commit.
	keys, err := b.Read(backup.Keyset)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(next.Postgres.Keyset, keys, 0o600))
	// On the machine that the backup is of they have been rotated since: what is newer stays.
	newer, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: next.Postgres.Keyset})
	require.NoError(t, err)
	_, err = newer.Rotate(t.Context())
	require.NoError(t, err)
	keys, err = os.ReadFile(next.Postgres.Keyset)
	require.NoError(t, err)
	_, err = roles.Restore(t.Context(), next, b, restoreOptions())
	require.NoError(t, err)
	restored, err := roles.JoinMachine(t.Context(), next)
	require.NoError(t, err)
	defer restored.Close()
	requireReadable(t, restored, p)
	now, err = os.ReadFile(next.Postgres.Keyset)
	require.NoError(t, err)
	require.Equal(t, keys, now)
}

// While keys are rotated, and the old ones removed at once, every backup has the keys that its secrets need.
func TestBackup_HasTheKeysOfItsSecrets(t *testing.T) {
	t.Parallel()
	m, store, p := withSecrets(t)
	keyset, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: m.Postgres.Keyset})
	require.NoError(t, err)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		rotate := func() error {
			before, err := keyset.Keys(t.Context())
			if err != nil {
				return err
			}
			if _, err := roles.RotateKeys(t.Context(), m, store); err != nil {
				return err
			}
			return keyset.Remove(t.Context(), before[len(before)-1].ID)
		}
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
				if err := rotate(); err != nil {
					stopped <- err
					return
				}
			}
		}
	}()
	var backups []*backup.Backup
	for range 5 {
		backups = append(backups, backedUp(t, m, store))
	}
	close(stop)
	require.NoError(t, <-stopped)
	for _, b := range backups {
		next := elsewhere(t)
		_, err := roles.Restore(t.Context(), next, b, restoreOptions())
		require.NoError(t, err)
		restored, err := roles.JoinMachine(t.Context(), next)
		require.NoError(t, err)
		requireReadable(t, restored, p)
		restored.Close()
	}
}

func TestBackup_IsRefusedWithoutTheKeys(t *testing.T) {
	t.Parallel()
	m, store, _ := withSecrets(t)
	m.Postgres.Keyset += ".other"
	_, err := roles.Backup(t.Context(), m, store, new(bytes.Buffer), roles.BackupOptions{Tell: ignore})
	requireCode(t, err, "keys.unknown")
}
