package domains_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/domains"
	"github.com/slipway-dev/slipway/internal/domains/domainstest"
)

func TestTXT(t *testing.T) {
	t.Parallel()
	dns := domainstest.New(t)
	r := domains.NewResolver([]string{dns.Addr})
	values, err := r.TXT(t.Context(), "_x.example.com")
	require.NoError(t, err)
	require.Empty(t, values)
	dns.TXT("_x.example.com", "one", "two")
	values, err = r.TXT(t.Context(), "_x.example.com")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"one", "two"}, values)
	require.Contains(t, dns.Asked(), "TXT _x.example.com", "and no search domain behind it")
}

func TestTXT_AServerThatIsAwayIsPassedOver(t *testing.T) {
	t.Parallel()
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	broken, dns := domainstest.New(t), domainstest.New(t)
	broken.Break(true)
	dns.TXT("_x.example.com", "one")
	values, err := domains.NewResolver([]string{closed.LocalAddr().String(), broken.Addr, dns.Addr}).TXT(t.Context(), "_x.example.com")
	require.NoError(t, err)
	require.Equal(t, []string{"one"}, values)

	_, err = domains.NewResolver([]string{broken.Addr}).TXT(t.Context(), "_x.example.com")
	require.EqualError(t, err, "ask DNS for _x.example.com: server misbehaving")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	broken, dns := domainstest.New(t), domainstest.New(t)
	broken.Break(true)
	dns.Host("ns.example.com")
	r := domains.NewResolver([]string{broken.Addr, dns.Addr})
	for host, want := range map[string][]string{"ns.example.com": {"127.0.0.1"}, "nowhere.example.com": nil} {
		found, err := r.Addresses(t.Context(), host)
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
	servers, err := r.NS(t.Context(), "example.com")
	require.NoError(t, err)
	require.Empty(t, servers, "it is no zone")
}
