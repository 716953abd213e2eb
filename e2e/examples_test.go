package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// Every example of the repository, from its git repository to its own bytes behind the preview URL.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, example := range []struct {
		name, repo string
		settings   map[string]any
		builder    string
		says       string
	}{
		{"node", "node", nil, "nixpacks", "node"},
		{"python", "python", map[string]any{"non_root": true, "provenance": "max", "reproducible": true}, "nixpacks", "python"},
		{"golang", "go", nil, "nixpacks", "go"},
		{"dockerfile", "dockerfile", nil, "dockerfile", "dockerfile"},
		{"static", "static", nil, "static", "static"},
		{"monorepo", "monorepo", map[string]any{"root_dir": "apps/web"}, "nixpacks", "monorepo"},
	} {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			project := createProject(t, example.name, dev.repo(example.repo), example.settings)
			id := deploy(t, project, nil)
			d := waitEnd(t, id, "ready")

			status, body := dev.get(t, d.PreviewURL)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, example.says)
			status, again := dev.get(t, d.EnvironmentURL)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, again, example.says)

			require.Regexp(t, `^http://[0-9a-f]{8}-preview\.localhost:\d+$`, d.PreviewURL)
			require.Regexp(t, `^http://`+project+`\.localhost:\d+$`, d.EnvironmentURL)
			require.Regexp(t, `^[0-9a-f]{40}$`, *d.Commit)
			require.Regexp(t, `^sha256:[0-9a-f]{64}$`, *d.ImageDigest)
			checkRecord(t, id, example.builder)
			logTimeline(t, id)
			container := docker(t, "ps", "-q", "--filter", "label=slipway.deployment="+id)
			require.Len(t, container, 1)
			user := ""
			if example.settings["non_root"] == true {
				user = "slipway"
			}
			require.Equal(t, strings.Fields(user), docker(t, "inspect", "--format", "{{.Config.User}}", container[0]))
		})
	}
}

// checkRecord looks at what people read of a deploy that went well: every step, the plan, the Dockerfile, the whole log.
func checkRecord(t *testing.T, id, builder string) {
	t.Helper()
	seen := map[string]string{}
	for _, s := range stepsOf(t, id) {
		require.NotNil(t, s.FinishedAt, "%s/%s", s.Name, s.Phase)
		seen[s.Name+"/"+s.Phase] = s.Status
	}
	for _, want := range []string{"resolve/", "fetch/", "plan/", "build/solve", "build/push", "release/pull", "release/start", "release/probe", "release/switch"} {
		require.Equal(t, "succeeded", seen[want], "step %s in %v", want, seen)
	}
	var plan struct {
		Builder string `json:"builder"`
	}
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodGet, "/v1/deployments/"+id+"/plan", nil, &plan).status)
	require.Equal(t, builder, plan.Builder)
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodGet, "/v1/deployments/"+id+"/dockerfile", nil, nil).status)

	lines := logs(t, id)
	steps := map[string]bool{}
	for i, l := range lines {
		require.Equal(t, int64(i+1), l.Seq, "the log has no gaps")
		steps[l.Step] = true
	}
	for _, step := range []string{"resolve", "fetch", "plan", "build", "release"} {
		require.True(t, steps[step], "no line of step %s", step)
	}
	require.Contains(t, text(lines), "FROM ", "the Dockerfile is logged")
}

// logTimeline prints the seconds that each step took, for docs and for whoever wonders where the time goes.
func logTimeline(t *testing.T, id string) {
	t.Helper()
	for _, s := range stepsOf(t, id) {
		t.Logf("%-8s %-7s %6.2fs", s.Name, s.Phase, s.FinishedAt.Sub(s.StartedAt).Seconds())
	}
}

