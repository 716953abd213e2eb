package gateway_test

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // the protocol's
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

const stableHost = "shop.localhost"

// at returns the route of the environment's name to a deployment.
func at(b *httptest.Server, id string, liveFor time.Duration) deployment.Route {
	r := live(b)
	r.Hostname, r.Stable, r.DeploymentID, r.LiveFor = stableHost, true, id, liveFor
	return r
}

// following serves a gateway that follows its routes, with a drain time of an hour. reviewed waits until it has looked at them as they
// are then: it looks once a minute by itself too.
func following(t *testing.T, known ...deployment.Route) (front *httptest.Server, g *gateway.Gateway, r *routes, reviewed func()) {
	t.Helper()
	counted := newCounter()
	front, g, r = serve(t, func(o *gateway.Options) {
		o.Drain, o.CacheFor = time.Hour, time.Hour
		o.Counter = deaf{counted}
	}, known...)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	followed := make(chan struct{})
	go func() { defer close(followed); g.Follow(ctx) }()
	t.Cleanup(func() { stop(); <-followed })
	kept := 0
	return front, g, r, func() {
		before := r.looked()
		g.InvalidateAll()
		for ; kept <= before; kept++ {
			<-counted.kept
		}
	}
}

// deaf is a Counter that is told of Keep alone.
type deaf struct{ counter }

func (deaf) VisitBegan(deployment.Place) func(deployment.Visit) { return func(deployment.Visit) {} }

func dial(t *testing.T, front *httptest.Server, host string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), front.URL+"/socket", &websocket.DialOptions{Host: host}) //nolint:bodyclose // by CloseNow
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// echo answers what a WebSocket says, and a request for /slow when released; /stream sends a line and goes on for ever.
func echo(t *testing.T, arrived, release chan struct{}) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			arrived <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
			fmt.Fprint(w, "finished")
		case "/stream":
			_, _ = io.WriteString(w, "one\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/socket":
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.CloseNow() }()
			for {
				kind, message, err := c.Read(r.Context())
				if err != nil || c.Write(r.Context(), kind, message) != nil {
					return
				}
			}
		default:
			fmt.Fprint(w, "ok")
		}
	}
}

func requireEcho(t *testing.T, c *websocket.Conn) {
	t.Helper()
	require.NoError(t, c.Write(t.Context(), websocket.MessageText, []byte("there?")))
	_, message, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "there?", string(message))
}

func requireGoingAway(t *testing.T, c *websocket.Conn) {
	t.Helper()
	_, _, err := c.Read(t.Context())
	require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), "%v", err)
}

func get(t *testing.T, front *httptest.Server, host, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+path, nil)
	require.NoError(t, err)
	r.Host = host
	response, err := front.Client().Do(r)
	require.NoError(t, err)
	return response
}

// begun is what became of a request.
type begun struct {
	status int
	body   string
	err    error
}

// begin sends a request and does not wait for its answer.
func begin(t *testing.T, front *httptest.Server, path string) <-chan begun {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+path, nil)
	require.NoError(t, err)
	r.Host = stableHost
	answers := make(chan begun, 1)
	go func() {
		response, err := front.Client().Do(r)
		if err != nil {
			answers <- begun{err: err}
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		answers <- begun{response.StatusCode, string(body), err}
	}()
	return answers
}

func TestWhatIsUnderWayAtASwapGoesOnUntilTheDrainTimeIsOver(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	old, fresh := backend(t, echo(t, arrived, release)), backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "new") })
	own := live(old)
	front, _, known, reviewed := following(t, at(old, "d-1", time.Second), own)
	socket := dial(t, front, stableHost)
	stream := get(t, front, stableHost, "/stream")
	defer func() { _ = stream.Body.Close() }()
	answers := begin(t, front, "/slow")
	<-arrived

	known.set(at(fresh, "d-2", 0)) // the swap
	own.ReplacedBy, own.State = 8, deployment.PreviewLive
	known.set(own)
	reviewed()
	_, body := ask(t, front, stableHost)
	require.Equal(t, "new", body)
	response, _ := ask(t, front, previewHost)
	require.Equal(t, http.StatusGone, response.StatusCode, "nobody begins anything at a preview that is drained")
	requireEcho(t, socket)
	release <- struct{}{}
	require.Equal(t, begun{status: http.StatusOK, body: "finished"}, <-answers)
	requireEcho(t, socket)
}

