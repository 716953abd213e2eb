package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestAssets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, key := range []string{"a", "a/b", "a/b/c", "a0", "a-b"} {
		require.NoError(t, b.SaveAsset(t.Context(), key, []byte("old")))
		require.NoError(t, b.SaveAsset(t.Context(), key, []byte("value of "+key)))
	}
	value, err := b.Asset(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, "value of a/b", string(value))
	keys, err := b.AssetKeys(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, []string{"a/b", "a/b/c"}, keys)
	require.NoError(t, b.DeleteAssets(t.Context(), "a"))
	keys, err = b.AssetKeys(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []string{"a-b", "a0"}, keys)
	_, err = b.Asset(t.Context(), "a/b")
	require.ErrorIs(t, err, deployment.ErrNotFound)
	_, _, err = b.AssetInfo(t.Context(), "a")
	require.ErrorIs(t, err, deployment.ErrNotFound)
	b.exec("UPDATE tls_assets SET key = 'moved' WHERE key = 'a0'")
	_, err = b.Asset(t.Context(), "moved")
	require.ErrorContains(t, err, "decrypt")
}

func TestLocks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	take := func(holder string) bool {
		taken, err := b.TakeLock(t.Context(), "order", holder, time.Minute)
		require.NoError(t, err)
		return taken
	}
	require.True(t, take("one"))
	require.True(t, take("one"), "it keeps it")
	require.False(t, take("two"))
	require.NoError(t, b.DropLock(t.Context(), "order", "two"))
	require.False(t, take("two"))
	b.exec("UPDATE tls_locks SET expires_at = now() - interval '1 second'")
	require.True(t, take("two"))
	require.False(t, take("one"), "it was away too long")
	require.NoError(t, b.DropLock(t.Context(), "order", "two"))
	require.True(t, take("one"))
}
