package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/registry"
)

func withHistory(t *testing.T) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	building := made(3, "building")
	building.Step = &oapi.CurrentStep{Name: "build", Attempt: 1, Phase: new("push")}
	failed := made(2, "failed")
	failed.Failure = &oapi.Failure{Class: "user", Code: "plan.no_app", Step: new("plan"), Message: "nothing to build", Fix: new("add an app"), Lines: []string{"one", "two"}}
	failed.FinishedAt = new(noon.Add(-30 * 1e9))
	api.deployments = []oapi.Deployment{building, failed, made(1, "ready")}
	api.pageLimit = 2
	return api
}

func TestPs(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	asleep := previewOf(1, "production")
	asleep.State, asleep.Usage.Current = "asleep", false
	api.previews = []oapi.Preview{asleep}
	code, stdout, stderr := user(t, api).run("ps", "shop")
	require.Zero(t, code, stderr)
	require.Equal(t, `DEPLOYMENT  ENVIRONMENT  STATUS    STEP   REF   COMMIT   AGE    STATE   IDLE   CPU  MEMORY  EXPIRES  PREVIEW
shop#3      production   building  build  main  3f2a9c1  1m00s  -       -      -    -       -        -
shop#2      production   failed    plan   main  3f2a9c1  1m00s  -       -      -    -       -        -
shop#1      production   ready     -      main  3f2a9c1  1m00s  asleep  1m30s  -    -       in 2d    http://1-preview.localhost:8000
`, stdout)
	require.Equal(t, 1, strings.Count(strings.Join(api.requests(), "\n"), "GET /v1/previews?"))

	code, stdout, _ = user(t, api).run("ps", "--status", "ready,building", "--status", "ready", "-o", "json")
	require.Zero(t, code)
	var found oapi.DeploymentList
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.Len(t, found.Items, 2)
	require.Equal(t, []int{3, 1}, []int{found.Items[0].Number, found.Items[1].Number})
	require.Contains(t, stdout, `"expires_at": "2026-11-25T13:00:00Z"`, "with its preview")

	_, stdout, _ = user(t, api).run("ps", "-n", "1")
	require.Equal(t, 2, strings.Count(stdout, "\n"))
	code, stdout, stderr = user(t, api).run("ps", "--environment", "pr/9")
	require.Zero(t, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "no deployments")
}

func TestADeploymentIsNamedInThreeWays(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	for given, want := range map[string]int{"shop": 3, "shop#1": 1, "shop#2": 2, deploymentID(2): 2} {
		code, stdout, stderr := user(t, api).run("show", given, "-o", "json")
		require.Zero(t, code, stderr)
		var d oapi.Deployment
		require.NoError(t, json.Unmarshal([]byte(stdout), &d))
		require.Equal(t, want, d.Number, given)
	}
	code, _, stderr := user(t, api).run("show", "shop#9")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: project shop has no deployment 9\nfix: `slipway ps shop` lists them; old ones are removed after the retention of deployments\n", stderr)
	api.deployments = []oapi.Deployment{}
	_, _, stderr = user(t, api).run("show", "shop")
	require.Equal(t, "error: project shop has no deployment yet\nfix: make one with `slipway deploy shop`\n", stderr)
}

func TestShowExplainsAFailure(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := user(t, withHistory(t)).run("show", "shop#2")
	require.Zero(t, code, stderr)
	require.Equal(t, `deployment:       shop#2
id:               `+deploymentID(2)+`
environment:      production
status:           failed
ref:              main
commit:           3f2a9c1e00000000000000000000000000000000
image:            -
preview:          http://2-preview.localhost:8000
environment url:  http://shop.localhost:8000
workflow:         deploy/`+deploymentID(2)+`
created:          2026-11-23 11:59:00 UTC
finished:         2026-11-23 11:59:30 UTC, after 30s
failed:           plan: nothing to build
class:            user (plan.no_app)
fix:              add an app
  | one
  | two
`, stdout)
}

