package roles_test

import (
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

func TestEnsureAdminToken(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	path := filepath.Join(t.TempDir(), "admin.token")
	ensure := func() string {
		require.NoError(t, roles.EnsureAdminToken(t.Context(), store, path, slog.New(slog.DiscardHandler)))
		token, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(token)
	}
	token := ensure()
	require.True(t, strings.HasSuffix(token, "\n"), "the token and a newline")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	name, err := store.TokenName(t.Context(), hash[:])
	require.NoError(t, err)
	require.Equal(t, "admin", name)
	require.Equal(t, token, ensure(), "a second start makes no second token")
}

// A start that was killed after the file and before the row: the next one makes the token of the file valid.
func TestEnsureAdminToken_FinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	path := filepath.Join(t.TempDir(), "admin.token")
	require.NoError(t, os.WriteFile(path, []byte("slipway_left\n"), 0o600))
	require.NoError(t, roles.EnsureAdminToken(t.Context(), store, path, slog.New(slog.DiscardHandler)))
	hash := sha256.Sum256([]byte("slipway_left"))
	_, err := store.TokenName(t.Context(), hash[:])
	require.NoError(t, err)
}
