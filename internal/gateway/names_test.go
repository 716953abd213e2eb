package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesThatCanBeNobodysAreNotAskedFor(t *testing.T) {
	t.Parallel()
	front, _, r := serve(t, nil)
	for _, host := range []string{"192.0.2.1", "localhost", "intranet", "[2001:db8::1]", "a_b.example.com"} {
		seen, _ := ask(t, front, host)
		require.Equal(t, http.StatusNotFound, seen.StatusCode)
	}
	require.Zero(t, r.lookups())
	_, _ = ask(t, front, "shop.example.com")
	require.Equal(t, 1, r.lookups())
}
