package roles_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/internal/secrets/kmstest"
)

// An installation that gets a KMS: it refuses to start until the keyset is wrapped, then all goes on as before.
func TestWrapKeys(t *testing.T) {
	kms := kmstest.Start(t)
	m, running, p := withSecrets(t)
	_, err := roles.WrapKeys(t.Context(), m.Postgres)
	require.ErrorContains(t, err, "SLIPWAY_KEYSET_KMS is not set")
	m.Postgres.KeysetKMS = kms.NewKey(t)
	_, err = roles.JoinMachine(t.Context(), m)
	require.ErrorContains(t, err, "in clear")
	require.Contains(t, roles.FixOf(err), "slipway admin keys wrap")

	changed, err := roles.WrapKeys(t.Context(), m.Postgres)
	require.NoError(t, err)
	require.True(t, changed)
	requireReadable(t, running, p)
	store, err := roles.JoinMachine(t.Context(), m)
	require.NoError(t, err)
	defer store.Close()
	requireReadable(t, store, p)
	done, err := roles.RotateKeys(t.Context(), m, store)
	require.NoError(t, err)
	require.Equal(t, 4, done.Resealed)
	require.Equal(t, map[secrets.KeyState]int{secrets.Old: 0, secrets.Primary: 4}, secretsByState(t, m, store))
	requireReadable(t, store, p)

	kms.Stop()
	requireReadable(t, store, p)
	_, err = roles.JoinMachine(t.Context(), m)
	require.Contains(t, roles.FixOf(err), "reach KMS")
	_, err = roles.UnwrapKeys(t.Context(), m.Postgres)
	require.Contains(t, roles.FixOf(err), "reach KMS")
	kms.Restart(t)
	changed, err = roles.UnwrapKeys(t.Context(), m.Postgres)
	require.NoError(t, err)
	require.True(t, changed)
	m.Postgres.KeysetKMS = ""
	again, err := roles.JoinMachine(t.Context(), m)
	require.NoError(t, err)
	defer again.Close()
	requireReadable(t, again, p)
}

func TestMigrate_MakesAWrappedKeyset(t *testing.T) {
	kms := kmstest.Start(t)
	c := migration(t)
	c.Postgres.KeysetKMS = kms.NewKey(t)
	for range 2 {
		_, err := roles.Migrate(t.Context(), c, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
	}
	data, err := os.ReadFile(c.Postgres.Keyset)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(data, &fields))
	require.Contains(t, fields, "encryptedKeyset")
	require.NotContains(t, fields, "key")
	store, err := roles.JoinStore(t.Context(), c.Postgres, "localhost")
	require.NoError(t, err)
	store.Close()
	_, err = roles.JoinStore(t.Context(), config.Postgres{URL: c.Postgres.URL, Keyset: c.Postgres.Keyset}, "localhost")
	require.Contains(t, roles.FixOf(err), "SLIPWAY_KEYSET_KMS")
}