func TestShowTellsWhatABuildTook(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	api.deployments[2].ImageDigest = new("sha256:1")
	api.deployments[2].Build = &oapi.BuildFigures{
		Vertices: []oapi.BuildVertex{}, Steps: 9, Cached: 2, Seconds: 12.34, Phases: []oapi.BuildPhase{{Name: "install", Seconds: 7}, {Name: "push", Seconds: 1.26}},
		Image: &oapi.ImageFigures{Layers: 5, Bytes: 1_500_000, Changed: &oapi.ImageChanges{Since: 1, Layers: 2, Bytes: 4_000}},
	}
	code, stdout, stderr := user(t, api).run("show", "shop#1")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `build:            built in 12.3 s, 2 of 9 steps from cache
phases:           install 7.0 s, push 1.3 s
size:             image of 1.5 MB in 5 layers, 2 of them (4.0 kB) not in the image of #1
`)
}

func TestSteps(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := user(t, withHistory(t)).run("steps", "shop#3")
	require.Zero(t, code, stderr)
	require.Equal(t, `STEP     PHASE  ATTEMPT  STATUS     TOOK  STARTED   HOST    FAILURE
resolve  -      1        succeeded  1.0s  11:59:00  host-1  -
build    solve  2        running    50s   11:59:10  -       -
`, stdout)
}

func TestPlanAndDockerfile(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	code, stdout, stderr := user(t, api).run("plan", "shop")
	require.Zero(t, code, stderr)
	require.Equal(t, `builder:            nixpacks 1.41.0
providers:          node
version of node:    22
base image:         debian:bookworm
folder:             .
dockerfile:         rendered from the plan
install command:    -
install copies:     package.json, package-lock.json
build command:      -
start command:      npm start
port:               3000
variable NODE_ENV:  production
secrets:            NPM_TOKEN
ignored:            -
digest:             sha256:aa
`, stdout)
	code, stdout, _ = user(t, api).run("dockerfile", "shop")
	require.Zero(t, code)
	require.Equal(t, "FROM debian:bookworm\nRUN true\n", stdout)
	_, stdout, _ = user(t, api).run("dockerfile", "shop", "-o", "json")
	require.JSONEq(t, `{"dockerfile":"FROM debian:bookworm\nRUN true\n"}`, stdout)
}

func TestLogs(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	api.lines = []oapi.LogLine{logLine(1), logLine(2), logLine(3), logLine(4), logLine(5)}
	code, stdout, stderr := user(t, api).run("logs", "shop", "--since-seq", "1")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{"line 2", "line 3", "line 4", "line 5"}, texts(stdout))
	_, stdout, _ = user(t, api).run("logs", "shop", "--since-seq", "4", "-o", "json")
	want, err := json.Marshal(logLine(5))
	require.NoError(t, err)
	require.Equal(t, string(want)+"\n", stdout)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	code, stdout, _ := user(t, api).run("cancel", "shop#3")
	require.Zero(t, code)
	require.Equal(t, "shop#3 is canceling\n", stdout)
	for end, want := range map[oapi.DeploymentStatus]int{"canceled": exitOK, "ready": exitError} {
		looks := 0
		api.onGet = func(d *oapi.Deployment) {
			if looks++; looks > 2 {
				d.Status = end
			}
		}
		code, stdout, _ = user(t, api).run("cancel", "shop#3", "--wait")
		require.Equal(t, want, code)
		require.Contains(t, stdout, "shop#3 is "+string(end))
	}
}

func TestCancel_SaysWhatWasUndone(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	api.onGet = func(d *oapi.Deployment) { d.Status = "canceled" }
	_, stdout, _ := user(t, api).run("cancel", "shop#3", "--wait")
	require.Equal(t, "shop#3 is canceled: there was nothing to undo\n", stdout)
	api.receipt = []oapi.Undone{
		{Kind: "solve", Name: "d-1", Host: new("host-1"), TookMs: 1250, GoneAt: noon},
		{Kind: "lease", Name: "d", Host: new("host-1"), GoneAt: noon},
	}
	_, stdout, _ = user(t, api).run("cancel", "shop#3", "--wait")
	require.Equal(t, "shop#3 is canceled: solve d-1 ended, build slot of host-1 given back\n", stdout)
	_, stdout, _ = user(t, api).run("steps", "shop#3")
	require.Contains(t, stdout, `
UNDONE  NAME  TOOK  GONE      HOST
solve   d-1   1.2s  12:00:00  host-1
lease   d     0.0s  12:00:00  host-1
`)
}

