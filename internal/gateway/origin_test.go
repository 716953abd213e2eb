package gateway_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gateway"
)

func TestForwardedHeadersOfTrustedProxies(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	b := backend(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	trust := func(networks ...string) func(*gateway.Options) {
		return func(o *gateway.Options) {
			o.PublicScheme = "http"
			for _, n := range networks {
				o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(n))
			}
		}
	}
	for _, c := range []struct {
		name             string
		trust            []string
		given            []string
		chain, scheme, h string
	}{
		{"nobody is trusted", nil, []string{"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "https"}, "127.0.0.1", "http", previewHost},
		{"another is", []string{"10.0.0.0/8"}, []string{"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "https"}, "127.0.0.1", "http", previewHost},
		{
			"the proxy says all",
			[]string{"127.0.0.0/8"},
			[]string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "HTTPS", "X-Forwarded-Host", "www.example.com"},
			"203.0.113.9, 127.0.0.1", "https", "www.example.com",
		},
		{"the proxy says nothing", []string{"127.0.0.0/8"}, nil, "127.0.0.1", "http", previewHost},
		{
			"what the visitor made up is cut off",
			[]string{"127.0.0.0/8", "10.0.0.0/8"},
			[]string{"X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.1.2.3", "X-Forwarded-Proto", "gopher"},
			"203.0.113.9, 10.1.2.3, 127.0.0.1", "http", previewHost,
		},
		{
			"rubbish ends the walk",
			[]string{"127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"},
			[]string{"X-Forwarded-For", "<script>, 2001:db8::1, ::ffff:10.1.2.3"},
			"2001:db8::1, 10.1.2.3, 127.0.0.1", "http", previewHost,
		},
	} {
		front, _, _ := serve(t, trust(c.trust...), live(b))
		given := append(c.given, "X_Forwarded_For", "6.6.6.6", "X-Real-IP", "6.6.6.6", "x_request_id", "6")
		ask(t, front, previewHost, given...)
		got := <-seen
		require.Equal(t, []string{c.chain}, got["X-Forwarded-For"], c.name)
		require.Equal(t, []string{c.scheme}, got["X-Forwarded-Proto"], c.name)
		require.Equal(t, []string{c.h}, got["X-Forwarded-Host"], c.name)
		for name := range got {
			require.NotContains(t, []string{"X_forwarded_for", "X_request_id", "X-Real-Ip"}, name, c.name)
		}
	}
}
