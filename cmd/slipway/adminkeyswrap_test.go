package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/internal/secrets/kmstest"
)

func TestAdminKeys_WrapAndUnwrap(t *testing.T) {
	kms := kmstest.Start(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "keyset.json")
	t.Setenv("SLIPWAY_DATA_DIR", dir)
	code, _, stderr := (&person{t: t}).run("admin", "keys", "wrap")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "fix: name the key as aws-kms://")
	t.Setenv("SLIPWAY_KEYSET_KMS", "arn:aws:kms:eu-west-1:111122223333:key/1")
	code, _, stderr = (&person{t: t}).run("admin", "keys", "wrap")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "SLIPWAY_KEYSET_KMS")

	t.Setenv("SLIPWAY_KEYSET_KMS", kms.NewKey(t))
	code, _, stderr = (&person{t: t}).run("admin", "keys", "wrap")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "fix: run `slipway migrate`")
	_, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: file})
	require.NoError(t, err)
	for _, step := range []struct{ command, says string }{
		{"wrap", " is now wrapped with aws-kms://arn:aws:kms:eu-west-1:"},
		{"wrap", " was wrapped before, and aws-kms://"},
		{"unwrap", " is now in clear, no more wrapped with aws-kms://"},
		{"unwrap", " was in clear before: unset SLIPWAY_KEYSET_KMS"},
	} {
		code, stdout, stderr := (&person{t: t}).run("admin", "keys", step.command)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, file+step.says)
	}
	code, stdout, _ := (&person{t: t}).run("admin", "keys", "wrap", "-o", "json")
	require.Zero(t, code)
	require.Contains(t, stdout, `"changed": true`)

	for name, value := range map[string]string{"SLIPWAY_KEYSET_KMS": "", "SLIPWAY_OPS_ADDR": "", "SLIPWAY_DATABASE_URL": "postgres://u@127.0.0.1:1/none"} {
		t.Setenv(name, value)
	}
	code, _, stderr = (&person{t: t}).run("api")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: open keyset "+file+": its keys are wrapped")
	require.Contains(t, stderr, "fix: name the key of KMS that it was wrapped with in SLIPWAY_KEYSET_KMS", "a role says it too")
}
