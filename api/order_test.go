package api_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// setOrder changes an environment's order policy.
func (w *world) setOrder(id, policy string) oapi.Environment {
	w.t.Helper()
	a := w.call("PATCH", "/v1/environments/"+id, `{"order_policy":"`+policy+`"}`)
	require.Equal(w.t, http.StatusOK, a.status, "%s", a.body)
	var e oapi.Environment
	a.into(&e)
	return e
}

func TestUpdateEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.deploy("shop", `{}`).Environment.ID
	require.Equal(t, oapi.OrderPolicySupersede, w.environments("shop")[0].OrderPolicy, "where every environment begins")
	changed := w.setOrder(id, "queue")
	require.Equal(t, oapi.OrderPolicyQueue, changed.OrderPolicy)
	require.Equal(t, []oapi.Environment{changed}, w.environments("shop"))
	require.Equal(t, changed, w.setOrder(id, "queue"), "twice is the same as once")

	for body, field := range map[string]string{
		`{}`: "body", `{"order_policy":"first"}`: "order_policy", `{"order_policy":null}`: "order_policy", `{"order":"queue"}`: "order",
	} {
		p := w.call("PATCH", "/v1/environments/"+id, body).problem(422)
		require.Equal(t, field, *p.Field, body)
		require.Regexp(t, "order_policy|supersede.*queue", *p.Fix, body)
	}
	w.call("DELETE", "/v1/environments/"+id, "")
	require.Equal(t, "id", *w.call("PATCH", "/v1/environments/"+id, `{"order_policy":"queue"}`).problem(404).Field)
}

func TestDeploy_SupersedesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, cancelErr := range map[string]error{"Temporal hears the cancel": nil, "Temporal is away": errors.New("unreachable")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deploys.cancelErr = cancelErr
			w.project("shop")
			building := w.deploy("shop", `{}`)
			w.building(building.ID)
			elsewhere := w.deploy("shop", `{"branch":"cart"}`)
			queued, newest := w.deploy("shop", `{}`), w.deploy("shop", `{}`)
			require.Equal(t, []string{building.ID}, w.deploys.canceled, "the other has done nothing that could be canceled")

			var d oapi.Deployment
			w.call("GET", "/v1/deployments/"+building.ID, "").into(&d)
			require.Equal(t, oapi.DeploymentStatusCanceling, d.Status)
			require.Equal(t, queued.ID, *d.SupersededBy)
			w.call("GET", "/v1/deployments/"+queued.ID, "").into(&d)
			require.Equal(t, oapi.DeploymentStatusSuperseded, d.Status)
			require.Equal(t, newest.ID, *d.SupersededBy)
			require.Equal(t, "not_cancelable", w.call("POST", "/v1/deployments/"+queued.ID+"/cancel", "").problem(409).Code)
			require.Equal(t, "replaced", w.call("POST", "/v1/deployments/"+queued.ID+"/retry", "").problem(409).Code)
			require.Equal(t, deployment.StatusQueued, w.status(elsewhere.ID))
			require.Equal(t, deployment.StatusQueued, w.status(newest.ID))
			if cancelErr != nil {
				require.Contains(t, w.log.String(), "the reconciler will")
			}
		})
	}
}

func (w *world) status(id string) deployment.Status {
	w.t.Helper()
	d, err := w.store.Deployment(w.t.Context(), id)
	require.NoError(w.t, err)
	return d.Status
}

// queued is an environment whose deployments take turns: one that builds, and two that wait for it.
func (w *world) queued() (first, second, third oapi.Deployment) {
	w.t.Helper()
	w.project("shop")
	first = w.deploy("shop", `{}`)
	w.building(first.ID)
	w.setOrder(first.Environment.ID, "queue")
	return first, w.deploy("shop", `{}`), w.deploy("shop", `{}`)
}

func (w *world) get(id string) (d oapi.Deployment) {
	w.t.Helper()
	w.call("GET", "/v1/deployments/"+id, "").into(&d)
	return d
}

func TestQueue_ADeployWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second, third := w.queued()
	elsewhere := w.deploy("shop", `{"branch":"cart"}`)
	require.Equal(t, []string{first.ID, elsewhere.ID}, w.deploys.started)
	for place, waiting := range []oapi.Deployment{second, third} {
		require.Equal(t, waiting, w.get(waiting.ID))
		require.Equal(t, oapi.DeploymentStatusQueued, waiting.Status)
		require.Equal(t, "deployment #1 of this environment", *waiting.Step.WaitingFor)
		require.Equal(t, place+1, *waiting.Step.QueuePosition)
		require.Nil(t, waiting.TemporalURL, "there is nothing to look at yet")
	}

	canceled := w.call("POST", "/v1/deployments/"+second.ID+"/cancel", "")
	require.Equal(t, http.StatusAccepted, canceled.status)
	canceled.into(&second)
	require.Equal(t, oapi.DeploymentStatusCanceled, second.Status, "at once")
	require.Empty(t, w.deploys.canceled, "Temporal knows nothing of it")
	require.Equal(t, 1, *w.get(third.ID).Step.QueuePosition)
	require.Equal(t, "not_cancelable", w.call("POST", "/v1/deployments/"+second.ID+"/cancel", "").problem(409).Code)

	var again oapi.Deployment
	w.call("POST", "/v1/deployments/"+second.ID+"/retry", "").into(&again)
	require.Equal(t, 1, *again.Step.QueuePosition, "it keeps its place before what came later")
	require.Equal(t, 2, *w.get(third.ID).Step.QueuePosition)
	require.Empty(t, w.deploys.retried)
	require.Len(t, w.deploys.started, 2)
}

func TestUpdateEnvironment_LetsWhatWaitsGoOn(t *testing.T) {
	t.Parallel()
	for name, startErr := range map[string]error{"Temporal hears of it": nil, "Temporal is away": errors.New("unreachable")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			first, second, third := w.queued()
			w.deploys.startErr = startErr
			w.setOrder(first.Environment.ID, "supersede")
			require.Equal(t, []string{first.ID}, w.deploys.canceled)
			require.Equal(t, oapi.DeploymentStatusSuperseded, w.get(second.ID).Status)
			require.Nil(t, w.get(third.ID).Step, "it waits for nothing")
			due, err := w.store.Due(t.Context(), third.ID, 0)
			require.NoError(t, err)
			require.Equal(t, third.ID, due[0].ID)
			if startErr == nil {
				require.Equal(t, []string{first.ID, third.ID}, w.deploys.started)
			} else {
				require.Contains(t, w.log.String(), "the reconciler will")
			}
		})
	}
}

// What is let go by a change of policy may be a retry.
func TestUpdateEnvironment_LetsARetryGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	older := w.deploy("shop", `{}`)
	w.building(older.ID)
	w.setOrder(older.Environment.ID, "queue")
	id := w.failed()
	require.Equal(t, http.StatusAccepted, w.call("POST", "/v1/deployments/"+id+"/retry", "").status)
	require.Empty(t, w.deploys.retried)
	w.setOrder(older.Environment.ID, "supersede")
	require.Equal(t, []string{"shop " + runID}, w.deploys.retried)
}
