package secrets_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/internal/secrets/kmstest"
)

func openAt(t *testing.T, at secrets.Place) *secrets.Keyset {
	t.Helper()
	k, err := secrets.OpenKeyset(t.Context(), at)
	require.NoError(t, err)
	return k
}

// requireFailure expects an error that says what is wrong and what to do about it.
func requireFailure(t *testing.T, err error, code, fix string) {
	t.Helper()
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, code, f.Code, err)
	require.Contains(t, f.Fix, fix)
}

// requireWrapped expects that the file has no key in clear, and is readable by its owner alone.
func requireWrapped(t *testing.T, path string, wrapped bool) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, wrapped, !jsonHas(t, data, "key"), "%s", data)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestAWrappedKeysetIsUsedAsAnyOther(t *testing.T) {
	kms := kmstest.Start(t)
	at := secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json"), KMS: kms.NewKey(t)}
	k := openAt(t, at)
	requireWrapped(t, at.File, true)
	running := openAt(t, at)
	old := seal(t, running, "x")

	prepared, err := k.Prepare(t.Context())
	require.NoError(t, err)
	require.Equal(t, prepared.ID, rotate(t, k).ID)
	require.Equal(t, prepared.Prefix(), seal(t, running, "x")[:secrets.PrefixLength], "another process follows")
	_, err = running.Decrypt(old, nil)
	require.NoError(t, err)
	first, err := k.Keys(t.Context())
	require.NoError(t, err)
	require.NoError(t, k.Remove(t.Context(), first[0].ID))
	_, err = openAt(t, at).Decrypt(old, nil)
	require.Error(t, err)
}

func TestMoreKeysThanKMSEncrypts(t *testing.T) {
	kms := kmstest.Start(t)
	at := secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json"), KMS: kms.NewKey(t)}
	k := openAt(t, secrets.Place{File: at.File})
	for range 60 {
		rotate(t, k)
	}
	_, err := secrets.Wrap(t.Context(), at)
	require.NoError(t, err)
	require.Len(t, states(t, openAt(t, at)), 61)
}

func TestWrapAndUnwrap(t *testing.T) {
	kms := kmstest.Start(t)
	at := secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json"), KMS: kms.NewKey(t)}
	inClear := secrets.Place{File: at.File}
	running := openAt(t, inClear)
	sealed := seal(t, running, "x")
	_, err := secrets.OpenKeyset(t.Context(), at)
	requireFailure(t, err, "keyset.clear", "slipway admin keys wrap")
	_, err = secrets.Wrap(t.Context(), secrets.Place{File: at.File, KMS: at.KMS[:len(at.KMS)-1]})
	requireFailure(t, err, "keyset.kms_refused", "SLIPWAY_KEYSET_KMS")
	requireWrapped(t, at.File, false)

	for _, want := range []bool{true, false} {
		done, err := secrets.Wrap(t.Context(), at)
		require.NoError(t, err)
		require.Equal(t, want, done, "the second time nothing is left to do")
		requireWrapped(t, at.File, true)
	}
	_, err = secrets.OpenKeyset(t.Context(), inClear)
	requireFailure(t, err, "keyset.wrapped", "SLIPWAY_KEYSET_KMS")
	require.Equal(t, sealed[:secrets.PrefixLength], seal(t, running, "x")[:secrets.PrefixLength], "it goes on with the keys that it knows")
	wrapped := openAt(t, at)
	_, err = wrapped.Decrypt(sealed, nil)
	require.NoError(t, err)

	for _, want := range []bool{true, false} {
		done, err := secrets.Unwrap(t.Context(), at)
		require.NoError(t, err)
		require.Equal(t, want, done)
		requireWrapped(t, at.File, false)
	}
	seal(t, wrapped, "x")
	rotate(t, openAt(t, inClear))
	_, err = wrapped.Encrypt([]byte("x"), nil)
	requireFailure(t, err, "keyset.clear", "slipway admin keys wrap")
	_, err = wrapped.Decrypt(sealed, nil)
	require.NoError(t, err)
}

// While KMS is away, whoever has the keyset open goes on, and nobody opens it anew.
func TestKMSIsAway(t *testing.T) {
	kms := kmstest.Start(t)
	at := secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json"), KMS: kms.NewKey(t)}
	running, admin := openAt(t, at), openAt(t, at)
	sealed := seal(t, running, "x")
	kms.Stop()
	require.NoError(t, os.Chtimes(at.File, time.Time{}, time.Now().Add(time.Hour))) // such as a copy of the same file
	require.Equal(t, sealed[:secrets.PrefixLength], seal(t, running, "x")[:secrets.PrefixLength])
	_, err := running.Decrypt(sealed, nil)
	require.NoError(t, err)
	_, err = secrets.OpenKeyset(t.Context(), at)
	requireFailure(t, err, "keyset.kms_unreachable", "reach KMS")
	require.ErrorContains(t, err, "open keyset "+at.File+": unwrap keys: decrypt with "+at.KMS)
	before, err := os.ReadFile(at.File)
	require.NoError(t, err)
	_, err = admin.Rotate(t.Context())
	requireFailure(t, err, "keyset.kms_unreachable", "reach KMS")
	after, err := os.ReadFile(at.File)
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = secrets.OpenKeyset(t.Context(), secrets.Place{File: at.File + ".other", KMS: at.KMS})
	requireFailure(t, err, "keyset.kms_unreachable", "reach KMS")
	require.NoFileExists(t, at.File+".other")

	kms.Restart(t)
	key := rotate(t, admin)
	kms.Stop()
	_, err = running.Encrypt([]byte("x"), nil)
	requireFailure(t, err, "keyset.kms_unreachable", "reach KMS") // the key that it knows may have been removed
	_, err = running.Decrypt(sealed, nil)
	require.NoError(t, err)
	kms.Restart(t)
	require.Equal(t, key.Prefix(), seal(t, running, "x")[:secrets.PrefixLength])
}

func TestKMSRefuses(t *testing.T) {
	kms := kmstest.Start(t)
	at := secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json"), KMS: kms.NewKey(t)}
	openAt(t, at)
	_, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: at.File, KMS: kms.NewKey(t)})
	requireFailure(t, err, "keyset.kms_refused", "wrapped with")
	_, err = secrets.Wrap(t.Context(), secrets.Place{File: at.File, KMS: kms.NewKey(t)})
	requireFailure(t, err, "keyset.kms_refused", "wrapped with")
	kms.Disable(t, at.KMS)
	_, err = secrets.OpenKeyset(t.Context(), at)
	requireFailure(t, err, "keyset.kms_refused", "enable the key in KMS")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, err = secrets.OpenKeyset(t.Context(), at)
	requireFailure(t, err, "keyset.kms_unreachable", "credentials")
}

func jsonHas(t *testing.T, data []byte, field string) bool {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal(data, &fields))
	_, has := fields[field]
	return has
}
