package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func (w *world) environments(project string) (items []oapi.Environment) {
	w.t.Helper()
	var page oapi.EnvironmentList
	w.call("GET", "/v1/projects/"+project+"/environments", "").into(&page)
	return page.Items
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.project("shop")
	require.Empty(t, w.environments("shop"))
	d := w.deploy("shop", `{}`)
	w.deploy("shop", `{"branch":"cart"}`)
	w.deploy("shop", `{"commit":"`+"0123456789abcdef0123456789abcdef01234567"+`","environment":"pr/7"}`)
	w.ready(d.ID)
	items := w.environments("shop")
	require.Len(t, items, 3)
	require.Equal(t, []oapi.EnvironmentKind{"branch", "pull_request", "production"}, []oapi.EnvironmentKind{items[0].Kind, items[1].Kind, items[2].Kind})
	require.Nil(t, items[0].LiveDeployment)
	production := items[2]
	require.Equal(t, oapi.Environment{
		ID: d.Environment.ID, Name: "production", Kind: "production", Project: "shop", ProjectID: p.ID, URL: d.EnvironmentURL,
		LiveDeployment: &oapi.LiveDeployment{ID: d.ID, Number: 1}, OrderPolicy: "supersede", CreatedAt: production.CreatedAt,
	}, production)
	var one oapi.Environment
	w.call("GET", "/v1/environments/"+production.ID, "").into(&one)
	require.Equal(t, production, one)

	var first, second oapi.EnvironmentList
	w.call("GET", "/v1/projects/shop/environments?limit=2", "").into(&first)
	w.call("GET", "/v1/projects/shop/environments?limit=2&cursor="+*first.NextCursor, "").into(&second)
	require.Equal(t, items, append(first.Items, second.Items...))
	require.Nil(t, second.NextCursor)
}

func TestDeleteEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	kept, d := w.deploy("shop", `{}`), w.deploy("shop", `{"branch":"cart"}`)
	a := w.call("DELETE", "/v1/environments/"+d.Environment.ID, "")
	require.Equal(t, http.StatusAccepted, a.status, "%s", a.body)
	require.Equal(t, "/v1/deletions/"+d.Environment.ID, a.header.Get("Location"))
	var deletion, seen oapi.Deletion
	a.into(&deletion)
	require.Equal(t, oapi.DeletionKindEnvironment, deletion.Kind)
	require.Equal(t, []string{"shop", "branch/cart"}, []string{deletion.Project, deletion.Name})
	require.Equal(t, []oapi.LeftOver{{Kind: "deployment", Name: "#2, canceling", DeploymentID: d.ID, DeploymentNumber: 2}}, deletion.Left)
	require.Contains(t, *deletion.TemporalURL, "/workflows/teardown%2F"+d.Environment.ID)
	require.Equal(t, []string{d.Environment.ID}, w.deploys.tornDown)
	w.call("GET", "/v1/deletions/"+d.Environment.ID, "").into(&seen)
	require.Equal(t, deletion, seen)
	var all oapi.DeletionList
	w.call("GET", "/v1/deletions", "").into(&all)
	require.Equal(t, []oapi.Deletion{deletion}, all.Items)

	for _, request := range [][2]string{
		{"GET", "/v1/environments/" + d.Environment.ID}, {"DELETE", "/v1/environments/" + d.Environment.ID},
	} {
		require.Equal(t, "id", *w.call(request[0], request[1], "").problem(404).Field)
	}
	require.Equal(t, "environment", *w.call("GET", "/v1/projects/shop/env?environment=branch/cart", "").problem(404).Field)
	require.Len(t, w.environments("shop"), 1)
	var list oapi.DeploymentList
	w.call("GET", "/v1/deployments?project=shop", "").into(&list)
	require.Len(t, list.Items, 1)
	require.Equal(t, kept.ID, list.Items[0].ID)

	again := w.deploy("shop", `{"branch":"cart"}`)
	require.Equal(t, d.EnvironmentURL, again.EnvironmentURL, "the next deploy makes it anew, under its host name")
	require.NotEqual(t, d.Environment.ID, again.Environment.ID)

	w.finish(d.ID, deployment.StatusCanceled, nil)
	require.NoError(t, w.store.Purge(t.Context(), deployment.Scope{ProjectID: d.ProjectID, EnvironmentID: d.Environment.ID}))
	over := w.call("GET", "/v1/deletions/"+d.Environment.ID, "").problem(404)
	require.Contains(t, over.Detail, "nothing is left")
}

func TestDeleteProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.project("shop")
	live := w.deploy("shop", `{}`)
	w.ready(live.ID)
	underWay := w.deploy("shop", `{}`)
	a := w.call("DELETE", "/v1/projects/shop", "")
	require.Equal(t, http.StatusAccepted, a.status, "%s", a.body)
	var deletion oapi.Deletion
	a.into(&deletion)
	require.Equal(t, oapi.DeletionKindProject, deletion.Kind)
	require.Equal(t, "deployment", deletion.Left[0].Kind)
	require.Equal(t, []string{p.ID}, w.deploys.tornDown)
	require.Equal(t, "project", *w.call("GET", "/v1/projects/shop", "").problem(404).Field)
	require.Equal(t, "project", *w.call("DELETE", "/v1/projects/shop", "").problem(404).Field)
	require.Equal(t, "project", *w.call("POST", "/v1/projects/shop/deployments", `{}`).problem(404).Field)
	require.Equal(t, "id", *w.call("GET", "/v1/environments/"+live.Environment.ID, "").problem(404).Field)
	var d oapi.Deployment
	w.call("GET", "/v1/deployments/"+underWay.ID, "").into(&d)
	require.Equal(t, oapi.DeploymentStatusCanceling, d.Status, "what is under way is canceled, and can be looked at")
	require.Empty(t, d.EnvironmentURL, "the host name may be another's by now")
	w.project("shop") // the name is free
}

func TestEnvOfAnEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	const path = "/v1/projects/shop/env"
	env := func(method, path, body string) []oapi.EnvVar {
		a := w.call(method, path, body)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		var e oapi.Env
		a.into(&e)
		return e.Vars
	}
	env("PUT", path, `{"vars":[{"name":"A","value":"1"},{"name":"B","value":"1"}]}`)
	got := env("PATCH", path+"?environment=branch/cart", `{"vars":[{"name":"B","value":"2","target":"build"},{"name":"C","value":"2"}]}`)
	want := []oapi.EnvVar{
		{Name: "A", Target: "both", Source: "project"}, {Name: "B", Target: "build", Source: "environment"}, {Name: "C", Target: "both", Source: "environment"},
	}
	require.Equal(t, want, got)
	cart := w.environments("shop")[0]
	require.Equal(t, "branch/cart", cart.Name, "it was made for its variables")
	require.Equal(t, want, env("GET", path+"?environment="+cart.ID, ""), "by id as well as by name")
	require.Len(t, env("GET", path, ""), 2, "the project's own")

	require.Equal(t, oapi.EnvVar{Name: "B", Target: "both", Source: "project"}, env("DELETE", path+"/B?environment=branch/cart", "")[1])
	missing := w.call("DELETE", path+"/B?environment=branch/cart", "").problem(404)
	require.Contains(t, missing.Detail, "variable of the environment", "the project's of that name is not meant")
	require.Equal(t, "name", *missing.Field)
	require.Len(t, env("PUT", path+"?environment=branch/cart", `{"vars":[]}`), 2)
}
