package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gateway"
)

// pipes is a listener without a network, for tests in which the clock is made up.
type pipes struct {
	accept chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error { l.once.Do(func() { close(l.closed) }); return nil }

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (l *pipes) dial() net.Conn {
	visitor, server := net.Pipe()
	l.accept <- server
	return visitor
}

// serving serves a handler on pipes within a synctest bubble until the test ends.
func serving(t *testing.T, h http.HandlerFunc) *pipes {
	t.Helper()
	l := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- gateway.Serve(ctx, l, h, time.Second) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-served) })
	return l
}

// closedAfter returns how long the server leaves a connection open.
func closedAfter(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	begun := time.Now()
	_, err := io.Copy(io.Discard, c)
	require.NoError(t, err)
	return time.Since(begun)
}

func TestServe_BoundsHeadersAndIdleConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serving(t, func(http.ResponseWriter, *http.Request) {})
		slow := l.dial()
		_, err := io.WriteString(slow, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, closedAfter(t, slow), "headers that never end")

		idle := l.dial()
		_, err = io.WriteString(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		require.Equal(t, 2*time.Minute, closedAfter(t, idle), "a connection that asks for nothing more")

		large := l.dial()
		request := "GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 80<<10)
		go func() { _, _ = io.WriteString(large, request) }()
		response, err := http.ReadResponse(bufio.NewReader(large), nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
	})
}

func TestServe_CutsNoLongBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serving(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				n, err := io.Copy(io.Discard, r.Body)
				_, _ = fmt.Fprint(w, n, err)
				return
			}
			for range 24 {
				<-time.After(time.Hour) // the bubble's
				_, _ = io.WriteString(w, "data: x\n\n")
				_ = http.NewResponseController(w).Flush()
			}
		})
		stream := l.dial()
		_, err := io.WriteString(stream, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		require.Equal(t, 24, strings.Count(bodyOf(t, stream), "data: x"))

		upload := l.dial()
		_, err = io.WriteString(upload, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 24\r\n\r\n")
		require.NoError(t, err)
		for range 24 {
			<-time.After(time.Hour)
			_, err = io.WriteString(upload, "x")
			require.NoError(t, err)
		}
		require.Equal(t, "24 <nil>", bodyOf(t, upload))
	})
}

func bodyOf(t *testing.T, c net.Conn) string {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

func TestABodyBeyondTheBoundIsAnswered413(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	front, _, _ := serve(t, func(o *gateway.Options) { o.MaxBody = 100_000 }, live(b))
	post := func(body io.Reader) (answer, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL, body)
		require.NoError(t, err)
		r.Host = previewHost
		return send(t, front, r)
	}
	_, body := post(strings.NewReader(strings.Repeat("x", 100_000)))
	require.Equal(t, "100000 <nil>", body)
	unsized := func(n int) io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", n))) }
	_, body = post(unsized(100_000))
	require.Equal(t, "100000 <nil>", body)
	for name, long := range map[string]io.Reader{"its length said": strings.NewReader(strings.Repeat("x", 100_001)), "unsaid": unsized(150_000)} {
		response, body := post(long)
		require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode, name)
		require.Equal(t, "gateway.body_too_large", problemOf(t, body)["code"], name)
		require.Contains(t, body, "SLIPWAY_MAX_REQUEST_BODY", name)
	}
}

// An app that closes a connection while a POST is on its way loses it: nobody may send that a second time.
func TestIdleConnectionsToAppsAreClosedBeforeAppsDoIt(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 1)
	b := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	b.Start()
	t.Cleanup(b.Close)
	front, _, _ := serve(t, nil, live(b))
	response, _ := ask(t, front, previewHost)
	require.Equal(t, http.StatusOK, response.StatusCode)
	select {
	case <-closed:
	case <-time.After(time.Minute):
		require.Fail(t, "the connection stays open")
	}
}
