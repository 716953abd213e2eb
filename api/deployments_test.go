package api_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestCreateDeployment_RefAndEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("fresh")
	w.project("known")
	w.call("PATCH", "/v1/projects/known", `{"production_branch":"main"}`)
	for _, c := range []struct{ project, body, environment, ref string }{
		{"fresh", ``, "production", ""},
		{"fresh", `{}`, "production", ""},
		{"fresh", `{"branch":"main"}`, "production", "main"},
		{"fresh", `{"branch":"feature/cart"}`, "branch/feature/cart", "feature/cart"},
		{"known", `{}`, "production", "main"},
		{"known", `{"branch":"main"}`, "production", "main"},
		{"known", `{"branch":"feature/cart"}`, "branch/feature/cart", "feature/cart"},
		{"known", `{"branch":"main","environment":"branch/try"}`, "branch/try", "main"},
		{"known", `{"environment":"branch/try"}`, "branch/try", "main"},
		{"known", `{"tag":"v1.0","environment":"production"}`, "production", "v1.0"},
		{"known", `{"commit":"ABCDEF0123","environment":"pr/7"}`, "pr/7", "abcdef0123"},
	} {
		d := w.deploy(c.project, c.body)
		require.Equal(t, c.environment, d.Environment.Name, c.body)
		if c.ref == "" {
			require.Nil(t, d.Ref, c.body)
		} else {
			require.Equal(t, c.ref, *d.Ref, c.body)
		}
		require.Equal(t, d.ID, w.deploys.started[len(w.deploys.started)-1])
	}
}

func TestCreateDeployment_Answer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.project("shop")
	a := w.call("POST", "/v1/projects/"+p.ID+"/deployments", `{"branch":"feature/cart"}`)
	var d oapi.Deployment
	a.into(&d)
	require.Equal(t, "/v1/deployments/"+d.ID, a.header.Get("Location"))
	require.Equal(t, "shop", d.Project)
	require.Equal(t, p.ID, d.ProjectID)
	require.Equal(t, oapi.DeploymentStatusQueued, d.Status)
	require.Equal(t, "deploy/"+d.ID, d.WorkflowID)
	require.Equal(t, "http://127.0.0.1:8233/namespaces/default/workflows/deploy%2F"+d.ID, *d.TemporalURL)
	require.Equal(t, "http://"+deployment.PreviewHost(d.ID, "localhost")+":8000", d.PreviewURL)
	require.Equal(t, "http://shop-feature-cart-preview.localhost:8000", d.EnvironmentURL)
	require.Nil(t, d.Step)
	require.Contains(t, string(a.body), `"step":null`)
	require.Contains(t, string(a.body), `"warnings":[]`)
}

func TestCreateDeployment_Force(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	for body, force := range map[string]bool{`{"branch":"main","force":true}`: true, `{"branch":"main","force":false}`: false, `{"branch":"main"}`: false} {
		d, err := w.store.Deployment(t.Context(), w.deploy("shop", body).ID)
		require.NoError(t, err)
		require.Equal(t, force, d.Force, body)
	}
}

func TestCreateDeployment_IdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	w.project("other")
	key := header{"Idempotency-Key", "job 17, attempt 1"}
	first := w.deploy("shop", `{"branch":"main"}`, key)
	w.building(first.ID)
	w.call("PATCH", "/v1/projects/shop", `{"production_branch":"trunk"}`) // what was asked for counts, not what came of it

	a := w.call("POST", "/v1/projects/shop/deployments", `{ "branch": "main" }`, key)
	require.Equal(t, http.StatusAccepted, a.status)
	require.Equal(t, "true", a.header.Get("Idempotency-Replayed"))
	var again oapi.Deployment
	a.into(&again)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, oapi.DeploymentStatusBuilding, again.Status)
	require.Len(t, w.deploys.started, 1)

	w.call("POST", "/v1/projects/shop/deployments", `{"branch":"main","force":true}`, key).problem(409)
	p := w.call("POST", "/v1/projects/shop/deployments", `{"branch":"other"}`, key).problem(409)
	require.Equal(t, "idempotency_key_reused", p.Code)
	require.Equal(t, "Idempotency-Key", *p.Field)
	require.NotEqual(t, first.ID, w.deploy("other", `{"branch":"main"}`, key).ID, "keys belong to a project")
}

func TestCreateDeployment_AcceptedWhenTemporalIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	w.deploys.startErr = errors.New("dial tcp 127.0.0.1:7233: connection refused")
	d := w.deploy("shop", `{}`)
	require.Equal(t, oapi.DeploymentStatusQueued, d.Status)
	require.Contains(t, w.log.String(), "Deploy not started")
}

func TestCancelDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.deploy("shop", `{}`)
	w.deploys.cancelErr = errors.New("temporal is away")
	for range 2 {
		a := w.call("POST", "/v1/deployments/"+d.ID+"/cancel", "")
		require.Equal(t, http.StatusAccepted, a.status)
		var canceled oapi.Deployment
		a.into(&canceled)
		require.Equal(t, oapi.DeploymentStatusCanceling, canceled.Status)
	}
	require.Equal(t, []string{d.ID, d.ID}, w.deploys.canceled)

	w.finish(d.ID, deployment.StatusCanceled, nil)
	require.Equal(t, "not_cancelable", w.call("POST", "/v1/deployments/"+d.ID+"/cancel", "").problem(409).Code)
	w.call("POST", "/v1/deployments/"+newID()+"/cancel", "").problem(404)
}

func TestListDeployments_Filters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.project("shop")
	w.project("other")
	production := w.deploy("shop", `{}`)
	branch := w.deploy("shop", `{"branch":"feature/cart"}`)
	other := w.deploy("other", `{}`)
	w.ready(other.ID)
	ids := func(query string) []string {
		var page oapi.DeploymentList
		w.call("GET", "/v1/deployments?"+query, "").into(&page)
		found := []string{}
		for _, d := range page.Items {
			found = append(found, d.ID)
		}
		return found
	}
	require.Equal(t, []string{other.ID, branch.ID, production.ID}, ids(""))
	require.Equal(t, []string{branch.ID, production.ID}, ids("project=shop"))
	require.Equal(t, []string{branch.ID, production.ID}, ids("project="+shop.ID))
	require.Equal(t, []string{other.ID}, ids("status=ready"))
	require.Equal(t, []string{branch.ID}, ids("environment="+url.QueryEscape("branch/feature/cart")))
	require.Equal(t, []string{production.ID}, ids("environment="+production.Environment.ID))
	require.Equal(t, []string{other.ID}, ids("limit=1"))
	require.Equal(t, "project", *w.call("GET", "/v1/deployments?project=nope", "").problem(404).Field)
}

func TestDeployment_ShowsStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.deploy("shop", `{}`).ID
	attempt := w.building(id)
	ctx := t.Context()
	require.NoError(t, w.store.SetCommit(ctx, id, runID, strings.Repeat("c", 40), "main"))
	attempt.Phase = deployment.PhasePush
	require.NoError(t, w.store.StepPhase(ctx, attempt, time.Now()))
	require.NoError(t, w.store.StepProgress(ctx, attempt, deployment.Progress{Total: 4, Bytes: 1 << 33}))
	show := func() (d oapi.Deployment) {
		w.call("GET", "/v1/deployments/"+id, "").into(&d)
		return d
	}
	d := show()
	require.Equal(t, oapi.DeploymentStatusBuilding, d.Status)
	require.Equal(t, oapi.StepNameBuild, d.Step.Name)
	require.Equal(t, "push", *d.Step.Phase)
	require.Equal(t, 0, *d.Step.Percent, "nothing of a known total is 0 percent, not unknown")
	require.Equal(t, int64(1<<33), d.Step.Bytes)
	require.Equal(t, "main", *d.Ref, "the default branch, once known")
	require.Equal(t, strings.Repeat("c", 40), *d.Commit)
	require.Equal(t, runID, *d.RunID)
	require.Equal(t, time.UTC, d.CreatedAt.Location())

	next := time.Now().Add(time.Minute)
	away := deployment.AwayFailure(deployment.ComponentRegistry, "build.push_failed", "check it", "push image: refused")
	require.NoError(t, w.store.StepEnded(ctx, attempt, deployment.StepFailed, away, &next, time.Now()))
	d = show()
	require.Equal(t, "the registry", *d.Step.WaitingFor)
	require.Equal(t, "push", *d.Step.Phase)
	require.Equal(t, 1, d.Step.Attempt)
	require.WithinDuration(t, next, *d.Step.NextAttemptAt, time.Millisecond)
}

func TestDeployment_ShowsFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.deploy("shop", `{}`).ID
	w.building(id)
	exit := 3
	w.finish(id, deployment.StatusFailed, &deployment.Failure{
		Class: deployment.ClassUser, Code: "build.command_failed", Step: deployment.StepBuild, Message: "exit code 3",
		ExitCode: &exit, Lines: []string{"boom"},
	})
	var d oapi.Deployment
	w.call("GET", "/v1/deployments/"+id, "").into(&d)
	require.Equal(t, oapi.DeploymentStatusFailed, d.Status)
	require.Nil(t, d.Step)
	require.Equal(t, oapi.FailureClassUser, d.Failure.Class)
	require.Equal(t, 3, *d.Failure.ExitCode)
	require.Equal(t, []string{"boom"}, d.Failure.Lines)
	var steps oapi.StepList
	w.call("GET", "/v1/deployments/"+id+"/steps", "").into(&steps)
	require.Equal(t, oapi.StepStatusFailed, steps.Items[2].Status)
	require.Equal(t, "boom", steps.Items[2].Failure.Lines[0])
}

