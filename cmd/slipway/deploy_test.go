package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

// send writes one event to a stream.
func send(c *gin.Context, event string, data any) {
	c.Header("Content-Type", "text/event-stream")
	body, _ := json.Marshal(data)
	id := ""
	if line, isLine := data.(oapi.LogLine); isLine {
		id = fmt.Sprintf("id: %d\n", line.Seq)
	}
	_, _ = fmt.Fprintf(c.Writer, "%sevent: %s\ndata: %s\n\n", id, event, body)
	c.Writer.Flush()
}

func logLine(seq int64) oapi.LogLine {
	return oapi.LogLine{Seq: seq, Time: noon.Add(time.Duration(seq) * time.Second), Step: "build", Attempt: 1, Stream: "stdout", Text: fmt.Sprintf("line %d", seq)}
}

func in(step oapi.StepName, phase string) oapi.StatusEvent {
	statuses := map[oapi.StepName]oapi.DeploymentStatus{"resolve": "queued", "fetch": "fetching", "plan": "planning", "build": "building", "release": "releasing"}
	event := oapi.StatusEvent{Status: statuses[step], Step: &oapi.CurrentStep{Name: step, Attempt: 1}}
	if phase != "" {
		event.Step.Phase = &phase
	}
	return event
}

// wholeDeploy is the stream of a deploy that ends in status.
func wholeDeploy(api *fakeAPI, end func(*oapi.Deployment)) func(*gin.Context, int, int64) {
	return func(c *gin.Context, _ int, _ int64) {
		send(c, "status", oapi.StatusEvent{Status: "queued"})
		_, _ = c.Writer.WriteString(": ping\n\n")
		for _, event := range []oapi.StatusEvent{in("resolve", ""), in("fetch", ""), in("plan", ""), in("build", "solve")} {
			send(c, "status", event)
		}
		send(c, "log", logLine(1))
		again := in("build", "solve") // percent alone changes
		again.Step.Percent = new(42)
		send(c, "status", again)
		send(c, "status", in("build", "push"))
		send(c, "log", logLine(2))
		send(c, "status", in("release", "probe"))
		api.mu.Lock()
		end(&api.deployments[0])
		status := api.deployments[0].Status
		api.mu.Unlock()
		send(c, "status", oapi.StatusEvent{Status: status})
		send(c, "end", oapi.EndEvent{Status: status})
	}
}

func ready(d *oapi.Deployment) {
	d.Status, d.ReadyAt = oapi.DeploymentStatusReady, new(d.CreatedAt.Add(42*time.Second))
}

func TestDeployWithoutFollow(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	args := []string{"deploy", "shop", "--commit", "3f2a9c1e", "--environment", "pr/4", "--idempotency-key", "job 7", "--force"}
	code, stdout, stderr := user(t, api).run(args...)
	require.Zero(t, code, stderr)
	require.Equal(t, []string{`POST /v1/projects/shop/deployments {"commit":"3f2a9c1e","environment":"pr/4","force":true}`}, api.requests())
	require.Equal(t, "shop#1 accepted for production: queued\nhttp://1-preview.localhost:8000\n", stdout)
	require.Equal(t, "follow it: slipway logs -f shop#1\n", stderr)

	code, stdout, stderr = user(t, api).run(append(args, "-o", "json")...)
	require.Zero(t, code)
	require.Equal(t, "note: this key was sent before; shop#1 is what it made then\n", stderr)
	var d oapi.Deployment
	require.NoError(t, json.Unmarshal([]byte(stdout), &d))
	require.Equal(t, made(1, "queued"), d)
}

func TestDeployFollowOnAPipe(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.stream = wholeDeploy(api, ready)
	code, stdout, stderr := user(t, api).run("deploy", "--follow", "--branch", "main")
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	require.Equal(t, `shop#1 accepted for production, id `+deploymentID(1)+`
queued
[1/5] resolve
[2/5] fetch
[3/5] plan
[4/5] build: solve
[4/5] build: push
[5/5] release: probe
ready after 42s, also at http://shop.localhost:8000
http://1-preview.localhost:8000
`, stdout)

	_, stdout, _ = user(t, api).run("deploy", "--follow", "--logs")
	require.Contains(t, stdout, "[4/5] build: solve\n12:00:01 build    line 1\n[4/5] build: push\n12:00:02 build    line 2\n[5/5]")
}

func TestDeployFollowSaysWhichComponentItWaitsFor(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	whole := wholeDeploy(api, ready)
	api.stream = func(c *gin.Context, n int, after int64) {
		waiting := in("build", "push")
		waiting.Step.WaitingFor, waiting.Step.NextAttemptAt = new("the registry"), new(noon.Add(5*time.Second))
		send(c, "status", waiting)
		whole(c, n, after)
	}
	code, stdout, stderr := user(t, api).run("deploy", "--follow")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "\n[4/5] build: push, attempt 1, waiting for the registry, next at 12:00:05\n")
}

