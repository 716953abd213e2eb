package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	eventually = 2 * time.Minute // for what takes a moment on a machine that is not busy
	tick       = 100 * time.Millisecond
)

// Each thing that goes wrong for a user ends as a clear error that names the step, and leaves nothing behind.
func TestFailures(t *testing.T) {
	t.Parallel()
	for _, failure := range []struct {
		name, repo string
		settings   map[string]any
		then       map[string]any // settings from the second deploy on, which is the one that fails
		request    map[string]any
		step, code string
		lines      string
		exitCode   int
	}{
		{name: "build-exits-3", repo: "fails-to-build", step: "build", code: "build.command_failed", lines: "widget is not a function", exitCode: 3},
		{name: "no-repository", repo: "no-such-repository", step: "resolve", code: "source.repository_not_found"},
		{name: "no-branch", repo: "static", request: map[string]any{"branch": "no-such-branch"}, step: "resolve", code: "source.ref_not_found"},
		{
			name: "no-commit", repo: "static", step: "fetch", code: "source.commit_not_found",
			request: map[string]any{"commit": strings.Repeat("0badc0de", 5), "environment": "branch/x"},
		},
		{
			name: "never-listens", repo: "never-listens", step: "release", code: "release.not_ready", lines: "thinking",
			settings: map[string]any{"health_check": map[string]any{"timeout_seconds": 15}},
		},
		{name: "exits-at-once", repo: "exits-at-once", step: "release", code: "release.app_exited", lines: "cannot find the database", exitCode: 7},
		{
			name: "build-too-slow", repo: "slow-build", step: "build", code: "build.timeout", lines: "build has begun",
			settings: map[string]any{"build_command": "true"}, // where the base image has to be unpacked first, that is a part of the build
			then:     map[string]any{"build_timeout_seconds": 30, "build_command": "echo build has begun; sleep 600"},
		},
		{name: "no-root-dir", repo: "static", settings: map[string]any{"root_dir": "no/such/folder"}, step: "plan", code: "plan.root_dir_missing"},
	} {
		t.Run(failure.name, func(t *testing.T) {
			t.Parallel()
			project := createProject(t, failure.name, dev.repo(failure.repo), failure.settings)
			if failure.then != nil {
				waitEnd(t, deploy(t, project, nil), "ready")
				patch(t, project, failure.then)
			}
			id := deploy(t, project, failure.request)
			d := waitEnd(t, id, "failed")
			require.NotNil(t, d.Failure)
			require.Equal(t, failure.code, d.Failure.Code, explain(d))
			require.Equal(t, "user", string(d.Failure.Class))
			require.Equal(t, failure.step, string(*d.Failure.Step))
			require.NotEmpty(t, d.Failure.Message)
			require.NotEmpty(t, d.Failure.Fix, "the failure says what to do")
			if failure.lines != "" {
				require.Contains(t, strings.Join(d.Failure.Lines, "\n"), failure.lines)
			}
			if failure.exitCode != 0 {
				require.Equal(t, failure.exitCode, *d.Failure.ExitCode)
			}
			for _, s := range stepsOf(t, id) {
				require.Equal(t, 1, s.Attempt, "a user failure is never retried")
			}
			status, page := dev.get(t, d.PreviewURL)
			require.GreaterOrEqual(t, status, 400)
			require.Contains(t, page, d.Failure.Code)
			requireNothingLeft(t, id)
		})
	}
}

// requireNothingLeft looks where a deployment could have left something: containers, networks, workspaces.
func requireNothingLeft(t *testing.T, id string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(leftOvers(t, id)) == 0 }, eventually, tick, "left: %v", leftOvers(t, id))
}

func leftOvers(t *testing.T, id string) []string {
	t.Helper()
	found := docker(t, "ps", "-aq", "--filter", "label=slipway.deployment="+id)
	found = append(found, docker(t, "network", "ls", "-q", "--filter", "label=slipway.deployment="+id)...)
	workspaces, err := filepath.Glob(filepath.Join(dev.data, "workspaces", id))
	require.NoError(t, err)
	return append(found, workspaces...)
}

func docker(t *testing.T, args ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), eventually)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.Fields(string(out))
}

