package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

// withProduction is an installation whose project has been deployed to production three times.
func withProduction(t *testing.T) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	api.deployments = []oapi.Deployment{made(3, "ready"), made(2, "ready"), made(1, "ready")}
	api.environments = []oapi.Environment{environmentOf("production", 3)}
	return api
}

func TestRollback(t *testing.T) {
	t.Parallel()
	post := "POST /v1/environments/" + envID + "/rollback "
	for name, c := range map[string]struct {
		args []string
		body string
	}{
		"to the one before":           {[]string{"rollback", "production", "-p", "shop"}, `{}`},
		"to one by its number":        {[]string{"rollback", "production", "--to", "shop#1"}, `{"deployment":"` + deploymentID(1) + `"}`},
		"of an environment by its id": {[]string{"rollback", envID, "--idempotency-key", "incident 7"}, `{}`},
	} {
		api := withProduction(t)
		code, stdout, stderr := user(t, api).run(c.args...)
		require.Zero(t, code, stderr)
		require.Equal(t, "shop#4 accepted for production: queued\nhttp://4-preview.localhost:8000\n", stdout, name)
		require.Equal(t, "follow it: slipway logs -f shop#4\n", stderr, name)
		require.Contains(t, api.requests(), post+c.body, name)
	}

	api := withProduction(t)
	api.stream = wholeDeploy(api, ready)
	code, stdout, stderr := user(t, api).run("rollback", "production", "--follow")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "ready after 42s, also at http://shop.localhost:8000\nhttp://4-preview.localhost:8000\n")
	for range 2 {
		code, stdout, stderr = user(t, api).run("rollback", "production", "--idempotency-key", "incident 7")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "shop#5 accepted")
	}
	require.Contains(t, stderr, "note: this key was sent before; shop#5 is what it made then\n")

	api.problem = &oapi.Problem{Status: 409, Code: "nothing_before", Detail: "nothing was live before", Fix: new("name one")}
	code, _, stderr = user(t, api).run("rollback", envID)
	require.Equal(t, exitError, code)
	require.Equal(t, "error: nothing was live before\nfix: name one\n", stderr)
}

func TestPromote(t *testing.T) {
	t.Parallel()
	api := withProduction(t)
	api.environments = append(api.environments, environmentOf("branch/staging", 2))
	for _, args := range [][]string{{"promote", "shop#2"}, {"promote", deploymentID(2), "--to", "branch/staging"}} {
		code, stdout, stderr := user(t, api).run(args...)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "accepted for production: queued\n")
		require.Contains(t, api.requests(), "POST /v1/environments/"+envID+`/promote {"deployment":"`+deploymentID(2)+`"}`)
	}
	code, _, stderr := user(t, api).run("promote", "shop#2", "--to", "pr/7")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "no environment of shop is called \"pr/7\"")
	code, _, stderr = user(t, api).run("promote", "shop#2", "--logs")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--logs goes with --follow")
}