func TestRetry(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	code, stdout, stderr := user(t, api).run("retry", "shop#2")
	require.Zero(t, code, stderr)
	require.Equal(t, "shop#2 is queued again\n", stdout)
	code, _, stderr = user(t, api).run("retry", "shop#2", "--logs")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--logs goes with --follow")
}

func TestOpen(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	for given, want := range map[string]string{"shop": "http://shop.localhost:8000\n", "shop#1": "http://1-preview.localhost:8000\n"} {
		code, stdout, stderr := user(t, api).run("open", given)
		require.Zero(t, code, stderr)
		require.Equal(t, want, stdout)
	}
	code, _, stderr := user(t, api).run("open", "shop#3")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: shop#3 serves nothing: it is building")
	code, _, stderr = user(t, api).run("open", "shop", "-e", "pr/9")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: nothing of project shop is live")
}

func TestOpenStartsABrowserWhereThereIsADisplay(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\nprintf %s \"$1\" > " + filepath.Join(dir, "opened")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	p := user(t, withHistory(t))
	p.vars["DISPLAY"] = ":0"
	code, _, stderr := p.run("open", "shop", "--print")
	require.Zero(t, code, stderr)
	require.NoFileExists(t, filepath.Join(dir, "opened"))
	code, _, stderr = p.run("open", "shop")
	require.Zero(t, code, stderr)
	opened, err := os.ReadFile(filepath.Join(dir, "opened"))
	require.NoError(t, err)
	require.Equal(t, "http://shop.localhost:8000", string(opened))
}

func TestAdminImagesAdd(t *testing.T) {
	t.Parallel()
	images, err := registry.New(registry.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	server := httptest.NewServer(images)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	tarball := filepath.Join(t.TempDir(), "rootfs.tar")
	require.NoError(t, os.WriteFile(tarball, rootFS(t), 0o600))

	p := &person{t: t}
	code, stdout, stderr := p.run("admin", "images", "add", "node:20", tarball, "--registry", host, "-o", "json")
	require.Zero(t, code, stderr)
	digest, err := registry.Client{Host: host, Insecure: true}.Digest(context.Background(), "library/node:20")
	require.NoError(t, err)
	require.NotEmpty(t, digest)
	require.JSONEq(t, `{"image":"library/node:20","registry":"`+host+`","digest":"`+digest+`"}`, stdout)

	for args, want := range map[string]string{
		"ghcr.io/a/b:1 " + tarball: "error: ghcr.io/a/b:1 names the registry ghcr.io",
		"A%:1 " + tarball:          `error: "A%:1" is not the name of an image with a tag`,
		"a/b:1 /nowhere.tar":       "error: add base image: import image a/b:1 from /nowhere.tar: open",
	} {
		code, _, stderr := p.run(append([]string{"admin", "images", "add", "--registry", host}, strings.Fields(args)...)...)
		require.NotZero(t, code)
		require.Contains(t, stderr, want)
	}
}

func TestAdminImagesAdd_ToARegistryThatWantsAPassword(t *testing.T) {
	t.Parallel()
	host := buildkittest.PrivateRegistry(t, "robot", "pass-of-a-robot")
	dir := t.TempDir()
	tarball, file := filepath.Join(dir, "rootfs.tar"), filepath.Join(dir, "config.json")
	require.NoError(t, os.WriteFile(tarball, rootFS(t), 0o600))
	auth := base64.StdEncoding.EncodeToString([]byte("robot:pass-of-a-robot"))
	require.NoError(t, os.WriteFile(file, []byte(`{"auths": {"`+host+`": {"auth": "`+auth+`"}}}`), 0o600))
	add := []string{"admin", "images", "add", "node:20", tarball, "--registry", host}

	p := &person{t: t, vars: map[string]string{}}
	code, _, stderr := p.run(add...)
	require.NotZero(t, code)
	require.Contains(t, stderr, "error: add base image: ")
	require.Contains(t, stderr, "--auth-file")
	code, _, stderr = p.run(append(add, "--auth-file", file)...)
	require.Zero(t, code, stderr)
	p.vars["SLIPWAY_REGISTRY_AUTH_FILE"] = file
	code, stdout, stderr := p.run(add...)
	require.Zero(t, code, stderr)
	require.NotContains(t, stdout+stderr, "pass-of-a-robot")
}
