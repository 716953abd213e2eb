package api_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/internal/deployment"
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