// Bad input is a problem document that names the field: never a 500, never a started workflow.
func TestBadInput(t *testing.T) { //nolint:tparallel // the last check needs all requests to be answered
	t.Parallel()
	good := createProject(t, "bad-input", dev.repo("static"), nil)
	t.Run("requests", func(t *testing.T) { badRequests(t, good) })
	t.Run("no token", func(t *testing.T) {
		response, err := http.Get("http://" + dev.api + "/v1/projects")
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	})
	var list struct{ Items []any }
	dev.call(t, http.MethodGet, "/v1/deployments?project="+good, nil, &list)
	require.Empty(t, list.Items, "no deployment was made of bad input")
}

// badRequests sends each of them; when it returns, all have been answered.
func badRequests(t *testing.T, good string) {
	t.Helper()
	for _, bad := range []struct {
		name, method, path, body string
		status                   int
		field                    string
	}{
		{"unknown field", "POST", "/v1/projects", `{"name":"x1","repo_url":"` + dev.repo("static") + `","colour":"red"}`, 0, "colour"},
		{"wrong type", "POST", "/v1/projects", `{"name":7,"repo_url":"x"}`, 0, "name"},
		{"file url", "POST", "/v1/projects", `{"name":"x2","repo_url":"file:///etc/passwd"}`, 0, "repo_url"},
		{"ext url", "POST", "/v1/projects", `{"name":"x3","repo_url":"ext::sh -c id"}`, 0, "repo_url"},
		{"metadata address", "POST", "/v1/projects", `{"name":"x4","repo_url":"http://169.254.169.254/"}`, 0, "repo_url"},
		{"metadata address by https", "POST", "/v1/projects", `{"name":"x5","repo_url":"https://169.254.169.254/a.git"}`, 0, "repo_url"},
		{"name that resolves to loopback", "POST", "/v1/projects", `{"name":"x6","repo_url":"https://localhost/a.git"}`, 0, "repo_url"},
		{"root_dir out of the repository", "POST", "/v1/projects", `{"name":"x7","repo_url":"` + dev.repo("static") + `","root_dir":"../.."}`, 0, "root_dir"},
		{"5,000-character name", "POST", "/v1/projects", `{"name":"` + strings.Repeat("n", 5000) + `","repo_url":"` + dev.repo("static") + `"}`, 0, "name"},
		{"duplicate name", "POST", "/v1/projects", `{"name":"` + good + `","repo_url":"` + dev.repo("static") + `"}`, http.StatusConflict, "name"},
		{"10 MB body", "POST", "/v1/projects", `{"name":"` + strings.Repeat("n", 10<<20) + `"}`, http.StatusRequestEntityTooLarge, ""},
		{"ref that starts with a hyphen", "POST", "/v1/projects/" + good + "/deployments", `{"branch":"-upload-pack=id"}`, 0, "branch"},
		{"branch and tag", "POST", "/v1/projects/" + good + "/deployments", `{"branch":"main","tag":"v1"}`, 0, ""},
		{"tag without environment", "POST", "/v1/projects/" + good + "/deployments", `{"tag":"v1"}`, 0, "environment"},
		{"broken JSON", "POST", "/v1/projects/" + good + "/deployments", `{"branch":`, 0, ""},
		{"PORT as env var", "PUT", "/v1/projects/" + good + "/env", `{"vars":[{"name":"PORT","value":"1"}]}`, 0, "vars[0].name"},
		{"invalid cursor", "GET", "/v1/projects?cursor=nonsense", "", 0, "cursor"},
		{"not an id", "GET", "/v1/deployments/nonsense", "", 0, ""},
		{"unknown project", "GET", "/v1/projects/no-such-project", "", http.StatusNotFound, ""},
	} {
		t.Run(bad.name, func(t *testing.T) {
			t.Parallel()
			var problem struct {
				Status             int
				Code, Field, Title string
				Detail, Fix        string
			}
			var data json.RawMessage
			response := dev.send(t, bad.method, bad.path, bodyOf(bad.body), &data)
			require.NoError(t, json.Unmarshal(data, &problem))
			require.Equal(t, "application/problem+json", response.contentType)
			require.GreaterOrEqual(t, response.status, 400)
			require.Less(t, response.status, 500, string(data))
			if bad.status != 0 {
				require.Equal(t, bad.status, response.status, string(data))
			}
			require.Equal(t, response.status, problem.Status)
			require.NotEmpty(t, problem.Code)
			if bad.field != "" {
				require.Equal(t, bad.field, problem.Field, string(data))
			}
		})
	}
}
