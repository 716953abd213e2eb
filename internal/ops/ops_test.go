package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/ops"
)

func ask(t *testing.T, s *ops.Server, path string) (int, map[string]any) {
	t.Helper()
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	var body map[string]any
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body), answer.Body.String())
	return answer.Code, body
}

func fine(context.Context) error { return nil }

func TestReadyz(t *testing.T) {
	t.Parallel()
	s := &ops.Server{Version: "1.2.3", Metrics: http.NotFoundHandler()}
	s.Needs(ops.Check{Name: "postgres", Ask: fine, Fix: "start it"})
	code, body := ask(t, s, "/readyz")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "1.2.3", body["version"])
	require.Equal(t, map[string]any{"postgres": map[string]any{"status": "ok"}}, body["components"])

	away := func(context.Context) error { return errors.New("dial postgres://u:hunter2@db/x: refused") }
	s.Needs(ops.Check{Name: "docker", Ask: fine}, ops.Check{Name: "postgres", Ask: away, Fix: "start it"})
	code, body = ask(t, s, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "unavailable", body["status"])
	components := body["components"].(map[string]any)
	require.Equal(t, map[string]any{"status": "ok"}, components["docker"])
	postgres := components["postgres"].(map[string]any)
	require.Equal(t, "start it", postgres["fix"])
	require.Contains(t, postgres["reason"], "refused")
	require.NotContains(t, postgres["reason"], "hunter2")

	code, _ = ask(t, s, "/healthz")
	require.Equal(t, http.StatusOK, code, "it lives, whatever it depends on")
}

// The answer comes in time even when a check does not heed its context.
func TestReadyz_IsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &ops.Server{Metrics: http.NotFoundHandler()}
		s.Needs(ops.Check{Name: "deaf", Ask: func(context.Context) error { <-release; return nil }})
		begun := time.Now()
		code, _ := ask(t, s, "/readyz")
		require.Equal(t, http.StatusServiceUnavailable, code)
		require.Equal(t, 3*time.Second, time.Since(begun))
		close(release)
	})
}

func TestServe_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- (&ops.Server{Metrics: http.NotFoundHandler()}).Serve(ctx, listener) }()
	answer, err := http.Get("http://" + listener.Addr().String() + "/healthz")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	cancel()
	require.NoError(t, <-served)
}
