package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
)

func TestDNSServers(t *testing.T) {
	t.Parallel()
	const database = "SLIPWAY_DATABASE_URL=postgres://u@db/slipway"
	a, err := config.LoadAPI([]string{database})
	require.NoError(t, err)
	require.Empty(t, a.Gateway.DNSServers)
	a, err = config.LoadAPI([]string{database, "SLIPWAY_DNS_SERVERS=192.0.2.53:53, [2001:db8::53]:53"})
	require.NoError(t, err)
	require.Equal(t, []string{"192.0.2.53:53", "[2001:db8::53]:53"}, a.Gateway.DNSServers)
	_, err = config.LoadAPI([]string{database, "SLIPWAY_DNS_SERVERS=192.0.2.53"})
	require.ErrorContains(t, err, "SLIPWAY_DNS_SERVERS")
}
