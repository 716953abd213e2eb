package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// awayStore is a store that cannot answer for projects.
type awayStore struct {
	api.Store
	component deployment.Component
}

func (s awayStore) Project(context.Context, string) (deployment.Project, error) {
	return deployment.Project{}, deployment.AwayFailure(s.component, string(s.component)+".unavailable", "", "project: %w",
		errors.New("dial tcp 10.1.2.3:5432: connection refused"))
}

func TestAway_IsSaidAndWhenToAskAgain(t *testing.T) {
	t.Parallel()
	for component, detail := range map[deployment.Component]string{
		deployment.ComponentPostgres: "Postgres does not answer", deployment.ComponentTemporal: "Temporal does not answer",
	} {
		t.Run(string(component), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *api.Options) { o.Store = awayStore{Store: o.Store, component: component} })
			a := w.call("GET", "/v1/projects/shop", "")
			p := a.problem(503)
			require.Equal(t, string(component)+".unavailable", p.Code)
			require.Contains(t, p.Detail, detail)
			require.Equal(t, "5", a.header.Get("Retry-After"))
			require.NotContains(t, string(a.body), "10.1.2.3")
			require.Contains(t, w.log.String(), "10.1.2.3")
		})
	}
}

func TestAway_OfWhatTheAPIDoesNotNeedIsInternal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.Store = awayStore{Store: o.Store, component: deployment.ComponentRegistry} })
	require.Equal(t, "internal", w.call("GET", "/v1/projects/shop", "").problem(500).Code)
}

// Requests of every kind while the real server is dead, and after it is back.
func TestAway_PostgresStoppedAndBack(t *testing.T) {
	t.Parallel()
	own := postgrestest.NewOwn(t)
	store := own.Open(postgres.Options{PreviewDomain: "localhost", Cipher: reversing{}})
	w := newWorld(t, func(o *api.Options) { o.Store = store })
	_, err := store.CreateToken(t.Context(), deployment.Token{Name: "admin"}, deployment.HashToken(token))
	require.NoError(t, err)
	const body = `{"name": "shop", "repo_url": "https://git.example/shop.git"}`
	require.Equal(t, 201, w.call("POST", "/v1/projects", body).status)

	own.Kill()
	call := func(method, path, body string) answer {
		begun := time.Now()
		defer func() {
			require.Less(t, time.Since(begun), 5*time.Second, "what is away is said at once: %s %s", method, path)
		}()
		return w.call(method, path, body)
	}
	for path, body := range map[string]string{
		"GET /v1/projects": "", "GET /v1/projects/shop": "", "POST /v1/projects/shop/deployments": "{}",
		"GET /v1/deployments": "", "DELETE /v1/projects/shop": "",
	} {
		method, path, _ := strings.Cut(path, " ")
		a := call(method, path, body)
		require.Equal(t, "postgres.unavailable", a.problem(503).Code, "%s %s", method, path)
		require.Equal(t, "5", a.header.Get("Retry-After"), "%s %s", method, path)
	}
	ready := call("GET", "/readyz", "")
	require.Equal(t, 503, ready.status)
	require.Contains(t, string(ready.body), `"postgres":{"reason":"does not answer","status":"unavailable"}`)

	own.Start()
	require.Equal(t, 202, w.call("POST", "/v1/projects/shop/deployments", "{}").status)
}