func TestEnvVarsReachBuildAndRuntimeAndNothingElse(t *testing.T) {
	t.Parallel()
	project := createProject(t, "envvars", dev.repo("node"), nil)
	const secret = "s3cr3t-value-nobody-may-see"
	response := dev.call(t, http.MethodPut, "/v1/projects/"+project+"/env", map[string]any{"vars": []map[string]any{
		{"name": "DEMO_RUNTIME", "value": secret, "target": "runtime"},
		{"name": "DEMO_BUILD", "value": secret + "-build", "target": "build"},
	}}, nil)
	require.Equal(t, http.StatusOK, response.status)
	var vars map[string]any
	dev.call(t, http.MethodGet, "/v1/projects/"+project+"/env", nil, &vars)
	require.NotContains(t, jsonOf(t, vars), secret, "values never leave through the API")

	d := waitEnd(t, deploy(t, project, nil), "ready")
	_, body := dev.get(t, d.PreviewURL+"/env/DEMO_RUNTIME")
	require.Contains(t, body, secret)
	_, body = dev.get(t, d.PreviewURL+"/env/DEMO_BUILD")
	require.NotContains(t, body, secret, "a build variable is not there at run")
	_, body = dev.get(t, d.PreviewURL+"/env/SLIPWAY_COMMIT")
	require.NotContains(t, body, "not set")
	require.NotContains(t, text(logs(t, d.ID)), secret)
	var plan map[string]any
	dev.call(t, http.MethodGet, "/v1/deployments/"+d.ID+"/plan", nil, &plan)
	require.NotContains(t, jsonOf(t, plan), secret)
}

func TestRedeployReplacesAndKeepsTheStableName(t *testing.T) {
	t.Parallel()
	project := createProject(t, "redeploy", dev.repo("static"), nil)
	first := waitEnd(t, deploy(t, project, nil), "ready")
	second := waitEnd(t, deploy(t, project, nil), "ready")
	require.Equal(t, first.EnvironmentURL, second.EnvironmentURL)
	require.Equal(t, first.Number+1, second.Number)
	require.Contains(t, text(logs(t, second.ID)), "image "+*first.ImageDigest+" of deployment #1 is used again", "nothing is fetched, planned or built")
	require.Equal(t, first.ImageDigest, second.ImageDigest)
	require.NotContains(t, jsonOf(t, stepsOf(t, second.ID)), `"build"`)
	status, _ := dev.get(t, second.EnvironmentURL)
	require.Equal(t, http.StatusOK, status)
	require.Eventually(t, func() bool { s, _ := dev.get(t, first.PreviewURL); return s == http.StatusGone }, eventually, tick,
		"the replaced deployment's own name says that it was replaced")
	require.Equal(t, second.ID, *show(t, first.ID).SupersededBy)
	requireNothingLeft(t, first.ID)

	forced := waitEnd(t, deploy(t, project, map[string]any{"force": true}), "ready")
	require.Contains(t, text(logs(t, forced.ID)), ", 0 of ", "no step came from cache")
	figures := show(t, forced.ID).Build
	require.Equal(t, *first.ImageDigest == *forced.ImageDigest, figures.Image.Changed.Layers == 0)
	require.Equal(t, second.Number, figures.Image.Changed.Since)
	require.NotEmpty(t, figures.Vertices)
	require.Nil(t, show(t, second.ID).Build, "it has built nothing")
}

func TestDeployOfBranchTagAndCommit(t *testing.T) {
	t.Parallel()
	project := createProject(t, "refs", dev.repo("static"), nil)
	ready := waitEnd(t, deploy(t, project, nil), "ready")

	byCommit := waitEnd(t, deploy(t, project, map[string]any{"commit": *ready.Commit, "environment": "branch/by-commit"}), "ready")
	require.Equal(t, ready.Commit, byCommit.Commit)
	require.Regexp(t, `^http://refs-by-commit-preview\.localhost:\d+$`, byCommit.EnvironmentURL)

	byBranch := waitEnd(t, deploy(t, project, map[string]any{"branch": "main", "environment": "branch/main-again"}), "ready")
	require.Equal(t, ready.Commit, byBranch.Commit)
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	project := createProject(t, "idempotent", dev.repo("static"), nil)
	c := dev.client(t)
	key := "delivery-1"
	ask := func(body client.DeploymentCreate) (int, string) {
		r, err := c.CreateDeploymentWithResponse(t.Context(), project, &client.CreateDeploymentParams{IdempotencyKey: &key}, body)
		require.NoError(t, err)
		if r.JSON202 == nil {
			return r.StatusCode(), ""
		}
		return r.StatusCode(), r.JSON202.ID
	}
	status, first := ask(client.DeploymentCreate{})
	require.Equal(t, http.StatusAccepted, status)
	status, second := ask(client.DeploymentCreate{})
	require.Equal(t, http.StatusAccepted, status)
	require.Equal(t, first, second)
	branch := "other"
	status, _ = ask(client.DeploymentCreate{Branch: &branch})
	require.Equal(t, http.StatusConflict, status)
	waitEnd(t, first, "ready")
}
