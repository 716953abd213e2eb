package api_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// failed is a deployment whose build failed.
func (w *world) failed() (id string) {
	w.t.Helper()
	id = w.deploy("shop", `{}`).ID
	w.building(id)
	w.finish(id, deployment.StatusFailed, &deployment.Failure{Class: deployment.ClassUser, Code: "build.command_failed", Message: "exit code 3"})
	return id
}

func TestRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.failed()
	a := w.call("POST", "/v1/deployments/"+id+"/retry", "")
	require.Equal(t, 202, a.status)
	var d oapi.Deployment
	a.into(&d)
	require.Equal(t, id, d.ID)
	require.Equal(t, "deploy/"+id, d.WorkflowID)
	require.Equal(t, "another-run", *d.RunID)
	require.Equal(t, oapi.DeploymentStatusQueued, d.Status)
	require.Nil(t, d.Failure)
	require.Nil(t, d.FinishedAt)
	require.Equal(t, []string{"shop " + runID}, w.deploys.retried, "the run that the row named")
	var steps oapi.StepList
	w.call("GET", "/v1/deployments/"+id+"/steps", "").into(&steps)
	require.NotEmpty(t, steps.Items, "attempts are kept")

	require.Equal(t, "not_retryable", w.call("POST", "/v1/deployments/"+id+"/retry", "").problem(409).Code)
	require.Equal(t, "not_found", w.call("POST", "/v1/deployments/0198c5a0-0000-7000-8000-0000000000ff/retry", "").problem(404).Code)
}

func TestRetry_RefusesWhatWasReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.failed()
	w.ready(w.deploy("shop", `{}`).ID)
	require.Equal(t, "replaced", w.call("POST", "/v1/deployments/"+id+"/retry", "").problem(409).Code)
	require.Empty(t, w.deploys.retried)
}

// The row is what accepts the retry; the reconciler makes what Temporal did not hear of.
func TestRetry_WithoutTemporal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	w.deploys.retryErr = errors.New("unreachable")
	id := w.failed()
	a := w.call("POST", "/v1/deployments/"+id+"/retry", "")
	require.Equal(t, 202, a.status)
	unmade, err := w.store.Due(t.Context(), "", -time.Minute)
	require.NoError(t, err)
	require.Len(t, unmade, 1)
	require.NotNil(t, unmade[0].RetryRequestedAt)
	require.Contains(t, w.log.String(), "the reconciler will")
}

func TestRetry_TwoAtOnceMakeOneRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.failed()
	statuses := make(chan int, 4)
	var wait sync.WaitGroup
	for range cap(statuses) {
		wait.Go(func() { statuses <- w.call("POST", "/v1/deployments/"+id+"/retry", "").status })
	}
	wait.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	require.Equal(t, map[int]int{202: 1, 409: 3}, count)
	require.Len(t, w.deploys.retried, 1)
}
