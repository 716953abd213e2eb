package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestCreateProject_FillsInDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call("POST", "/v1/projects", `{"name":"shop","repo_url":"https://git.example.com/team/shop.git","builder":null,"port":8080}`)
	require.Equal(t, http.StatusCreated, a.status)
	var p oapi.Project
	a.into(&p)
	require.Equal(t, "/v1/projects/"+p.ID, a.header.Get("Location"))
	require.Equal(t, ".", p.RootDir)
	require.Equal(t, oapi.BuilderAuto, p.Builder)
	require.Equal(t, 8080, p.Port)
	require.Equal(t, oapi.HealthCheck{Path: "/", TimeoutSeconds: 60}, p.HealthCheck)
	require.Equal(t, oapi.Resources{Cpus: 0.5, MemoryMB: 512, Pids: 512, LogMB: 30}, p.Resources)
	require.Equal(t, 1800, p.BuildTimeoutSeconds)
	require.Equal(t, 600, p.ReleaseTimeoutSeconds)
	require.Empty(t, p.ReleaseCommand)

	for _, name := range []string{p.ID, "shop"} {
		var found oapi.Project
		w.call("GET", "/v1/projects/"+name, "").into(&found)
		require.Equal(t, p, found)
	}
}

func TestProject_OfATrustedOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call("POST", "/v1/projects", `{"name":"example","repo_url":"`+trustedOrigin+`node.git"}`)
	require.Equal(t, http.StatusCreated, a.status, "the guard knows better than the list of schemes: %s", a.body)
	require.Equal(t, http.StatusOK, w.call("PATCH", "/v1/projects/example", `{"port":3000}`).status)
	w.call("PATCH", "/v1/projects/example", `{"repo_url":"http://git.example.com/node.git"}`).problem(422)
}

func TestCreateProject_NameTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	p := w.call("POST", "/v1/projects", `{"name":"shop","repo_url":"https://git.example.com/x.git"}`).problem(409)
	require.Equal(t, "name_taken", p.Code)
	require.Equal(t, "name", *p.Field)
	require.NotEmpty(t, *p.Fix)
}

func TestUpdateProject_ChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	var p oapi.Project
	w.call("PATCH", "/v1/projects/shop", `{"port":3000,"start_command":"node a.js","health_check":{"path":"/up","status":204},
		"resources":{"cpus":2,"memory_mb":1024},"builder":"static"}`).into(&p)
	require.Equal(t, oapi.HealthCheck{Path: "/up", Status: 204, TimeoutSeconds: 60}, p.HealthCheck)

	var q oapi.Project
	w.call("PATCH", "/v1/projects/shop", `{"health_check":{"timeout_seconds":5},"resources":{"cpus":null}}`).into(&q)
	require.Equal(t, oapi.HealthCheck{Path: "/up", Status: 204, TimeoutSeconds: 5}, q.HealthCheck)
	require.Equal(t, oapi.Resources{Cpus: 0.5, MemoryMB: 1024, Pids: 512, LogMB: 30}, q.Resources)
	require.Zero(t, q.PreviewResources)
	require.Equal(t, "node a.js", q.StartCommand)
	require.Equal(t, 3000, q.Port)
	require.Equal(t, oapi.BuilderStatic, q.Builder)

	w.call("PATCH", "/v1/projects/shop", `{"health_check":null,"builder":null,"start_command":"","port":0,"name":"store"}`).into(&q)
	require.Equal(t, oapi.HealthCheck{Path: "/", TimeoutSeconds: 60}, q.HealthCheck)
	require.Equal(t, oapi.BuilderAuto, q.Builder)
	require.Empty(t, q.StartCommand)
	require.Zero(t, q.Port)

	w.call("PATCH", "/v1/projects/store", `{"builder":"railpack"}`).into(&q)
	require.Equal(t, oapi.BuilderRailpack, q.Builder)
	require.Equal(t, "install_command", *w.call("PATCH", "/v1/projects/store", `{"install_command":"npm ci"}`).problem(422).Field)
	require.Equal(t, 1024, q.Resources.MemoryMB)
	w.call("GET", "/v1/projects/shop", "").problem(404)
	require.Equal(t, 200, w.call("GET", "/v1/projects/store", "").status)
}

func TestProject_Resources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	var p oapi.Project
	w.call("PATCH", "/v1/projects/shop", `{"resources":{"pids":100,"disk_mb":500,"log_mb":5,"open_files":1000,"read_only_root":true},
		"preview_resources":{"cpus":0.25,"memory_mb":256}}`).into(&p)
	require.Equal(t, oapi.Resources{Cpus: 0.5, MemoryMB: 512, Pids: 100, DiskMB: 500, LogMB: 5, OpenFiles: 1000, ReadOnlyRoot: true}, p.Resources)
	require.Equal(t, oapi.Resources{Cpus: 0.25, MemoryMB: 256}, p.PreviewResources)

	w.call("PATCH", "/v1/projects/shop", `{"preview_resources":{"cpus":null,"pids":32}}`).into(&p)
	require.Equal(t, oapi.Resources{MemoryMB: 256, Pids: 32}, p.PreviewResources)
	for field, body := range map[string]string{
		"resources.pids": `{"resources":{"pids":3}}`, "preview_resources.memory_mb": `{"preview_resources":{"memory_mb":1}}`,
		"preview_resources.cpus": `{"preview_resources":{"cpus":0.001}}`, "resources.open_files": `{"resources":{"open_files":5}}`,
	} {
		require.Equal(t, field, *w.call("PATCH", "/v1/projects/shop", body).problem(422).Field)
	}
	w.call("GET", "/v1/projects/shop", "").into(&p)
	require.Equal(t, oapi.Resources{MemoryMB: 256, Pids: 32}, p.PreviewResources)
}

