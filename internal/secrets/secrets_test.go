package secrets_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/secrets"
)

func open(t *testing.T, path string) *secrets.Keyset {
	t.Helper()
	k, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: path})
	require.NoError(t, err)
	return k
}

func TestEncryptAndDecrypt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyset.json")
	k := open(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	for _, plain := range []string{"", "secret", string(make([]byte, 32<<10))} {
		sealed, err := k.Encrypt([]byte(plain), []byte("place"))
		require.NoError(t, err)
		require.NotContains(t, string(sealed), "secret")
		opened, err := open(t, path).Decrypt(sealed, []byte("place"))
		require.NoError(t, err)
		require.Equal(t, plain, string(opened))
		_, err = k.Decrypt(sealed, []byte("another place"))
		require.Error(t, err)
		sealed[len(sealed)-1] ^= 1
		_, err = k.Decrypt(sealed, []byte("place"))
		require.Error(t, err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyset.json")
	k, other := open(t, path), open(t, path)
	old, err := k.Encrypt([]byte("old"), nil)
	require.NoError(t, err)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	rotate(t, k)
	rotate(t, other)

	fresh, err := k.Encrypt([]byte("new"), nil)
	require.NoError(t, err)
	for _, reader := range []*secrets.Keyset{k, other, open(t, path)} {
		for sealed, want := range map[string]string{string(old): "old", string(fresh): "new"} {
			plain, err := reader.Decrypt([]byte(sealed), nil)
			require.NoError(t, err)
			require.Equal(t, want, string(plain))
		}
	}
	stale := filepath.Join(t.TempDir(), "keyset.json")
	require.NoError(t, os.WriteFile(stale, before, 0o600))
	_, err = open(t, stale).Decrypt(fresh, nil)
	require.Error(t, err, "a rotated keyset seals with its new key")
}

func TestProcessesThatStartAtOnceShareOneKeyset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keyset.json")
	keysets := make([]*secrets.Keyset, 16)
	var wait sync.WaitGroup
	for i := range keysets {
		wait.Go(func() {
			k, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: path})
			if err != nil {
				t.Error(err)
			}
			keysets[i] = k
		})
	}
	wait.Wait()
	sealed, err := keysets[0].Encrypt([]byte("x"), nil)
	require.NoError(t, err)
	for _, k := range keysets {
		_, err := k.Decrypt(sealed, nil)
		require.NoError(t, err)
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing else is left behind")
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyset.json")
	open(t, path)
	require.NoError(t, os.Chmod(path, 0o644))
	_, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: path})
	require.ErrorContains(t, err, "0600")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = secrets.OpenKeyset(t.Context(), secrets.Place{File: path})
	require.ErrorContains(t, err, path)
	_, err = secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(path, "below-a-file")})
	require.Error(t, err)
}

func TestScrubURLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"clone https://user:pa55@git.example.com/a.git: 403":  "clone https://git.example.com/a.git: 403",
		"https://ghp_token@git.example.com/a":                 "https://git.example.com/a",
		`Get "https://x:p@ss@h:8443/a?b=c@d": EOF`:            `Get "https://h:8443/a?b=c@d": EOF`,
		"a postgres://u:p@db/x and a git+ssh://g:h@host/y":    "a postgres://db/x and a git+ssh://host/y",
		"nothing at https://git.example.com/a@b or me@host.x": "nothing at https://git.example.com/a@b or me@host.x",
	} {
		require.Equal(t, want, secrets.ScrubURLs(text))
	}
}
