package certificates_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/dnsproof/knottest"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
)

func TestMain(m *testing.M) {
	code := postgrestest.Main(m)
	knottest.Stop()
	os.Exit(code)
}

// newStore is a store with a keyset, as a gateway has it.
func newStore(t *testing.T) *postgres.Store {
	t.Helper()
	keys, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json")})
	require.NoError(t, err)
	return postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "preview.example.test", Cipher: keys})
}

func TestStorage(t *testing.T) {
	t.Parallel()
	s, ctx := certificates.NewStorage(newStore(t)), t.Context()
	for _, key := range []string{"certificates/ca/a.example.com/a.example.com.key", "certificates/ca/a.example.com/a.example.com.crt", "certificates/ca/b/b.crt", "certificates/ca0", "acme/x"} {
		require.NoError(t, s.Store(ctx, key, []byte("one")))
		require.NoError(t, s.Store(ctx, key, []byte("value of "+key)))
	}
	value, err := s.Load(ctx, "certificates/ca0")
	require.NoError(t, err)
	require.Equal(t, "value of certificates/ca0", string(value))
	_, err = s.Load(ctx, "certificates/ca")
	require.ErrorIs(t, err, fs.ErrNotExist, "that is a folder")
	require.True(t, s.Exists(ctx, "certificates/ca"))
	require.False(t, s.Exists(ctx, "certificates/c"))

	list := func(path string, recursive bool) []string {
		keys, err := s.List(ctx, path, recursive)
		require.NoError(t, err)
		return keys
	}
	require.Equal(t, []string{"certificates/ca/a.example.com", "certificates/ca/b"}, list("certificates/ca", false))
	require.Equal(t, []string{
		"certificates/ca/a.example.com/a.example.com.crt", "certificates/ca/a.example.com/a.example.com.key", "certificates/ca/b/b.crt",
	}, list("certificates/ca/", true))
	require.Equal(t, []string{"acme", "certificates"}, list("", false))
	_, err = s.List(ctx, "nothing", false)
	require.ErrorIs(t, err, fs.ErrNotExist)

	info, err := s.Stat(ctx, "certificates/ca0")
	require.NoError(t, err)
	require.True(t, info.IsTerminal)
	require.Positive(t, info.Size)
	require.WithinDuration(t, time.Now(), info.Modified, time.Minute)
	info, err = s.Stat(ctx, "certificates/ca")
	require.NoError(t, err)
	require.False(t, info.IsTerminal)
	_, err = s.Stat(ctx, "nothing")
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, s.Delete(ctx, "certificates/ca"))
	require.NoError(t, s.Delete(ctx, "certificates/ca"))
	require.Equal(t, []string{"certificates/ca0"}, list("certificates", true))
}

func TestStorage_ValuesAreEncryptedAndStayInTheirPlace(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	s := certificates.NewStorage(store)
	require.NoError(t, s.Store(t.Context(), "a.key", []byte("-----BEGIN PRIVATE KEY-----\nabc")))
	var row []byte
	require.NoError(t, store.Pool().QueryRow(t.Context(), "SELECT value FROM tls_assets").Scan(&row))
	require.NotContains(t, string(row), "PRIVATE KEY")
	require.NotContains(t, string(row), "abc")
	_, err := store.Pool().Exec(t.Context(), "UPDATE tls_assets SET key = 'b.key'")
	require.NoError(t, err)
	_, err = s.Load(t.Context(), "b.key")
	require.ErrorContains(t, err, "decrypt")
	require.NotErrorIs(t, err, fs.ErrNotExist, "that would be ordered anew")

	blind := certificates.NewStorage(postgres.New(store.Pool(), postgres.Options{}))
	require.ErrorContains(t, blind.Store(t.Context(), "c.key", nil), "keyset")
	_, err = blind.Load(t.Context(), "b.key")
	require.ErrorContains(t, err, "keyset")
}

func TestStorage_LocksExclude(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	a, b := certificates.NewStorage(store), certificates.NewStorage(store)
	const lease = 3 * time.Second // of which a third may pass with a lock's renewal: Postgres may be slow for a moment
	for _, s := range []*certificates.Storage{a, b} {
		s.SetLease(lease)
	}
	var inside, most, turns atomic.Int32
	done := make(chan error)
	worker := func(s *certificates.Storage) {
		err := s.Lock(t.Context(), "order")
		if err == nil {
			most.Store(max(most.Load(), inside.Add(1)))
			select { // longer than the lease: whoever lives keeps what they hold
			case <-time.After(lease + lease/3):
			case <-t.Context().Done():
			}
			inside.Add(-1)
			turns.Add(1)
			err = s.Unlock(t.Context(), "order")
		}
		done <- err
	}
	for _, s := range []*certificates.Storage{a, a, b} {
		go worker(s)
	}
	for range 3 {
		require.NoError(t, <-done)
	}
	require.EqualValues(t, 1, most.Load())
	require.EqualValues(t, 3, turns.Load())
	require.Error(t, a.Unlock(t.Context(), "order"))

	require.NoError(t, a.Lock(t.Context(), "order"))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no more"))
	require.ErrorContains(t, b.Lock(ctx, "order"), "no more")
	require.NoError(t, a.Unlock(t.Context(), "order"))
	require.NoError(t, b.Lock(t.Context(), "order"), "nobody has to wait for the lease")
	require.NoError(t, b.Unlock(t.Context(), "order"))
}

func TestStorage_AHolderThatIsGoneHasLostItsLock(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	pool, err := postgres.OpenLater(t.Context(), store.Pool().Config().ConnString(), postgres.Options{})
	require.NoError(t, err)
	gone, heir := certificates.NewStorage(pool), certificates.NewStorage(store) // the heir has the usual lease, and keeps what it takes
	gone.SetLease(300 * time.Millisecond)
	require.NoError(t, gone.Lock(t.Context(), "order"))
	pool.Close() // as its process would be
	require.NoError(t, heir.Lock(t.Context(), "order"))
	back, err := postgres.OpenLater(t.Context(), store.Pool().Config().ConnString(), postgres.Options{})
	require.NoError(t, err)
	defer back.Close()
	taken, err := back.TakeLock(t.Context(), "order", "another", time.Minute)
	require.NoError(t, err)
	require.False(t, taken)
	require.NoError(t, back.DropLock(t.Context(), "order", "another"), "drops nothing of others'")
	taken, err = back.TakeLock(t.Context(), "order", "another", time.Minute)
	require.NoError(t, err)
	require.False(t, taken)
	require.NoError(t, heir.Unlock(t.Context(), "order"))
}
