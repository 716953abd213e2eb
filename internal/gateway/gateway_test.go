package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

// routes is a Router over a map. err, when set, is what every look-up answers: a store that is away.
type routes struct {
	mu    sync.Mutex
	known map[string]deployment.Route
	err   error
	asked int
	looks int // that found all routes
}

func (r *routes) Route(_ context.Context, hostname string) (deployment.Route, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.err != nil {
		return deployment.Route{}, r.err
	}
	route, found := r.known[hostname]
	if !found {
		return deployment.Route{}, deployment.ErrNotFound
	}
	return route, nil
}

func (r *routes) Routes(context.Context) ([]deployment.Route, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.looks++
	}
	return slices.Collect(maps.Values(r.known)), r.err
}

func (r *routes) looked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.looks
}

func (r *routes) set(route deployment.Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[route.Hostname] = route
}

// replace makes route the only one there is.
func (r *routes) replace(route deployment.Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = map[string]deployment.Route{route.Hostname: route}
}

func (r *routes) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *routes) lookups() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

const previewHost = "1234abcd-preview.localhost"

// live returns a route of previewHost to a backend.
func live(backend *httptest.Server) deployment.Route {
	return deployment.Route{
		Hostname: previewHost, DeploymentID: "d-1", DeploymentNumber: 7, Project: "shop", Environment: "production",
		Status: deployment.StatusReady, State: deployment.PreviewLive, Address: strings.TrimPrefix(backend.URL, "http://"),
	}
}

// serve starts a gateway over the given routes.
func serve(t *testing.T, change func(*gateway.Options), known ...deployment.Route) (*httptest.Server, *gateway.Gateway, *routes) {
	t.Helper()
	r := &routes{known: map[string]deployment.Route{}}
	for _, route := range known {
		r.set(route)
	}
	o := gateway.Options{Routes: r, Domain: "localhost", Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	g := gateway.New(o)
	front := httptest.NewServer(g)
	t.Cleanup(front.Close)
	return front, g, r
}

func backend(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	b := httptest.NewServer(h)
	t.Cleanup(b.Close)
	return b
}

// ask sends a GET through the gateway and returns the answer with its body read.
// answer is what remains of a response once its body is read.
type answer struct {
	StatusCode    int
	Header        http.Header
	ContentLength int64
}

func ask(t *testing.T, front *httptest.Server, host string, header ...string) (answer, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/", nil)
	require.NoError(t, err)
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return send(t, front, r)
}

func send(t *testing.T, front *httptest.Server, r *http.Request) (answer, string) {
	t.Helper()
	client := front.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, response.ContentLength}, string(body)
}

func problemOf(t *testing.T, body string) map[string]any {
	t.Helper()
	var p map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &p), body)
	return p
}
