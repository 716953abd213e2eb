package checkout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/checkout"
)

func TestSame(t *testing.T) {
	t.Parallel()
	const shop = "https://git.example.com/team/shop.git"
	for _, same := range []string{
		shop, "https://git.example.com/team/shop", "https://git.example.com/team/shop/", "https://GIT.example.com:443/team//shop.git/",
		"https://someone:secret@git.example.com/team/shop.git", "http://git.example.com/team/shop.git",
		"ssh://git@git.example.com/team/shop.git", "ssh://git@git.example.com:22/team/shop", "ssh://git@git.example.com:2222/team/shop.git",
		"git@git.example.com:team/shop.git", "git@git.example.com:/team/shop", "git.example.com:team/shop.git",
		"git+ssh://git@git.example.com/team/shop.git", "git://git.example.com/team/shop.git", "HTTPS://git.example.com/team/shop.git",
	} {
		require.True(t, checkout.Same(shop, same), same)
		require.True(t, checkout.Same(same, shop), same)
	}
	for _, other := range []string{
		"https://git.example.com/team/shopping.git", "https://git.example.com/shop.git", "https://example.com/team/shop.git",
		"https://git.example.com:8443/team/shop.git", "git@git.example.com:Team/shop.git", "/srv/git/team/shop.git", "../shop.git",
		"file:///team/shop.git", "https://git.example.com/", "https:///team/shop.git", "", "shop", "https://%zz/team/shop.git",
		"s3://git.example.com/team/shop.git",
	} {
		require.False(t, checkout.Same(shop, other), other)
		require.False(t, checkout.Same(other, shop), other)
	}
	require.False(t, checkout.Same("http://127.0.0.1:8081/a.git", "http://127.0.0.1:8082/a.git"), "two servers on one host")
	require.False(t, checkout.Same("ssh://git@h:2201/a.git", "h:a.git"), "likewise")
	require.False(t, checkout.Same("/srv/a.git", "/srv/a.git"), "no server fetches from a folder")
	require.True(t, checkout.Same("git@[::1]:a.git", "ssh://git@[::1]/a"))
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://git.example.com/team/shop.git":              "https://git.example.com/team/shop.git",
		"https://me:secret@git.example.com:8443/team/shop":   "https://git.example.com:8443/team/shop",
		"https://ghs_token@git.example.com/team/shop.git?x#": "https://git.example.com/team/shop.git",
		"git@git.example.com:team/shop.git":                  "ssh://git@git.example.com/team/shop.git",
		"git.example.com:/team/shop.git":                     "ssh://git.example.com/team/shop.git",
		"git+ssh://me:pw@git.example.com/team/shop.git":      "ssh://me@git.example.com/team/shop.git",
		"/srv/git/shop.git":                                  "",
	} {
		got, ok := checkout.Remote{URL: given}.Public()
		require.Equal(t, want, got, given)
		require.Equal(t, want != "", ok, given)
	}
}
