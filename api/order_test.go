package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
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
