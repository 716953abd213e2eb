package secrets_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/secrets"
)

func rotate(t *testing.T, k *secrets.Keyset) secrets.Key {
	t.Helper()
	key, err := k.Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, secrets.Primary, key.State)
	return key
}

func seal(t *testing.T, k *secrets.Keyset, plain string) []byte {
	t.Helper()
	sealed, err := k.Encrypt([]byte(plain), nil)
	require.NoError(t, err)
	return sealed
}

func states(t *testing.T, k *secrets.Keyset) (states []secrets.KeyState) {
	t.Helper()
	keys, err := k.Keys(t.Context())
	require.NoError(t, err)
	for _, key := range keys {
		states = append(states, key.State)
	}
	return states
}

// Another process that has the file open seals with the new key, without having been told.
func TestARotationIsFollowed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyset.json")
	k, running := open(t, path), open(t, path)
	old := seal(t, running, "x")
	key := rotate(t, k)
	require.NotContains(t, string(old), string(key.Prefix()))
	require.Equal(t, key.Prefix(), seal(t, running, "x")[:secrets.PrefixLength])

	require.NoError(t, os.Remove(path))
	require.Equal(t, key.Prefix(), seal(t, running, "x")[:secrets.PrefixLength], "what is known goes on without the file")
}

// Two hosts with files of their own: the second may read what the first seals, from the first moment on.
func TestAPreparedKeyIsKnownBeforeItSeals(t *testing.T) {
	t.Parallel()
	here, there := filepath.Join(t.TempDir(), "keyset.json"), filepath.Join(t.TempDir(), "keyset.json")
	k := open(t, here)
	old := seal(t, k, "x")
	prepared, err := k.Prepare(t.Context())
	require.NoError(t, err)
	again, err := k.Prepare(t.Context())
	require.NoError(t, err)
	require.Equal(t, prepared, again, "one is enough")
	require.Equal(t, []secrets.KeyState{secrets.Primary, secrets.Prepared}, states(t, k))
	require.Equal(t, old[:secrets.PrefixLength], seal(t, k, "x")[:secrets.PrefixLength])
	data, err := os.ReadFile(here)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(there, data, 0o600))

	require.Equal(t, prepared.ID, rotate(t, k).ID)
	require.Equal(t, []secrets.KeyState{secrets.Old, secrets.Primary}, states(t, k))
	_, err = open(t, there).Decrypt(seal(t, k, "x"), nil)
	require.NoError(t, err)
}

func TestOnlyOldKeysAreRemoved(t *testing.T) {
	t.Parallel()
	k := open(t, filepath.Join(t.TempDir(), "keyset.json"))
	old := seal(t, k, "x")
	first, err := k.Keys(t.Context())
	require.NoError(t, err)
	primary := rotate(t, k)
	fresh := seal(t, k, "x")
	require.NoError(t, k.Remove(t.Context(), first[0].ID, primary.ID))
	require.Equal(t, []secrets.KeyState{secrets.Primary}, states(t, k))
	_, err = k.Decrypt(fresh, nil)
	require.NoError(t, err)
	_, err = k.Decrypt(old, nil)
	require.Error(t, err)
}

func TestAHeldKeysetIsNotChanged(t *testing.T) {
	t.Parallel()
	k := open(t, filepath.Join(t.TempDir(), "keyset.json"))
	release, err := k.Hold(t.Context())
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { _, err := k.Rotate(t.Context()); done <- err }()
	require.Equal(t, []secrets.KeyState{secrets.Primary}, states(t, k))
	release()
	require.NoError(t, <-done)
	require.Equal(t, []secrets.KeyState{secrets.Old, secrets.Primary}, states(t, k))
}