func TestDeployment_TellsWhatItsBuildDid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.deploy("shop", `{}`).ID
	var d oapi.Deployment
	w.call("GET", "/v1/deployments/"+id, "").into(&d)
	require.Nil(t, d.Build)
	w.building(id)
	require.NoError(t, w.store.SetImage(t.Context(), id, runID, deployment.BuiltImage{
		Image: "shop", Digest: "sha256:1", Input: "input", Figures: &deployment.BuildFigures{
			Steps: 3, Cached: 1, Seconds: 2.5, Phases: []deployment.PhaseFigures{{Name: "install", Seconds: 2}},
			Vertices: []deployment.VertexFigures{{Name: "[1/3] FROM x", Cached: true}, {Name: "[internal] load build context", Bytes: 9}},
			Image:    &deployment.ImageFigures{Layers: 4, Bytes: 5, Changed: &deployment.ImageChanges{Since: 6, Layers: 7, Bytes: 8}},
		},
	}))
	w.call("GET", "/v1/deployments/"+id, "").into(&d)
	require.Equal(t, &oapi.BuildFigures{
		Steps: 3, Cached: 1, Seconds: 2.5, Phases: []oapi.BuildPhase{{Name: "install", Seconds: 2}},
		Vertices: []oapi.BuildVertex{{Name: "[1/3] FROM x", Cached: true}, {Name: "[internal] load build context", Bytes: new(int64(9))}},
		Image:    &oapi.ImageFigures{Layers: 4, Bytes: 5, Changed: &oapi.ImageChanges{Since: 6, Layers: 7, Bytes: 8}},
	}, d.Build)
}

func TestSteps_HoldTheReceiptOfACancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.deploy("shop", `{}`).ID
	attempt := deployment.StepAttempt{DeploymentID: id, RunID: "run", Host: "host-1"}
	require.NoError(t, w.store.SolveEnded(t.Context(), attempt, "ref", 40*time.Millisecond))
	var steps oapi.StepList
	w.call("GET", "/v1/deployments/"+id+"/steps", "").into(&steps)
	require.Len(t, steps.Receipt, 1)
	require.WithinDuration(t, time.Now(), steps.Receipt[0].GoneAt, time.Minute)
	steps.Receipt[0].GoneAt = time.Time{}
	require.Equal(t, oapi.Undone{Kind: "solve", Name: "ref", Host: new("host-1"), TookMs: 40}, steps.Receipt[0])
}

func TestStepsPlanDockerfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	path := "/v1/deployments/" + w.deploy("shop", `{}`).ID
	require.JSONEq(t, `{"items":[],"receipt":[],"next_cursor":null}`, string(w.call("GET", path+"/steps", "").body))
	require.Equal(t, "plan_not_ready", w.call("GET", path+"/plan", "").problem(404).Code)
	require.Equal(t, "plan_not_ready", w.call("GET", path+"/dockerfile", "").problem(404).Code)

	id := path[len("/v1/deployments/"):]
	w.building(id)
	plan := &deployment.Plan{
		Builder: deployment.BuilderNixpacks, RootDir: ".", Port: 3000, SecretNames: []string{"KEY"}, Native: []byte(`{"phases":{}}`),
		Warnings: []deployment.Warning{{Code: "pm.version_guess", Severity: "warning", File: "package.json", Line: 1}},
	}
	digest, err := plan.Digest()
	require.NoError(t, err)
	require.NoError(t, w.store.SetPlan(t.Context(), id, runID, deployment.Planned{Plan: plan, Digest: digest, Dockerfile: "FROM debian\n"}))
	var steps oapi.StepList
	w.call("GET", path+"/steps", "").into(&steps)
	require.Equal(t, oapi.StepNameBuild, steps.Items[2].Name)
	require.Equal(t, "host-1", *steps.Items[2].Host)
	var got oapi.Plan
	w.call("GET", path+"/plan", "").into(&got)
	require.Equal(t, digest, got.Digest)
	require.Equal(t, []string{"KEY"}, got.Secrets)
	require.Contains(t, *got.Native, "phases")
	require.Equal(t, "package.json", *got.Warnings[0].File)
	a := w.call("GET", path+"/dockerfile", "")
	require.Equal(t, "FROM debian\n", string(a.body))
	require.Equal(t, "text/plain; charset=utf-8", a.header.Get("Content-Type"))
}
