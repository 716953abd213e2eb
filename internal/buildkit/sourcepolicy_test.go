package buildkit_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// listener counts who connects to a port of 127.0.0.1, where buildkitd runs too.
func listener(t *testing.T) (port string, connections *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ln.Close()) })
	connections = &atomic.Int32{}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = conn.Close()
		}
	}()
	_, port, err = net.SplitHostPort(ln.Addr().String())
	require.NoError(t, err)
	return port, connections
}

func TestTheDaemonFetchesNothingFromTheHost(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	port, connections := listener(t)
	for name, dockerfile := range map[string]string{
		"ADD":                  from + "ADD http://127.0.0.1:PORT/file /\n",
		"ADD by a variable":    from + "ARG HOST=127.0.0.1\nADD http://$HOST:PORT/file /\n",
		"ADD by a number":      from + "ADD http://2130706433:PORT/file /\n",
		"ADD by IPv6":          from + "ADD http://[::ffff:127.0.0.1]:PORT/file /\n",
		"ADD by a name":        from + "ADD http://localhost:PORT/file /\n",
		"ADD with credentials": from + "ADD http://example.com:x@127.0.0.1:PORT/file /\n",
		"git over HTTP":        from + "ADD http://127.0.0.1:PORT/repo.git /\n",
		"git by a number":      from + "ADD http://0x7f.1:PORT/repo.git#main /\n",
		"git":                  from + "ADD git://127.0.0.1:PORT/repo.git /\n",
		"FROM":                 "FROM 127.0.0.1:PORT/x/y:1\n",
		"COPY --from":          from + "COPY --from=127.0.0.1:PORT/x/y:1 / /\n",
		"RUN --mount":          from + "RUN --mount=from=localhost:PORT/x/y:1,target=/m true\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := failure(t, b, request(t, strings.ReplaceAll(dockerfile, "PORT", port), nil))
			require.Equal(t, "build.source_refused", f.Code, f.Message)
			require.Equal(t, deployment.ClassUser, f.Class)
			require.Contains(t, f.Message, ":"+port+"/")
			require.NotEmpty(t, f.Fix)
			require.Zero(t, connections.Load(), "somebody connected")
		})
	}
}