func TestProject_ReleaseCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	var p oapi.Project
	w.call("PATCH", "/v1/projects/shop", `{"release_command":"bin/migrate","release_timeout_seconds":3600}`).into(&p)
	require.Equal(t, "bin/migrate", p.ReleaseCommand)
	require.Equal(t, 3600, p.ReleaseTimeoutSeconds)
	w.call("PATCH", "/v1/projects/shop", `{"port":1234}`).into(&p)
	require.Equal(t, "bin/migrate", p.ReleaseCommand)
	for body, field := range map[string]string{
		`{"release_command":"a\nb"}`:                              "release_command",
		`{"release_command":"` + strings.Repeat("x", 4097) + `"}`: "release_command",
		`{"release_timeout_seconds":-1}`:                          "release_timeout_seconds",
		`{"release_timeout_seconds":21601}`:                       "release_timeout_seconds",
	} {
		require.Equal(t, field, *w.call("PATCH", "/v1/projects/shop", body).problem(422).Field, body)
	}
	w.call("PATCH", "/v1/projects/shop", `{"release_command":"","release_timeout_seconds":null}`).into(&p)
	require.Empty(t, p.ReleaseCommand)
	require.Equal(t, 600, p.ReleaseTimeoutSeconds)
}

func TestUpdateProject_ChangesAtOnceAllStand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.project("shop")
	for round := 1; round <= 10; round++ {
		bodies := []string{
			fmt.Sprintf(`{"port":%d}`, 3000+round), fmt.Sprintf(`{"start_command":"run %d"}`, round),
			fmt.Sprintf(`{"build_command":"build %d"}`, round), fmt.Sprintf(`{"health_check":{"path":"/up/%d"}}`, round),
			fmt.Sprintf(`{"name":"shop-%d"}`, round),
		}
		codes := make([]int, len(bodies))
		var wait sync.WaitGroup
		for i, body := range bodies {
			req := w.request("PATCH", "/v1/projects/"+p.ID, body)
			wait.Go(func() {
				if resp, err := w.server.Client().Do(req); err == nil {
					codes[i] = resp.StatusCode
					_ = resp.Body.Close()
				}
			})
		}
		wait.Wait()
		require.Equal(t, []int{200, 200, 200, 200, 200}, codes)
		var q oapi.Project
		w.call("GET", "/v1/projects/"+p.ID, "").into(&q)
		require.Equal(t, 3000+round, q.Port)
		require.Equal(t, fmt.Sprintf("run %d", round), q.StartCommand)
		require.Equal(t, fmt.Sprintf("build %d", round), q.BuildCommand)
		require.Equal(t, fmt.Sprintf("/up/%d", round), q.HealthCheck.Path)
		require.Equal(t, fmt.Sprintf("shop-%d", round), q.Name)
	}
}

// rushed is a store where somebody else always changes the project first.
type rushed struct {
	api.Store
	rivals atomic.Int32
}

func (r *rushed) UpdateProject(ctx context.Context, p deployment.Project) (deployment.Project, error) {
	rival, err := r.Project(ctx, p.ID)
	if err != nil {
		return rival, err
	}
	rival.Port = int(4000 + r.rivals.Add(1))
	if _, err := r.Store.UpdateProject(ctx, rival); err != nil {
		return rival, err
	}
	return r.Store.UpdateProject(ctx, p)
}

func TestUpdateProject_GivesUpWhenOthersKeepComingFirst(t *testing.T) {
	t.Parallel()
	store := &rushed{}
	w := newWorld(t, func(o *api.Options) { store.Store, o.Store = o.Store, store })
	w.project("shop")
	p := w.call("PATCH", "/v1/projects/shop", `{"start_command":"node a.js"}`).problem(409)
	require.Equal(t, "conflict", p.Code)
	require.NotEmpty(t, *p.Fix)
	require.Greater(t, store.rivals.Load(), int32(1), "it was tried again")
	var left oapi.Project
	w.call("GET", "/v1/projects/shop", "").into(&left)
	require.Equal(t, int(4000+store.rivals.Load()), left.Port)
	require.Empty(t, left.StartCommand)
}

