package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
)

func TestAdminCA(t *testing.T) {
	dir := onEmptyMachine(t)
	store, err := roles.OpenStore(t.Context(), config.Postgres{URL: os.Getenv("SLIPWAY_DATABASE_URL"), Keyset: filepath.Join(dir, "keyset.json")}, "localhost")
	require.NoError(t, err)
	defer store.Close()
	code, printed, stderr := (&person{t: t}).run("admin", "ca")
	require.Zero(t, code, stderr)
	block, rest := pem.Decode([]byte(printed))
	require.NotNil(t, block)
	require.Empty(t, rest)
	root, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.True(t, root.IsCA)
	code, stdout, stderr := (&person{t: t}).run("admin", "ca", "--output", "json")
	require.Zero(t, code, stderr)
	var answer map[string]string
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	require.Equal(t, map[string]string{"certificate": printed}, answer, "the same one")
}
