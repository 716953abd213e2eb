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

func TestTLS_CredentialsOfADNSProvider(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dns")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	settings := []string{"SLIPWAY_TLS=acme", "SLIPWAY_PREVIEW_DOMAIN=preview.example.com", "SLIPWAY_ACME_DNS_PROVIDER=cloudflare", "SLIPWAY_ACME_DNS_CREDENTIALS_FILE=" + path}
	write("# of ops\n\nCF_DNS_API_TOKEN = \"hush=\"\n")
	g, err := gatewayWith(settings...)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"CF_DNS_API_TOKEN": "hush="}, g.Gateway.TLS.DNSCredentials)

	faulty := func(problem, fix string, settings ...string) {
		t.Helper()
		_, err := gatewayWith(settings...)
		var faults config.Faults
		require.ErrorAs(t, err, &faults)
		require.Len(t, faults, 1)
		require.Equal(t, "SLIPWAY_ACME_DNS_CREDENTIALS_FILE", faults[0].Key)
		require.Contains(t, faults[0].Problem, problem)
		require.Contains(t, faults[0].Fix, fix)
		require.NotContains(t, err.Error(), "hush")
	}
	faulty("cloudflare needs credentials", "a line NAME=value for each of CF_DNS_API_TOKEN", settings[:3]...)
	write("CF_ZONE_API_TOKEN=hush\n")
	faulty("CF_DNS_API_TOKEN, which cloudflare needs, is missing", "add a line CF_DNS_API_TOKEN=… to "+path, settings...)
	write("CF_DNS_API_TOKEN=hush\nhush\n")
	faulty("line 2 of "+path+" is nothing that cloudflare takes", "and maybe CF_ZONE_API_TOKEN", settings...)
	require.NoError(t, os.Remove(path))
	faulty("no such file", "CF_DNS_API_TOKEN", settings...)

	faulty("whose credentials", "SLIPWAY_ACME_DNS_PROVIDER", settings[0], settings[1], settings[3])

	_, err = config.LoadAPI(append([]string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway"}, settings...))
	require.NoError(t, err, "the gateway's alone")
	_, err = gatewayWith("SLIPWAY_TLS=off", settings[2])
	require.NoError(t, err, "nothing is ordered")
	_, err = gatewayWith("SLIPWAY_ACME_DNS_PROVIDER=route66")
	require.ErrorContains(t, err, "cloudflare, digitalocean")
	_, err = gatewayWith("SLIPWAY_TLS=acme", settings[2])
	require.ErrorContains(t, err, "SLIPWAY_PREVIEW_DOMAIN: no CA gives a certificate for *.localhost")

	write("EXEC_PATH=/usr/local/bin/hook\nexport WHATEVER='it takes'\n")
	g, err = gatewayWith(append(settings, "SLIPWAY_ACME_DNS_PROVIDER=exec")...)
	require.NoError(t, err)
	require.Equal(t, "it takes", g.Gateway.TLS.DNSCredentials["WHATEVER"])
}
