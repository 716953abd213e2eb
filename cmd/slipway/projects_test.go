package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

func TestProjectsCreateSendsEverySetting(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, stdout, stderr := user(t, api).run("projects", "create", "web", "https://git.example.com/team/mono.git",
		"--root-dir", "apps/web", "--builder", "nixpacks", "--install-command", "npm ci", "--build-command", "npm run build",
		"--start-command", "npm start", "--release-command", "npm run migrate", "--release-timeout", "1h", "--port", "3000", "--health-path", "/up", "--health-status", "204", "--health-timeout", "90s",
		"--production-branch", "trunk", "--build-timeout", "10m", "--cpus", "1.5", "--memory", "1024", "--pids", "100", "--disk", "500", "--log-size", "5", "--open-files", "1000", "--read-only-root",
		"--preview-resources", "cpus=0.25,memory_mb=256,read_only_root=true",
		"--dockerfile", "d/Dockerfile", "--target", "web", "--build-arg", "A=1=2", "--build-arg", "B", "--static-folder", "dist", "--spa",
		"--header", "/a/* X-A: b: c", "--header", "Y: z", "--strict", "pm.multiple_lockfiles,start.dev_server", "--repairs", "off",
		"--build-network", "none", "--build-ssh", "--non-root", "--provenance", "max", "--sbom", "--reproducible")
	require.Zero(t, code, stderr)
	body, sent := strings.CutPrefix(api.requests()[0], "POST /v1/projects ")
	require.True(t, sent)
	require.JSONEq(t, `{"name":"web","repo_url":"https://git.example.com/team/mono.git","root_dir":"apps/web","builder":"nixpacks",
		"install_command":"npm ci","build_command":"npm run build","start_command":"npm start","release_command":"npm run migrate","release_timeout_seconds":3600,"port":3000,
		"health_check":{"path":"/up","status":204,"timeout_seconds":90},"production_branch":"trunk","build_timeout_seconds":600,
		"resources":{"cpus":1.5,"memory_mb":1024,"pids":100,"disk_mb":500,"log_mb":5,"open_files":1000,"read_only_root":true},
		"preview_resources":{"cpus":0.25,"memory_mb":256,"read_only_root":true},"dockerfile":{"path":"d/Dockerfile","target":"web","build_args":{"A":"1=2","B":null}},
		"static":{"folder":"dist","spa":true,"headers":[{"path":"/a/*","name":"X-A","value":"b: c"},{"path":"/*","name":"Y","value":"z"}]},
		"strict":["pm.multiple_lockfiles","start.dev_server"],"repairs":"off","build_network":"none","build_ssh":true,"non_root":true,"provenance":"max","sbom":true,"reproducible":true}`, body)
	require.Equal(t, `name:                web
id:                  `+projectID+`
repository:          https://git.example.com/team/mono.git
folder:              .
production branch:   the repository's default branch
builder:             auto
install command:     the planner's
build command:       the planner's
start command:       the planner's
release command:     the Procfile's, if it has one
release timeout:     10m0s
build timeout:       30m0s
port:                the plan's
health check:        GET / answers below 500 within 1m0s
resources:           0.5 CPUs, 512 MB of memory, 512 processes, 30 MB of log
outside production:  the same
git credential:      none
created:             2026-11-23 11:00:00 UTC
updated:             2026-11-23 11:00:00 UTC
`, stdout)
}

func TestProjectsCreateSendsNoDefaults(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, _, stderr := user(t, api).run("projects", "create", "web", "https://git.example.com/web.git")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{`POST /v1/projects {"name":"web","repo_url":"https://git.example.com/web.git"}`}, api.requests())
}

func TestProjectsUpdateRefusesAHeaderWithoutAValue(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, _, stderr := user(t, api).run("projects", "update", "shop", "--header", "/a/* X-A")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, `--header "/a/* X-A" is not "[PATH] NAME: VALUE"`)
	require.Empty(t, api.requests())
}

func TestProjectsUpdateRefusesResourcesThatThereAreNot(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, _, stderr := user(t, api).run("projects", "update", "shop", "--preview-resources", "memory=256")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, `--preview-resources has no "memory": use cpus, memory_mb`)
	code, _, stderr = user(t, api).run("projects", "update", "shop", "--preview-resources", "pids=many")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--preview-resources pids=many is not a value of it")
	require.Empty(t, api.requests())
}

func TestProjectsUpdateSendsWhatIsGiven(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, _, stderr := user(t, api).run("projects", "update", "shop", "--build-command", "", "--port", "0", "--name", "store")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{`PATCH /v1/projects/shop {"build_command":"","name":"store","port":0}`}, api.requests())
}

func TestProjectsList(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.pageLimit = 1 // the CLI pages
	api.projects = []oapi.Project{project("shop"), project("a-longer-name")}
	code, stdout, stderr := user(t, api).run("projects", "list")
	require.Zero(t, code, stderr)
	require.Equal(t, `NAME           REPOSITORY                                      FOLDER  BUILDER  BRANCH  AGE
shop           https://git.example.com/team/shop.git           .       auto     -       1h00m
a-longer-name  https://git.example.com/team/a-longer-name.git  .       auto     -       1h00m
`, stdout)

	code, stdout, _ = user(t, api).run("projects", "list", "--output", "json")
	require.Zero(t, code)
	var answer oapi.ProjectList
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	require.Equal(t, oapi.ProjectList{Items: api.projects}, answer, "the API's own object")
	require.Contains(t, stdout, `"next_cursor": null`)

	api.projects = []oapi.Project{}
	code, stdout, stderr = user(t, api).run("projects", "list")
	require.Zero(t, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "no projects yet")
}

func TestProjectsShow(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, stdout, _ := user(t, api).run("projects", "show", "shop", "-o", "json")
	require.Zero(t, code)
	want, err := json.Marshal(project("shop"))
	require.NoError(t, err)
	require.JSONEq(t, string(want), stdout)
	code, _, stderr := user(t, api).run("projects", "show", "nope")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: no project is called \"nope\"\n", stderr)
}
