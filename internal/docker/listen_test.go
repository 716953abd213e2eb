package docker_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where the kernel's tables show nothing of a container, it is asked; here both can be.
func TestAContainerSaysWhatItListensOn(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("", "LISTEN=:8080,127.0.0.1:9090"))
	untilSays(t, e, p, "listening on 127.0.0.1:9090")
	listeners, err := e.ListenersInside(t.Context(), p.ContainerID)
	require.NoError(t, err)
	require.ElementsMatch(t, []netip.AddrPort{netip.MustParseAddrPort("[::]:8080"), netip.MustParseAddrPort("127.0.0.1:9090")}, listeners)
}

func TestAContainerThatHasNoCatCannotSayIt(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("", "LISTEN=:8080", "PATH=/nowhere"))
	untilSays(t, e, p, "listening on :8080")
	_, err := e.ListenersInside(t.Context(), p.ContainerID)
	require.ErrorContains(t, err, "listening ports")
}
