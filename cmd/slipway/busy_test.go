package main

import (
	"context"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

var (
	tooMany = refusal{oapi.Problem{Status: 429, Code: "too_many_deployments", Detail: "1000 deployments have not ended"}, "1"}
	away    = refusal{oapi.Problem{Status: 503, Code: "postgres.unavailable", Detail: "Postgres does not answer"}, "1"}
)

const (
	waitsForRoom     = "the API is busy: 1000 deployments have not ended; trying again in 1 s\n"
	waitsForPostgres = "the API cannot serve this yet: Postgres does not answer; trying again in 1 s\n"
)

func TestDeployWaitsWhileTheAPIIsBusy(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.first = []refusal{tooMany, tooMany, away}
	code, stdout, stderr := user(t, api).run("deploy", "shop", "--branch", "main")
	require.Zero(t, code, stderr)
	require.Equal(t, waitsForRoom+waitsForPostgres+"follow it: slipway logs -f shop#1\n", stderr, "each reason once")
	require.Equal(t, "shop#1 accepted for production: queued\nhttp://1-preview.localhost:8000\n", stdout)
	post := `POST /v1/projects/shop/deployments {"branch":"main"}`
	require.Equal(t, []string{post, post, post, post}, api.requests())
}

func TestDeployWhoseAnswerWasLostIsMadeOnce(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"deploy", "shop"},
		{"rollback", "production", "--project", "shop"},
		{"promote", "shop", "--to", "production"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			api.environments = []oapi.Environment{environmentOf("production", 1)}
			api.deployments = []oapi.Deployment{made(1, oapi.DeploymentStatusReady)}
			api.lose = &away
			code, stdout, stderr := user(t, api).run(args...)
			require.Zero(t, code, stderr)
			require.Equal(t, waitsForPostgres+"follow it: slipway logs -f shop#2\n", stderr, "nobody gave the key that was seen before")
			require.Contains(t, stdout, "shop#2 accepted")
			require.Len(t, api.deployments, 2)
			require.Len(t, api.sentKeys, 2)
			require.Equal(t, api.sentKeys[0], api.sentKeys[1])

			code, _, _ = user(t, api).run(args...)
			require.Zero(t, code)
			require.NotEqual(t, api.sentKeys[0], api.sentKeys[2], "another call is another deploy")
		})
	}
}

func TestReadsWaitToo(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.first = []refusal{away}
	code, stdout, stderr := user(t, api).run("projects", "list")
	require.Zero(t, code)
	require.Equal(t, waitsForPostgres, stderr)
	require.Contains(t, stdout, "shop")
}

func TestWaitBusyIsABound(t *testing.T) {
	t.Parallel()
	const refused = "error: 1000 deployments have not ended\n"
	for bound, want := range map[string]struct {
		stderr string
		sent   int
	}{
		"0":     {refused, 1},
		"900ms": {refused + "it was not tried again for longer than --wait-busy, 900ms\n", 1},
		"1s":    {waitsForRoom + refused + "it was not tried again for longer than --wait-busy, 1s\n", 2},
	} {
		t.Run(bound, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			api.first = []refusal{tooMany, tooMany, tooMany}
			code, stdout, stderr := user(t, api).run("deploy", "shop", "--wait-busy", bound)
			require.Equal(t, exitError, code)
			require.Empty(t, stdout)
			require.Equal(t, want.stderr, stderr)
			require.Len(t, api.requests(), want.sent)
		})
	}
}

func TestCtrlCEndsTheWait(t *testing.T) {
	t.Parallel()
	for said, first := range map[string]refusal{
		"interrupted: the API was busy and has not taken the request\n":                                   tooMany,
		"interrupted before the API answered: the deploy may have been accepted\nlook: slipway ps shop\n": away,
	} {
		first.after = "60"
		api := newFakeAPI(t)
		api.first = []refusal{first}
		ctx, interrupt := context.WithCancel(t.Context())
		var stdout, stderr buffer
		ended := make(chan int, 1)
		go func() { ended <- user(t, api).cli(&stdout, &stderr).run(ctx, []string{"deploy", "shop"}) }()
		require.Eventually(t, func() bool { return stderr.String() != "" }, eventually, tick)
		interrupt()
		select {
		case code := <-ended:
			require.Equal(t, exitInterrupted, code)
		case <-time.After(eventually):
			require.Fail(t, "it waits on")
		}
		require.Contains(t, stderr.String(), "; trying again in 60 s\n"+said)
		require.Len(t, api.requests(), 1)
	}
}

func TestConflictAfterAnOutageMayBeItsOwn(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	taken := refusal{oapi.Problem{Status: 409, Code: "name_taken", Detail: "a project has this name"}, ""}
	api.first = []refusal{away, taken}
	code, _, stderr := user(t, api).run("projects", "create", "shop", "https://git.example.com/team/shop.git")
	require.Equal(t, exitError, code)
	require.Equal(t, waitsForPostgres+"error: a project has this name\nthe request was sent before, during an outage: it may have been done then\n", stderr)
}

func TestWhatHasAPaceOfItsOwnDoesNotWait(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	long := away
	long.after = "60"
	api.first = []refusal{long}
	_, _, stderr := user(t, api).run("__complete", "deploy", "")
	require.NotContains(t, stderr, "trying again", "a shell that completes")

	api.deployments = []oapi.Deployment{made(1, oapi.DeploymentStatusBuilding)}
	whole := wholeDeploy(api, ready)
	api.stream = func(c *gin.Context, connection int, last int64) {
		if connection == 1 {
			long.answer(c)
			return
		}
		whole(c, connection, last)
	}
	code, _, stderr := user(t, api).run("logs", "-f", deploymentID(1))
	require.Zero(t, code, stderr)
	require.NotContains(t, stderr, "60 s")
}
