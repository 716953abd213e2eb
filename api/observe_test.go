package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestRequestsAreTraced(t *testing.T) {
	t.Parallel()
	seen := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(seen))
	w := newWorld(t, func(o *api.Options) { o.Tracer = provider.Tracer("") })
	w.project("shop")
	d := w.deploy("shop", "{}", header{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	w.call(http.MethodGet, "/readyz", "")

	spans := seen.Ended()
	last := spans[len(spans)-1]
	require.Equal(t, "POST /v1/projects/:project/deployments", last.Name(), "whoever watches the process makes no trace")
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", last.SpanContext().TraceID().String(), "the caller's trace goes on")
	attributes := map[string]string{}
	for _, a := range last.Attributes() {
		attributes[string(a.Key)] = a.Value.String()
	}
	require.Equal(t, map[string]string{
		"http.route": "/v1/projects/:project/deployments", "http.response.status_code": "202", "slipway.deployment": d.ID,
	}, attributes)
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	t.Parallel()
	type counted struct {
		method, route string
		status        int
	}
	var mu sync.Mutex
	var all []counted
	w := newWorld(t, func(o *api.Options) {
		o.Answered = func(method, route string, status int, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, counted{method, route, status})
			require.Positive(t, took)
		}
	})
	w.project("shop")
	d := w.deploy("shop", "{}")
	w.finish(d.ID, deployment.StatusCanceled, nil)
	w.follow(d.ID, "").rest()
	w.call(http.MethodGet, "/v1/deployments/"+d.ID, "")
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []counted{
		{"POST", "/v1/projects", 201}, {"POST", "/v1/projects/:project/deployments", 202}, {"GET", "/v1/deployments/:id", 200},
	}, all, "a stream is not counted")
}

// contexts is a log that keeps the deployments that its lines' contexts name.
type contexts struct {
	slog.Handler
	mu  sync.Mutex
	ids map[string]string // by message
}

func (h *contexts) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids[r.Message] = deployment.IDFrom(ctx)
	return nil
}

func (h *contexts) Enabled(context.Context, slog.Level) bool { return true }

func TestLogLinesOfARequestKnowItsDeployment(t *testing.T) {
	t.Parallel()
	lines := &contexts{Handler: slog.DiscardHandler, ids: map[string]string{}}
	w := newWorld(t, func(o *api.Options) { o.Logger = slog.New(lines) })
	w.project("shop")
	of := func() string {
		lines.mu.Lock()
		defer lines.mu.Unlock()
		return lines.ids["Request served"]
	}
	require.Empty(t, of())
	d := w.deploy("shop", "{}")
	require.Equal(t, d.ID, of())
	for _, request := range []struct{ method, path string }{
		{http.MethodPost, "/cancel"}, {http.MethodGet, ""}, {http.MethodGet, "/steps"}, {http.MethodGet, "/plan"},
	} {
		w.call(http.MethodGet, "/v1/projects", "")
		require.Empty(t, of())
		w.call(request.method, "/v1/deployments/"+d.ID+request.path, "")
		require.Equal(t, d.ID, of(), request.path)
	}
}
