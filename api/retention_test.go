package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestADeploymentSaysThatItsLogWasRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.deploy("shop", `{}`)
	w.finish(d.ID, deployment.StatusFailed, &deployment.Failure{Class: deployment.ClassUser})
	var shown oapi.Deployment
	w.call("GET", "/v1/deployments/"+d.ID, "").into(&shown)
	require.Nil(t, shown.LogRemovedAt)
	_, err := w.store.Pool().Exec(t.Context(), "UPDATE deployments SET log_removed_at = '2026-01-02T03:04:05Z' WHERE id = $1", d.ID)
	require.NoError(t, err)
	w.call("GET", "/v1/deployments/"+d.ID, "").into(&shown)
	require.Equal(t, "2026-01-02 03:04:05 +0000 UTC", shown.LogRemovedAt.String())
}

func TestADeploymentThatIsGoneMayBePastItsRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"", "/logs", "/steps"} {
		gone := w.call("GET", "/v1/deployments/01890000-0000-7000-8000-000000000000"+path, "")
		require.Equal(t, 404, gone.status)
		var p oapi.Problem
		gone.into(&p)
		require.Equal(t, "not_found", p.Code)
		require.Contains(t, *p.Fix, "SLIPWAY_DEPLOYMENT_RETENTION")
	}
}
