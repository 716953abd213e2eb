package deployment_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestValidateDomainName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"example.com", "shop.example.com", "xn--mnchen-3ya.example", "a.b.c.d.example", "1.example.com", "previews.example.org"} {
		require.Nil(t, deployment.ValidateDomainName(name, "preview.example.com"), name)
		require.True(t, deployment.CanBeDomain(name), name)
	}
	for name, fault := range map[string]string{
		"": "no domain", "localhost": "no domain", "*.example.com": "wildcard", "192.0.2.1": "no domain", "[2001:db8::1]": "no domain", "2001:db8::1": "no domain",
		"Shop.example.com": "no domain", "shop.example.com.": "no domain", "shop..example.com": "no domain", "-shop.example.com": "no domain",
		"shop_1.example.com": "no domain", "https://shop.example.com": "no domain", "shop.example.com:443": "no domain", "a b.example.com": "no domain",
		strings.Repeat("a", 64) + ".example.com": "no domain", strings.Repeat("abcdefgh.", 30) + "example.com": "no domain",
		"preview.example.com": "slipway gives the names", "shop.preview.example.com": "slipway gives the names",
	} {
		bad := deployment.ValidateDomainName(name, "preview.example.com")
		require.NotNil(t, bad, name)
		require.Equal(t, "name", bad.Field)
		require.Contains(t, bad.Fault, fault, name)
		require.NotEmpty(t, bad.Fix)
	}
	require.Nil(t, deployment.ValidateDomainName("shoppreview.example.com", "preview.example.com"))
}
