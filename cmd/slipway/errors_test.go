package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

func TestProblemsAreShownWhole(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.problem = &oapi.Problem{
		Status: 422, Code: "invalid_field", Detail: "name: is empty", Field: new("name"), Fix: new("give one"),
		Errors: []oapi.FieldFault{
			{Field: "name", Detail: "is empty", Fix: new("give one")},
			{Field: "port", Detail: "is \x1b[31m70000", Fix: new("use less")},
		},
	}
	code, stdout, stderr := user(t, api).run("projects", "list")
	require.Equal(t, exitError, code)
	require.Empty(t, stdout)
	require.Equal(t, "error: name: is empty\nfield: name\nfix: give one\nerror: port: is 70000\nfield: port\nfix: use less\n", stderr)

	api.problem = &oapi.Problem{Status: 404, Code: "not_found", Detail: `no project is called "nope"`, Field: new("project")}
	_, _, stderr = user(t, api).run("deploy", "nope")
	require.Equal(t, "error: no project is called \"nope\"\nfield: project\nfix: `slipway projects list` shows their names\n", stderr)

	api.problem = &oapi.Problem{Status: 500, Code: "internal", Detail: "slipway could not do this"}
	_, _, stderr = user(t, api).run("projects", "list")
	require.Equal(t, "error: slipway could not do this\nrequest: req-1\n", stderr)
}

func TestOtherServersAreNotTakenForTheAPI(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 404, 502} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>hello</html>")
		}))
		t.Cleanup(server.Close)
		p := &person{t: t, vars: map[string]string{"SLIPWAY_API_URL": server.URL}}
		code, _, stderr := p.run("projects", "list")
		require.Equal(t, exitError, code)
		require.Contains(t, stderr, "error: what answers at "+server.URL+" is not slipway's API")
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	for line, want := range map[string]string{
		"deplyo":                         `unknown command "deplyo" for "slipway", did you mean "deploy"?`,
		"projects creat":                 `unknown command "creat" for "slipway projects", did you mean "create"?`,
		"admin images ad":                `unknown command "ad" for "slipway admin images", did you mean "add"?`,
		"deploy --nope":                  "unknown flag: --nope",
		"deploy a b":                     "accepts at most 1 arg(s), received 2",
		"deploy shop --branch a --tag b": "at most one of --branch, --tag and --commit",
		"deploy shop --tag v1":           "a tag or a commit needs --environment",
		"deploy shop --logs":             "--logs goes with --follow",
		"ps --status done":               `"done" is no status; there are queued, fetching`,
		"ps -o xml":                      "use table or json",
		"show a b":                       "accepts at most 1 arg(s), received 2",
		"cancel":                         "accepts 1 arg(s), received 0",
		"ps shop --all":                  "--all and PROJECT exclude each other",
		"projects create":                "NAME and REPO_URL are needed",
		"show shop#x":                    `"shop#x" names no deployment`,
		"show shop#0":                    `"shop#0" names no deployment`,
		"env set 1A=b":                   `"1A" is not the name of a variable`,
		"env set A B":                    "neither A nor B has a value",
		"env set A=b --target all":       "use build, runtime or both",
		"projects update shop":           "nothing to change",
		"projects delete shop":           "there is no terminal to ask on",
		"projects create a b --port x":   `invalid argument "x"`,
		"logs shop --since-seq -1":       "--since-seq is below 0",
		"projects update s --health-timeout 1500ms": "--health-timeout 1.5s is not in whole seconds",
	} {
		code, _, stderr := user(t, api).run(strings.Fields(line)...)
		require.Equal(t, exitUsage, code, line)
		require.True(t, strings.HasPrefix(stderr, "error: "), line)
		require.Contains(t, stderr, want, line)
	}
	for _, request := range api.requests() {
		require.True(t, strings.HasPrefix(request, "GET "), "%s was sent", request)
	}
}

func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	p := &person{t: t}
	code, stdout, _ := p.run("--help")
	require.Zero(t, code)
	for _, group := range []string{"Deploy:\n", "Settings:\n", "Server:\n"} {
		require.Contains(t, stdout, group)
	}
	for _, args := range [][]string{{"help", "exit-codes"}, {"deploy", "--help"}} {
		code, stdout, _ = p.run(args...)
		require.Zero(t, code)
		require.Contains(t, stdout, "130  interrupted")
	}
	code, stdout, _ = p.run("completion", "bash")
	require.Zero(t, code)
	require.Contains(t, stdout, "bash completion")
	code, stdout, _ = p.run("version", "-o", "json")
	require.Zero(t, code)
	require.Contains(t, stdout, `"version": "dev"`)
}
