package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
)

func TestCreateDeployment_IsRefusedWhenTooManyHaveNotEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.MaxQueued = 1 })
	w.project("shop")
	key := header{"Idempotency-Key", "job-1"}
	require.Equal(t, http.StatusAccepted, w.call("POST", "/v1/projects/shop/deployments", `{"branch":"a","environment":"branch/a"}`, key).status)

	refused := w.call("POST", "/v1/projects/shop/deployments", `{"branch":"b","environment":"branch/b"}`)
	p := refused.problem(429)
	require.Equal(t, "too_many_deployments", p.Code)
	require.Contains(t, *p.Fix, "SLIPWAY_MAX_QUEUED")
	require.Equal(t, "10", refused.header.Get("Retry-After"))
	require.Len(t, w.deploys.started, 1)

	again := w.call("POST", "/v1/projects/shop/deployments", `{"branch":"a","environment":"branch/a"}`, key)
	require.Equal(t, http.StatusAccepted, again.status)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
}
