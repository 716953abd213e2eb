package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// live brings a new deployment live with an image of its own.
func (w *world) live(project, body string) oapi.Deployment {
	w.t.Helper()
	d := w.deploy(project, body)
	w.step(d.ID, deployment.StepFetch)
	require.NoError(w.t, w.store.SetCommit(w.t.Context(), d.ID, runID, "0123456789abcdef0123456789abcdef01234567", "main"))
	w.step(d.ID, deployment.StepPlan, deployment.StepBuild)
	require.NoError(w.t, w.store.SetImage(w.t.Context(), d.ID, runID, deployment.BuiltImage{Image: project, Digest: "sha256:" + d.ID, Input: "input"}))
	w.ready(d.ID)
	return d
}

func (w *world) reuse(path, body string, headers ...header) oapi.Deployment {
	w.t.Helper()
	a := w.call("POST", path, body, headers...)
	require.Equal(w.t, 202, a.status, "%s", a.body)
	var d oapi.Deployment
	a.into(&d)
	return d
}

func TestRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	first, second, third := w.live("shop", `{}`), w.live("shop", `{}`), w.live("shop", `{}`)
	path := "/v1/environments/" + first.Environment.ID + "/rollback"

	d := w.reuse(path, "", header{"Idempotency-Key", "back"})
	require.Equal(t, 4, d.Number)
	require.Equal(t, first.Environment, d.Environment)
	require.Equal(t, second.ID, *d.ReusedFrom)
	require.Equal(t, "sha256:"+second.ID, *d.ImageDigest)
	require.Equal(t, "0123456789abcdef0123456789abcdef01234567", *d.Commit)
	require.Equal(t, "image.reused", d.Warnings[0].Code)
	require.Contains(t, w.deploys.started, d.ID)
	w.ready(d.ID)
	require.Equal(t, d.ID, w.reuse(path, "", header{"Idempotency-Key", "back"}).ID, "a repeat, although something else is live now")
	require.Equal(t, "idempotency_key_reused",
		w.call("POST", path, `{"deployment":"`+third.ID+`"}`, header{"Idempotency-Key", "back"}).problem(409).Code)

	further := w.reuse(path, "")
	require.Equal(t, first.ID, *further.ReusedFrom, "each rollback goes one further back")
	w.ready(further.ID)
	require.Equal(t, "nothing_before", w.call("POST", path, "").problem(409).Code)
	require.Equal(t, third.ID, *w.reuse(path, `{"deployment":"`+third.ID+`"}`).ReusedFrom)
	again := w.reuse(path, `{"deployment":"`+d.ID+`"}`)
	w.ready(again.ID)
	require.Equal(t, first.ID, *w.reuse(path, "").ReusedFrom, "a rollback to a rollback stands where the image was built")
	require.Equal(t, 9, w.deploy("shop", `{}`).Number, "what was refused took no number")
}

func TestPromote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	production := w.live("shop", `{}`)
	branch := w.live("shop", `{"branch":"cart","environment":"branch/cart"}`)
	path := "/v1/environments/" + production.Environment.ID + "/promote"
	d := w.reuse(path, `{"deployment":"`+branch.ID+`"}`)
	require.Equal(t, production.Environment, d.Environment)
	require.Equal(t, branch.ID, *d.ReusedFrom)
	require.Equal(t, "sha256:"+branch.ID, *d.ImageDigest)
	require.Equal(t, "cart", *d.Ref)
	w.ready(d.ID)
	back := w.reuse("/v1/environments/"+production.Environment.ID+"/rollback", "")
	require.Equal(t, production.ID, *back.ReusedFrom, "what was promoted stands where it was deployed to")
}

func TestReuse_RefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	w.project("other")
	production := w.live("shop", `{}`)
	branch := w.live("shop", `{"branch":"cart","environment":"branch/cart"}`)
	foreign := w.live("other", `{}`)
	removed := w.live("shop", `{}`)
	_, err := w.store.Pool().Exec(t.Context(), "UPDATE deployments SET image_removed_at = now() WHERE id = $1", removed.ID)
	require.NoError(t, err)
	unbuilt := w.deploy("shop", `{}`)
	missing := "0198c5a0-0000-7000-8000-0000000000ff"
	path := "/v1/environments/" + production.Environment.ID
	for name, c := range map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"rollback to another environment's": {path + "/rollback", branch.ID, 422, "invalid_field"},
		"rollback to another project's":     {path + "/rollback", foreign.ID, 422, "invalid_field"},
		"rollback to nothing":               {path + "/rollback", missing, 422, "invalid_field"},
		"rollback to what never was live":   {path + "/rollback", unbuilt.ID, 409, "no_image"},
		"rollback to what was removed":      {path + "/rollback", removed.ID, 409, "image_removed"},
		"promotion of its own":              {path + "/promote", production.ID, 422, "invalid_field"},
		"promotion of another project's":    {path + "/promote", foreign.ID, 422, "invalid_field"},
	} {
		p := w.call("POST", c.path, `{"deployment":"`+c.body+`"}`).problem(c.status)
		require.Equal(t, c.code, p.Code, name)
		require.Equal(t, "deployment", *p.Field, name)
		require.NotEmpty(t, *p.Fix, name)
	}
	require.Equal(t, "deployment", *w.call("POST", path+"/promote", `{}`).problem(422).Field)
	require.Equal(t, "not_found", w.call("POST", "/v1/environments/"+missing+"/rollback", "").problem(404).Code)
}
