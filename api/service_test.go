package api_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

func TestReadyz(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ready oapi.Readiness
	a := w.call("GET", "/readyz", "")
	a.into(&ready)
	require.Equal(t, 200, a.status)
	require.Equal(t, oapi.Readiness{
		Status: "ok", Version: "test", Components: map[string]oapi.ComponentState{"postgres": {Status: "ok"}, "schema": {Status: "ok"}, "temporal": {Status: "ok"}},
	}, ready)

	w.deploys.pingErr = errors.New("dial tcp 10.1.2.3:7233: password=hunter2 refused")
	a = w.call("GET", "/readyz", "")
	require.Equal(t, 503, a.status)
	a.into(&ready)
	require.Equal(t, "unavailable", ready.Status)
	require.Equal(t, "ok", ready.Components["postgres"].Status)
	require.Equal(t, "does not answer", *ready.Components["temporal"].Reason)
	require.NotContains(t, string(a.body), "10.1.2.3")
	require.Equal(t, 200, w.call("GET", "/healthz", "").status, "a process that waits for Temporal is alive")
}

// The database of a newer release serves a process that was there before; one of an older release does not.
func TestReadyz_Schema(t *testing.T) {
	t.Parallel()
	pool := postgrestest.New(t)
	w := newWorld(t, func(o *api.Options) { o.Store = postgres.New(pool, postgres.Options{}) })
	state := func(version, status int) (ready oapi.Readiness) {
		_, err := pool.Exec(t.Context(), "UPDATE schema_version SET version = $1", version)
		require.NoError(t, err)
		a := w.call("GET", "/readyz", "")
		require.Equal(t, status, a.status)
		a.into(&ready)
		return ready
	}
	require.Equal(t, "ok", state(9999, 200).Components["schema"].Status)
	older := state(1, 503).Components["schema"]
	require.Equal(t, "unavailable", older.Status)
	require.Contains(t, *older.Reason, "schema is older than this slipway")
	require.Contains(t, *older.Reason, "slipway migrate")
}

func TestOpenAPI_IsTheFile(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	require.Equal(t, string(want), string(newWorld(t).call("GET", "/openapi.yaml", "").body))
}

func TestInternalErrorsStayInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.Close()
	a := w.call("GET", "/v1/projects/shop", "", header{"X-Request-Id", "req-17"})
	p := a.problem(500)
	require.Equal(t, "internal", p.Code)
	require.Equal(t, "req-17", p.RequestID)
	require.NotContains(t, string(a.body), "pool")
	require.Contains(t, w.log.String(), "req-17")
	require.Contains(t, w.log.String(), "closed pool", "the log has what the client must not see")
}

func TestRequestID_IsNotTakenBlindly(t *testing.T) {
	t.Parallel()
	a := newWorld(t).call("GET", "/healthz", "", header{"X-Request-Id", `evil" status=200`})
	require.Len(t, a.header.Get("X-Request-Id"), 36)
}

type panickingGuard struct{ fewHostsGuard }

func (panickingGuard) CheckURL(context.Context, string) *deployment.FieldError { panic("hunter2") }

func TestPanic_IsAProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.Guard = panickingGuard{} })
	a := w.call("POST", "/v1/projects", `{"name":"a","repo_url":"https://git.example.com/x.git"}`)
	require.Equal(t, "internal", a.problem(500).Code)
	require.NotContains(t, string(a.body), "hunter2")
	require.Contains(t, w.log.String(), "middleware.go", "the stack is in the log")
	require.Equal(t, 200, w.call("GET", "/healthz", "").status)
}

func TestNew_NamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := api.New(api.Options{})
	require.ErrorContains(t, err, "Store")
}