func TestDeployFollowAsJSON(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.stream = wholeDeploy(api, ready)
	code, stdout, stderr := user(t, api).run("deploy", "--follow", "--logs", "-o", "json")
	require.Zero(t, code, stderr)
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	require.Len(t, lines, 13, stdout) // deployment, 9 statuses, 2 lines, deployment
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)), line)
	}
	var first, last oapi.Deployment
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.NoError(t, json.Unmarshal([]byte(lines[12]), &last))
	require.Equal(t, oapi.DeploymentStatusQueued, first.Status)
	require.Equal(t, oapi.DeploymentStatusReady, last.Status)
	require.JSONEq(t, `{"status":"building","step":{"name":"build","phase":"push","attempt":1,"percent":null,"done":0,"total":0,
		"bytes":0,"waiting_for":null,"next_attempt_at":null,"queue_position":null}}`, lines[8])
}

func TestDeployFollowSaysHowItEnded(t *testing.T) {
	t.Parallel()
	failed := func(class oapi.FailureClass) func(*oapi.Deployment) {
		return func(d *oapi.Deployment) {
			d.Status, d.Failure = "failed", &oapi.Failure{
				Class: class, Code: "build.command_failed", Step: new("build"), Message: "npm run build exited with 3",
				Fix: new("run it locally"), ExitCode: new(3), Lines: []string{"> build", "\x1b[31mboom\x1b[0m\x07"},
			}
		}
	}
	explained := func(class string) string {
		return "error: shop#1 failed at build: npm run build exited with 3\n  | > build\n  | boom\nfix: run it locally\n" +
			"class: " + class + " (build.command_failed), exit code 3\nthe whole log: slipway logs shop#1\n"
	}
	for what, tc := range map[string]struct {
		end    func(*oapi.Deployment)
		code   int
		stderr string
	}{
		"user":        {failed("user"), exitFailedUser, explained("user")},
		"platform":    {failed("platform"), exitFailedOther, explained("platform")},
		"transient":   {failed("transient"), exitFailedOther, explained("transient")},
		"unexplained": {func(d *oapi.Deployment) { d.Status = "failed" }, exitFailedOther, "error: shop#1 failed\nthe whole log: slipway logs shop#1\n"},
		"canceled":    {func(d *oapi.Deployment) { d.Status = "canceled" }, exitNotDeployed, "shop#1 was canceled\n"},
		"superseded": {
			func(d *oapi.Deployment) { d.Status, d.SupersededBy = "superseded", new(deploymentID(2)) }, exitNotDeployed,
			"shop#1 was superseded by a newer deployment\nsee: slipway show " + deploymentID(2) + "\n",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			api.stream = wholeDeploy(api, tc.end)
			code, stdout, stderr := user(t, api).run("deploy", "shop", "--follow")
			require.Equal(t, tc.code, code)
			require.Equal(t, tc.stderr, stderr)
			require.True(t, strings.HasSuffix(stdout, "[5/5] release: probe\n"), stdout)
		})
	}
}

func TestDeployFollowShowsWarnings(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.stream = wholeDeploy(api, func(d *oapi.Deployment) {
		ready(d)
		d.Warnings = []oapi.Warning{
			{Code: "start.signals", Severity: "info", Message: "deaf"},
			{Code: "x.y", Severity: "warning", Message: "no lock file", File: new("package.json"), Line: new(3), Fix: new("commit one")},
		}
	})
	code, _, stderr := user(t, api).run("deploy", "shop", "--follow")
	require.Zero(t, code)
	require.Equal(t, "warning x.y: package.json:3: no lock file\nfix: commit one\ninfo start.signals: deaf\n", stderr)
}

func TestCtrlCLeavesTheDeployRunning(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	api.stream = func(c *gin.Context, _ int, _ int64) {
		send(c, "status", in("build", "solve"))
		<-c.Request.Context().Done()
	}
	var stdout, stderr buffer
	done := make(chan int)
	go func() { done <- user(t, api).cli(&stdout, &stderr).run(ctx, []string{"deploy", "shop", "--follow"}) }()
	require.Eventually(t, func() bool { return strings.Contains(stdout.String(), "[4/5] build: solve") }, eventually, tick)
	interrupt()
	require.Equal(t, exitInterrupted, <-done)
	require.Equal(t, "interrupted: the deployment shop#1 goes on\nfollow it: slipway logs -f shop#1\ncancel it: slipway cancel shop#1\n", stderr.String())
	require.NotContains(t, strings.Join(api.requests(), "\n"), "cancel")
}

func TestDeployFollowOnATerminal(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.stream = wholeDeploy(api, ready)
	p := user(t, api)
	p.vars["NO_COLOR"] = "1"
	p.tune = func(c *cli) { c.screen.stdout, c.screen.width = true, func() int { return 60 } }
	code, stdout, stderr := p.run("deploy", "shop", "--follow")
	require.Zero(t, code, stderr)
	require.True(t, strings.HasPrefix(stdout, "shop#1 to production\n"), stdout)
	for _, step := range []string{"resolve", "fetch", "plan", "build", "release"} {
		require.Equal(t, 1, strings.Count(stdout, "✓ "+step), stdout)
	}
	require.NotContains(t, stdout, "line 1")
	require.True(t, strings.HasSuffix(stdout, "\x1b[K✓ release  0.0s\nready after 42s, also at http://shop.localhost:8000\nhttp://1-preview.localhost:8000\n"), "%q", stdout)
}
