package roles_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/dnsproof/knottest"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

func TestMain(m *testing.M) {
	if os.Getenv(asGateway) != "" {
		os.Exit(runAsGateway())
	}
	code := postgrestest.Main(m)
	devservertest.Stop()
	knottest.Stop()
	os.Exit(code)
}

func TestEnsureAdminToken(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	path := filepath.Join(t.TempDir(), "admin.token")
	ensure := func() string {
		valid, err := roles.EnsureAdminToken(t.Context(), store, path, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.True(t, valid)
		token, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(token)
	}
	token := ensure()
	require.True(t, strings.HasSuffix(token, "\n"), "the token and a newline")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	made, err := store.TokenByHash(t.Context(), deployment.HashToken(strings.TrimSpace(token)))
	require.NoError(t, err)
	require.Equal(t, "admin", made.Name)
	require.Equal(t, token, ensure(), "a second start makes no second token")
}

// A start that was killed after the file and before the row: the next one makes the token of the file valid.
func TestEnsureAdminToken_FinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	path := filepath.Join(t.TempDir(), "admin.token")
	require.NoError(t, os.WriteFile(path, []byte("slipway_left\n"), 0o600))
	_, err := roles.EnsureAdminToken(t.Context(), store, path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = store.TokenByHash(t.Context(), deployment.HashToken("slipway_left"))
	require.NoError(t, err)
}

func TestEnsureAdminToken_AtOnceMakesOne(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	path := filepath.Join(t.TempDir(), "admin.token")
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			valid, err := roles.EnsureAdminToken(t.Context(), store, path, slog.New(slog.DiscardHandler))
			if err == nil && !valid {
				err = errors.New("the file's token is not valid")
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	var tokens int
	require.NoError(t, store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM tokens").Scan(&tokens))
	require.Equal(t, 1, tokens)
	left, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Equal(t, []string{path}, left)
}

// On a second host, or where the first token was replaced: no file that looks like a token and is none.
func TestEnsureAdminToken_WhereOthersManageTokens(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	_, err := store.CreateToken(t.Context(), deployment.Token{Name: "theirs"}, deployment.HashToken("theirs"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "admin.token")
	valid, err := roles.EnsureAdminToken(t.Context(), store, path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.False(t, valid)
	require.NoFileExists(t, path)

	require.NoError(t, os.WriteFile(path, []byte("slipway_old\n"), 0o600))
	valid, err = roles.EnsureAdminToken(t.Context(), store, path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.False(t, valid)
}

func TestJoinStore(t *testing.T) {
	t.Parallel()
	c := config.Postgres{URL: postgrestest.New(t).Config().ConnString(), Keyset: filepath.Join(t.TempDir(), "keyset.json")}
	_, err := roles.JoinStore(t.Context(), c, "localhost")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "slipway migrate")
	require.NoFileExists(t, c.Keyset, "a second keyset would read nothing that the first one sealed")

	_, err = secrets.OpenKeyset(t.Context(), secrets.Place{File: c.Keyset})
	require.NoError(t, err)
	store, err := roles.JoinStore(t.Context(), c, "localhost")
	require.NoError(t, err)
	defer store.Close()
	_, err = store.Pool().Exec(t.Context(), "UPDATE schema_version SET version = 1")
	require.NoError(t, err)
	_, err = roles.JoinStore(t.Context(), config.Postgres{URL: c.URL}, "localhost")
	require.ErrorIs(t, err, postgres.ErrOlderSchema)
}
