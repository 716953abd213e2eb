package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
)

func gatewayWith(settings ...string) (config.GatewayRole, error) {
	return config.LoadGateway(append([]string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway", "SLIPWAY_DATA_DIR=/data"}, settings...))
}

func TestTLS_ChangesWhatPreviewURLsLookLike(t *testing.T) {
	t.Parallel()
	g, err := gatewayWith()
	require.NoError(t, err)
	require.False(t, g.Gateway.TLS.On())
	require.Equal(t, "http", g.Gateway.PublicScheme)
	require.Equal(t, 8000, g.Gateway.PublicPort)
	require.Empty(t, g.Postgres.Keyset, "routes hold no secret")

	g, err = gatewayWith("SLIPWAY_TLS=acme", "SLIPWAY_TLS_ADDR=0.0.0.0:443")
	require.NoError(t, err)
	require.Equal(t, "https", g.Gateway.PublicScheme)
	require.Equal(t, 443, g.Gateway.PublicPort)
	require.Equal(t, "/data/keyset.json", g.Postgres.Keyset)
	require.Equal(t, []string{"http-01", "tls-alpn-01"}, g.Gateway.TLS.Challenges)
	require.Contains(t, g.Gateway.TLS.Directory, "letsencrypt.org")
	g, err = gatewayWith("SLIPWAY_TLS=internal", "SLIPWAY_PREVIEW_PORT=443")
	require.NoError(t, err)
	require.Equal(t, 443, g.Gateway.PublicPort, "of what forwards to it")

	d, err := config.LoadDev([]string{"SLIPWAY_TLS=internal", "SLIPWAY_TLS_ADDR=127.0.0.1:9443"})
	require.NoError(t, err)
	require.Contains(t, d.Servers(), config.Server{Key: "SLIPWAY_TLS_ADDR", Addr: "127.0.0.1:9443"})
	a, err := config.LoadAPI([]string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway", "SLIPWAY_TLS=internal"})
	require.NoError(t, err)
	require.Equal(t, "https", a.Gateway.PublicScheme, "whose answers hold those URLs")
}

func TestTLS_AnAccountsKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "eab")
	require.NoError(t, os.WriteFile(path, []byte("c2VjcmV0\n"), 0o600))
	g, err := gatewayWith("SLIPWAY_TLS=acme", "SLIPWAY_ACME_EAB_KEY_ID=kid", "SLIPWAY_ACME_EAB_KEY_FILE="+path)
	require.NoError(t, err)
	require.Equal(t, "c2VjcmV0", g.Gateway.TLS.EABKey)
	_, err = gatewayWith("SLIPWAY_TLS=acme", "SLIPWAY_ACME_EAB_KEY_ID=kid", "SLIPWAY_ACME_EAB_KEY_FILE=/nowhere")
	require.ErrorContains(t, err, "SLIPWAY_ACME_EAB_KEY_FILE")
	_, err = config.LoadAPI([]string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway", "SLIPWAY_TLS=acme", "SLIPWAY_ACME_EAB_KEY_ID=kid", "SLIPWAY_ACME_EAB_KEY_FILE=/nowhere"})
	require.NoError(t, err, "the gateway's alone")
}

func TestTLS_WhatContradicts(t *testing.T) {
	t.Parallel()
	for _, bad := range []struct {
		settings []string
		key      string
	}{
		{[]string{"SLIPWAY_TLS=own"}, "SLIPWAY_TLS"},
		{[]string{"SLIPWAY_TLS=on"}, "SLIPWAY_TLS"},
		{[]string{"SLIPWAY_TLS=acme", "SLIPWAY_TLS_CERT_FILE=c.pem"}, "SLIPWAY_TLS_CERT_FILE"},
		{[]string{"SLIPWAY_TLS=acme", "SLIPWAY_ACME_EAB_KEY_ID=kid"}, "SLIPWAY_ACME_EAB_KEY_ID"},
		{[]string{"SLIPWAY_ACME_DIRECTORY=http://ca.example.com"}, "SLIPWAY_ACME_DIRECTORY"},
		{[]string{"SLIPWAY_ACME_CHALLENGES=dns-01"}, "SLIPWAY_ACME_CHALLENGES"},
		{[]string{"SLIPWAY_TLS_ADDR=443"}, "SLIPWAY_TLS_ADDR"},
		{[]string{"SLIPWAY_TLS_MAX_ORDERS=-1"}, "SLIPWAY_TLS_MAX_ORDERS"},
	} {
		_, err := gatewayWith(bad.settings...)
		var faults config.Faults
		require.ErrorAs(t, err, &faults, "%v", bad.settings)
		require.Len(t, faults, 1)
		require.Equal(t, bad.key, faults[0].Key)
		require.NotEmpty(t, faults[0].Fix)
	}
}
