package roles_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// machine is a machine whose installation has been prepared.
func machine(t *testing.T) config.Dev {
	t.Helper()
	dir := t.TempDir()
	m := config.Dev{
		DataDir: dir, Gateway: config.Gateway{Domain: "localhost"},
		Postgres: config.Postgres{URL: postgrestest.New(t).Config().ConnString(), Keyset: filepath.Join(dir, "keyset.json")},
	}
	store, err := roles.OpenStore(t.Context(), m.Postgres, "localhost")
	require.NoError(t, err)
	defer store.Close()
	_, err = roles.EnsureAdminToken(t.Context(), store, filepath.Join(dir, "admin.token"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return m
}

func TestReplaceAdminToken(t *testing.T) {
	t.Parallel()
	m := machine(t)
	file := filepath.Join(m.DataDir, "admin.token")
	lost, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.Chown(file, 1234, 2345)) // who called sudo, or the service's user

	store, err := roles.JoinMachine(t.Context(), m)
	require.NoError(t, err)
	defer store.Close()
	made, err := roles.ReplaceAdminToken(t.Context(), store, m.DataDir, "admin", false)
	require.NoError(t, err)
	require.Equal(t, "admin", made.Before.Name)
	now, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, made.Secret+"\n", string(now))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.EqualValues(t, 1234, info.Sys().(*syscall.Stat_t).Uid)

	_, err = store.TokenByHash(t.Context(), deployment.HashToken(made.Secret))
	require.NoError(t, err)
	_, err = store.TokenByHash(t.Context(), deployment.HashToken(strings.TrimSpace(string(lost))))
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestJoinMachine_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	m := machine(t)
	m.Postgres.URL, m.DataDir = "", t.TempDir() // slipway-dev's own, which does not run there
	_, err := roles.JoinMachine(t.Context(), m)
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	require.ErrorContains(t, err, m.DataDir)
	require.Contains(t, f.Fix, "make up")

	m = machine(t)
	require.NoError(t, os.Remove(m.Postgres.Keyset))
	_, err = roles.JoinMachine(t.Context(), m)
	require.ErrorContains(t, err, "slipway migrate")
	require.NoFileExists(t, m.Postgres.Keyset, "another keyset would open nothing")
}