func TestUpdateProject_MergesBuildSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	var p, q, r oapi.Project
	w.call("PATCH", "/v1/projects/shop", `{"dockerfile":{"path":"d/Dockerfile","build_args":{"A":"1","B":"2"}},"strict":["all"],"repairs":"off",
		"static":{"folder":"dist","headers":[{"path":"/a/*","name":"X","value":"x"},{"path":"/*","name":"Y","value":"y"}]},
		"build_network":"none","build_ssh":true,"non_root":true,"provenance":"min","sbom":true,"reproducible":true}`).into(&p)
	require.Equal(t, oapi.DockerfileSettings{Path: "d/Dockerfile", BuildArgs: map[string]string{"A": "1", "B": "2"}}, p.Dockerfile)

	w.call("PATCH", "/v1/projects/shop", `{"dockerfile":{"target":"web","build_args":{"A":null,"C":"3"}},"static":{"spa":true,"headers":[{"path":"/*","name":"Z","value":"z"}]},
		"sbom":null,"strict":["node.version_defaulted"]}`).into(&q)
	require.Equal(t, oapi.DockerfileSettings{Path: "d/Dockerfile", Target: "web", BuildArgs: map[string]string{"B": "2", "C": "3"}}, q.Dockerfile)
	require.Equal(t, oapi.StaticSettings{Folder: "dist", Spa: true, Headers: []oapi.StaticHeader{{Path: "/*", Name: "Z", Value: "z"}}}, q.Static)
	require.Equal(t, []string{"node.version_defaulted"}, q.Strict)
	require.Equal(t, []any{"off", "none", true, true, "min", false, true}, []any{q.Repairs, q.BuildNetwork, q.BuildSSH, q.NonRoot, q.Provenance, q.Sbom, q.Reproducible})

	w.call("PATCH", "/v1/projects/shop", `{"dockerfile":null,"static":null,"strict":null,"repairs":null,"build_network":null,"non_root":null,"provenance":null}`).into(&r)
	require.Equal(t, oapi.DockerfileSettings{Path: "Dockerfile", BuildArgs: map[string]string{}}, r.Dockerfile)
	require.Equal(t, oapi.StaticSettings{Headers: []oapi.StaticHeader{}}, r.Static)
	require.Empty(t, r.Strict)
	require.Equal(t, []any{"on", "sandbox", false, "off"}, []any{r.Repairs, r.BuildNetwork, r.NonRoot, r.Provenance})
}

func TestUpdateProject_ChecksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	w.project("other")
	for body, field := range map[string]string{
		`{"repo_url":"https://127.0.0.1/x.git"}`: "repo_url", `{"root_dir":"../.."}`: "root_dir", `{"name":null}`: "name",
		`{"health_check":{"path":"up"}}`: "health_check.path", `{}`: "body", `{"id":"x"}`: "id",
		`{"dockerfile":{"path":"/x"}}`: "dockerfile.path", `{"static":{"headers":[{"path":"/","name":"a b","value":""}]}}`: "static.headers[0].name",
	} {
		p := w.call("PATCH", "/v1/projects/shop", body).problem(422)
		require.Equal(t, field, *p.Field, body)
	}
	require.Equal(t, "name_taken", w.call("PATCH", "/v1/projects/shop", `{"name":"other"}`).problem(409).Code)
}

func TestListProjects_Pages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.project(fmt.Sprintf("app-%d", i))
	}
	var names []string
	path := "/v1/projects?limit=2"
	for range 3 {
		var page oapi.ProjectList
		w.call("GET", path, "").into(&page)
		for _, p := range page.Items {
			names = append(names, p.Name)
		}
		if page.NextCursor == nil {
			break
		}
		path = "/v1/projects?limit=2&cursor=" + *page.NextCursor
	}
	require.Equal(t, []string{"app-0", "app-1", "app-2", "app-3", "app-4"}, names)
}

func TestListProjects_EmptyIsAList(t *testing.T) {
	t.Parallel()
	a := newWorld(t).call("GET", "/v1/projects", "")
	require.JSONEq(t, `{"items":[],"next_cursor":null}`, string(a.body))
}

func TestEnv(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	env := func(method, path, body string) oapi.Env {
		a := w.call(method, "/v1/projects/shop/env"+path, body)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		require.NotContains(t, string(a.body), "s3cret")
		var e oapi.Env
		a.into(&e)
		require.Equal(t, "takes effect at the next deployment", e.Note)
		return e
	}
	require.Empty(t, env("GET", "", "").Vars)
	e := env("PUT", "", `{"vars":[{"name":"B","value":"s3cret"},{"name":"A","value":"","target":"build"}]}`)
	require.Equal(t, []oapi.EnvVar{{Name: "A", Target: "build", Source: "project"}, {Name: "B", Target: "both", Source: "project"}}, e.Vars)
	e = env("PATCH", "", `{"vars":[{"name":"B","value":"s3cret","target":"runtime"},{"name":"C","value":"x"}]}`)
	require.Equal(t, []oapi.EnvVar{
		{Name: "A", Target: "build", Source: "project"}, {Name: "B", Target: "runtime", Source: "project"}, {Name: "C", Target: "both", Source: "project"},
	}, e.Vars)
	require.Len(t, env("DELETE", "/A", "").Vars, 2)
	missing := w.call("DELETE", "/v1/projects/shop/env/A", "").problem(404)
	require.Equal(t, "name", *missing.Field)
	require.Empty(t, env("PUT", "", `{"vars":[]}`).Vars)
}
