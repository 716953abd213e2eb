package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

// counter is a Counter that hands on what it is told.
type counter struct {
	began chan deployment.Place
	ended chan deployment.Visit
	kept  chan []deployment.Place
}

func newCounter() counter {
	return counter{make(chan deployment.Place, 16), make(chan deployment.Visit, 16), make(chan []deployment.Place, 16)}
}

func (c counter) VisitBegan(p deployment.Place) func(deployment.Visit) {
	c.began <- p
	return func(v deployment.Visit) { c.ended <- v }
}

func (c counter) Keep(places []deployment.Place) { c.kept <- places }

// lines is a log that may be written to at any time.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns the lines of the access log since the last call.
func (l *lines) take(t *testing.T) (visits []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		if fields["msg"] == "visit" {
			visits = append(visits, fields)
		}
	}
	l.buf.Reset()
	return visits
}

// app answers in every way that matters to who counts.
func app(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/missing":
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNotFound)
	case "/upload":
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "thanks")
	case "/broken":
		w.WriteHeader(http.StatusInternalServerError)
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, "data: 1\n\n")
	case "/socket":
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = c.Read(r.Context())
			_ = c.Write(r.Context(), websocket.MessageText, []byte("12345678"))
			_ = c.Close(websocket.StatusNormalClosure, "")
		}
	case "/never":
		<-r.Context().Done()
	}
}

func TestVisitsAreCountedAndLogged(t *testing.T) {
	t.Parallel()
	counted, log := newCounter(), &lines{}
	front, _, _ := serve(t, func(o *gateway.Options) {
		o.Counter, o.AccessLog = counted, gateway.AccessLogAll
		o.Logger = slog.New(slog.NewJSONHandler(log, nil))
	}, live(backend(t, app)))
	shop := deployment.Place{Project: "shop", Environment: "production"}
	visit := func(ctx context.Context, method, path string, body io.Reader) {
		r, err := http.NewRequestWithContext(ctx, method, front.URL+path, body)
		require.NoError(t, err)
		r.Host = previewHost
		r.Header.Set("User-Agent", "tester")
		r.Header.Set("X-Request-Id", "trace-1")
		if response, err := front.Client().Do(r); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	}
	seen := func(p deployment.Place) deployment.Visit {
		require.Equal(t, p, <-counted.began)
		v := <-counted.ended
		require.Positive(t, v.Took)
		v.Took = 0
		return v
	}
	of := func(status int, received, sent int64, stream bool) deployment.Visit {
		return deployment.Visit{Project: shop.Project, Environment: shop.Environment, Status: status, Received: received, Sent: sent, Stream: stream}
	}
	visit(t.Context(), http.MethodPost, "/upload?token=secret", io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000))))
	require.Equal(t, of(200, 100_000, 6, false), seen(shop))
	visit(t.Context(), http.MethodGet, "/missing", nil)
	require.Equal(t, of(404, 0, 0, false), seen(shop))
	visit(t.Context(), http.MethodGet, "/events", nil)
	require.Equal(t, of(200, 0, 9, true), seen(shop))
	leaving, leave := context.WithCancel(t.Context())
	go visit(leaving, http.MethodGet, "/never", nil)
	require.Equal(t, shop, <-counted.began)
	leave()
	require.Equal(t, 499, (<-counted.ended).Status)

	c, _, err := websocket.Dial(t.Context(), front.URL+"/socket", &websocket.DialOptions{Host: previewHost}) //nolint:bodyclose // by CloseNow
	require.NoError(t, err)
	require.NoError(t, c.Write(t.Context(), websocket.MessageText, []byte("1234")))
	_, _, err = c.Read(t.Context())
	require.NoError(t, err)
	_, _, err = c.Read(t.Context())
	require.Error(t, err)
	socket := seen(shop)
	require.Equal(t, http.StatusSwitchingProtocols, socket.Status)
	require.True(t, socket.Stream)
	require.GreaterOrEqual(t, socket.Received, int64(2+4+4), "header, mask and message")
	require.GreaterOrEqual(t, socket.Sent, int64(2+8))

	response, _ := ask(t, front, "nobody-preview.localhost")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Equal(t, 404, seen(deployment.Place{}).Status)

	require.Eventually(t, func() bool { return strings.Count(log.String(), "\n") == 6 }, time.Minute, time.Millisecond)
	all := log.take(t)
	require.Len(t, all, 6, "a line for each request")
	first := all[0]
	require.Positive(t, first["seconds"])
	for name, want := range map[string]any{
		"level": "INFO", "request_id": "trace-1", "client": "127.0.0.1", "host": previewHost, "method": "POST", "path": "/upload", "protocol": "HTTP/1.1",
		"status": 200.0, "received": 100_000.0, "sent": 6.0, "project": "shop", "environment": "production", "deployment": "d-1", "agent": "tester",
	} {
		require.Equal(t, want, first[name], name)
	}
	require.NotContains(t, fmt.Sprint(all), "secret", "a query may hold one")
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestAccessLogOfErrorsOrNone(t *testing.T) {
	t.Parallel()
	for which, want := range map[string]int{gateway.AccessLogErrors: 1, gateway.AccessLogOff: 0, "": 0} {
		counted, log := newCounter(), &lines{}
		front, _, _ := serve(t, func(o *gateway.Options) {
			o.Counter, o.AccessLog = counted, which
			o.Logger = slog.New(slog.NewJSONHandler(log, nil))
		}, live(backend(t, app)))
		for _, path := range []string{"/missing", "/broken"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+path, nil)
			require.NoError(t, err)
			r.Host = previewHost
			send(t, front, r)
			<-counted.ended
		}
		front.Close() // waits for the handlers, which log last
		require.Len(t, log.take(t), want, which)
	}
}

func TestWhatIsCountedOfDeletedEnvironmentsIsForgotten(t *testing.T) {
	t.Parallel()
	counted := newCounter()
	shop := deployment.Route{Hostname: "shop.localhost", Project: "shop", Environment: "production", Stable: true}
	branch := deployment.Route{Hostname: "shop-x-preview.localhost", Project: "shop", Environment: "branch/x", Stable: true}
	_, g, known := serve(t, func(o *gateway.Options) { o.Counter = counted }, shop, branch)
	ctx, stop := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() { defer close(followed); g.Follow(ctx) }()
	g.InvalidateAll()
	require.ElementsMatch(t, []deployment.Place{{Project: "shop", Environment: "production"}, {Project: "shop", Environment: "branch/x"}}, <-counted.kept)
	known.replace(shop)
	g.Invalidate("shop-x-preview.localhost")
	require.Equal(t, []deployment.Place{{Project: "shop", Environment: "production"}}, <-counted.kept)
	stop()
	<-followed
}