func TestWhatIsLeftWhenTheDrainTimeIsOverIsEnded(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	old, fresh := backend(t, echo(t, arrived, nil)), backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "new") })
	for name, now := range map[string]deployment.Route{
		"replaced": at(fresh, "d-2", 2*time.Hour), "stopped": {Hostname: stableHost, Project: "shop", Environment: "production", Stable: true},
	} {
		front, _, known, reviewed := following(t, at(old, "d-1", time.Second))
		socket := dial(t, front, stableHost)
		stream := get(t, front, stableHost, "/stream")
		answers := begin(t, front, "/slow")
		<-arrived
		reviewed()
		requireEcho(t, socket)

		known.set(now)
		reviewed()
		requireGoingAway(t, socket)
		slow := <-answers
		require.NoError(t, slow.err)
		require.Equal(t, http.StatusServiceUnavailable, slow.status, name)
		require.Equal(t, "gateway.drained", problemOf(t, slow.body)["code"], name)
		_, err := io.ReadAll(stream.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
		require.NoError(t, stream.Body.Close())
	}
}

// The gateway goes by a route that is a swap behind, and meets the closed port of what was replaced.
func TestARequestThatGoesToTheSuccessorIsDrainedWithIt(t *testing.T) {
	t.Parallel()
	old, fresh := backend(t, echo(t, nil, nil)), backend(t, echo(t, nil, nil))
	front, _, known, reviewed := following(t, at(old, "d-1", time.Second))
	stayed := dial(t, front, stableHost)
	old.Close()
	known.set(at(fresh, "d-2", 2*time.Hour))
	moved := dial(t, front, stableHost)
	requireEcho(t, moved)
	reviewed()
	requireGoingAway(t, stayed)
	requireEcho(t, moved)

	known.set(at(fresh, "d-3", 2*time.Hour))
	reviewed()
	requireGoingAway(t, moved)
}

// accept is a server's answer to a WebSocket's key (RFC 6455, 4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // the protocol's
	return base64.StdEncoding.EncodeToString(sum[:])
}

// frameOf is what a server says in one frame of text, its length in two bytes.
func frameOf(text string) string {
	return string([]byte{0x81, 126, byte(len(text) >> 8), byte(len(text))}) + text
}

func TestACloseFrameComesBetweenFrames(t *testing.T) {
	t.Parallel()
	rest := make(chan struct{})
	message := strings.Repeat("x", 1000)
	old := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Sec-WebSocket-Accept", accept(r.Header.Get("Sec-WebSocket-Key")))
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		whole := frameOf(message)
		_, _ = io.WriteString(conn, frameOf("first")+whole[:3])
		<-rest
		_, _ = io.WriteString(conn, whole[3:]+frameOf("too late"))
		_, _ = io.Copy(io.Discard, conn)
	})
	front, _, known, reviewed := following(t, at(old, "d-1", time.Second))
	socket := dial(t, front, stableHost)
	_, first, err := socket.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "first", string(first))
	known.set(at(old, "d-2", 2*time.Hour))
	reviewed()
	close(rest)
	_, second, err := socket.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, message, string(second), "a frame is not broken")
	requireGoingAway(t, socket)
}

func TestOtherUpgradesAreJustClosed(t *testing.T) {
	t.Parallel()
	old := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Upgrade", "chat")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.Copy(conn, both)
	})
	front, _, known, reviewed := following(t, at(old, "d-1", time.Second))
	conn, err := net.Dial("tcp", front.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n", stableHost)
	require.NoError(t, err)
	read := bufio.NewReader(conn)
	response, err := http.ReadResponse(read, nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	line, err := read.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
	known.set(at(old, "d-2", 2*time.Hour))
	reviewed()
	rest, _ := io.ReadAll(read) // closed or reset
	require.Empty(t, rest)
}

// staleRoutes answers Routes as it stood before the call, once it is released.
type staleRoutes struct {
	*routes
	asked, release chan struct{}
	stale          []deployment.Route
}

func (r staleRoutes) Routes(context.Context) ([]deployment.Route, error) {
	r.asked <- struct{}{}
	<-r.release
	return r.stale, nil
}

func TestAPreviewThatGoesLiveDuringALookIsNotDrained(t *testing.T) {
	t.Parallel()
	b := backend(t, echo(t, nil, nil))
	counted := newCounter()
	stale := staleRoutes{asked: make(chan struct{}), release: make(chan struct{}), stale: []deployment.Route{at(b, "d-1", 2*time.Hour)}}
	front, g, _ := serve(t, func(o *gateway.Options) {
		stale.routes, _ = o.Routes.(*routes)
		o.Routes, o.Counter = stale, deaf{counted}
	}, at(b, "d-2", 0))
	ctx, stop := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() { defer close(followed); g.Follow(ctx) }()
	g.InvalidateAll()
	<-stale.asked
	socket := dial(t, front, stableHost)
	requireEcho(t, socket)
	stale.release <- struct{}{}
	<-counted.kept
	requireEcho(t, socket)
	stop()
	<-followed
}
