package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// TestMain keeps the git configuration of whoever runs the tests out of them.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull, "GIT_CEILING_DIRECTORIES": os.TempDir(),
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(postgrestest.Main(m))
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// clone makes a checkout with the folders apps/web and apps/api, on branch main, as it is after a clone of url.
func clone(t *testing.T, url string) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	for _, folder := range []string{"apps/web/src", "apps/api"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, folder, "file"), []byte("1"), 0o600))
	}
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "one")
	git(t, dir, "remote", "add", "origin", url)
	pushed(t, dir, "origin", "main")
	return dir
}

// pushed leaves what `git push -u` does: the remote's branch as it was seen, and the branch following it.
func pushed(t *testing.T, dir, remote, branch string) {
	t.Helper()
	git(t, dir, "update-ref", "refs/remotes/"+remote+"/"+branch, "HEAD")
	git(t, dir, "branch", "-q", "-u", remote+"/"+branch)
}

func at(t *testing.T, api *fakeAPI, dir string) *person {
	t.Helper()
	p := user(t, api)
	p.dir = dir
	return p
}

func (f *fakeAPI) sent(method string) (found []string) {
	for _, request := range f.requests() {
		if strings.HasPrefix(request, method+" ") {
			found = append(found, request)
		}
	}
	return found
}

func withProjects(t *testing.T, projects ...oapi.Project) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	api.projects = projects
	return api
}

func folder(name, dir string) oapi.Project {
	p := project(name)
	p.RepoURL, p.RootDir = "https://git.example.com/team/mono.git", dir
	return p
}

func TestDeployFromACheckout(t *testing.T) {
	t.Parallel()
	api := withProjects(t, project("other"), project("shop"))
	dir := clone(t, "git@git.example.com:team/shop.git")
	git(t, dir, "checkout", "-q", "-b", "mine")
	git(t, dir, "update-ref", "refs/remotes/origin/feature/cart", "HEAD")
	git(t, dir, "branch", "-q", "-u", "origin/feature/cart")
	code, _, stderr := at(t, api, filepath.Join(dir, "apps", "web")).run("deploy")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{`POST /v1/projects/shop/deployments {"branch":"feature/cart"}`}, api.sent("POST"))
	require.Equal(t, "note: project shop, branch feature/cart, from this checkout (origin)\nfollow it: slipway logs -f shop#1\n", stderr)
}

func TestWhatIsGivenWinsOverTheCheckout(t *testing.T) {
	t.Parallel()
	dir := clone(t, "https://git.example.com/team/shop.git")
	for line, want := range map[string]string{
		"deploy other":                         `POST /v1/projects/other/deployments {}`,
		"deploy --branch side":                 `POST /v1/projects/shop/deployments {"branch":"side"}`,
		"deploy --tag v1 -e production":        `POST /v1/projects/shop/deployments {"environment":"production","tag":"v1"}`,
		"deploy --commit 3f2a9c1 -e pr/4":      `POST /v1/projects/shop/deployments {"commit":"3f2a9c1","environment":"pr/4"}`,
		"deploy -e pr/4":                       `POST /v1/projects/shop/deployments {"branch":"main","environment":"pr/4"}`,
		"projects create a https://h/b.git":    `POST /v1/projects {"name":"a","repo_url":"https://h/b.git"}`,
		"projects create a":                    `POST /v1/projects {"name":"a","repo_url":"https://git.example.com/team/shop.git"}`,
		"projects create --builder dockerfile": `POST /v1/projects {"builder":"dockerfile","name":"shop","repo_url":"https://git.example.com/team/shop.git"}`,
	} {
		api := withProjects(t, project("other"), project("shop"))
		code, _, stderr := at(t, api, dir).run(strings.Fields(line)...)
		require.Zero(t, code, stderr)
		require.Equal(t, []string{want}, api.sent("POST"), line)
	}
}

func TestDeployWarnsOfWhatStaysBehind(t *testing.T) {
	t.Parallel()
	api := withProjects(t, project("shop"))
	dir := clone(t, "https://git.example.com/team/shop.git")
	seen := git(t, dir, "rev-parse", "HEAD")[:7]
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "two")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "apps/api/file"), []byte("2"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600))
	code, _, stderr := at(t, api, dir).run("deploy")
	require.Zero(t, code)
	require.Contains(t, stderr, "warning: 1 commit is not pushed, 2 changed files are not committed: what is deployed is origin/main, last seen at "+seen+"\n")
}

func TestDeployRefusesWhatNoRemoteBranchSays(t *testing.T) {
	t.Parallel()
	api := withProjects(t, project("shop"))
	dir := clone(t, "https://git.example.com/team/shop.git")
	git(t, dir, "checkout", "-q", "-b", "new")
	code, _, stderr := at(t, api, dir).run("deploy")
	require.Equal(t, exitUsage, code)
	require.Equal(t, "error: branch new was never pushed to origin, as far as this checkout knows\n"+
		"fix: `git push -u origin new`, or name what is there with --branch\n", stderr)

	git(t, dir, "checkout", "-q", "--detach")
	code, _, stderr = at(t, api, dir).run("deploy")
	require.Equal(t, exitUsage, code)
	require.Equal(t, "error: HEAD is detached, so that no branch says what to deploy\n"+
		"fix: pass --commit "+git(t, dir, "rev-parse", "HEAD")+" with --environment, or --branch\n", stderr)
	require.Empty(t, api.sent("POST"))
}

// A branch that follows a fork is not the branch of the same name in the project's repository.
func TestDeployTellsAForkFromTheProject(t *testing.T) {
	t.Parallel()
	api := withProjects(t, project("shop"))
	dir := clone(t, "https://git.example.com/team/shop.git")
	git(t, dir, "remote", "add", "fork", "https://git.example.com/me/shop.git")
	git(t, dir, "checkout", "-q", "-b", "cart")
	pushed(t, dir, "fork", "cart")
	code, _, stderr := at(t, api, dir).run("deploy")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "branch cart was never pushed to origin")

	mine := project("mine")
	mine.RepoURL = "https://git.example.com/me/shop.git"
	api.projects = append(api.projects, mine)
	code, _, stderr = at(t, api, dir).run("deploy")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{`POST /v1/projects/mine/deployments {"branch":"cart"}`}, api.sent("POST"), "the branch's own remote comes first")
}

func TestMonorepoChoosesByFolder(t *testing.T) {
	t.Parallel()
	api := withProjects(t, folder("web", "apps/web"), folder("api", "apps/api"), folder("webby", "apps/we"))
	dir := clone(t, "ssh://git@git.example.com:2222/team/mono.git")
	for from, want := range map[string]string{"apps/web": "web", "apps/web/src": "web", "apps/api": "api"} {
		code, stdout, stderr := at(t, api, filepath.Join(dir, from)).run("projects", "show", "-o", "json")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, `"name": "`+want+`"`, from)
	}
	code, _, stderr := at(t, api, dir).run("deploy")
	require.Equal(t, exitUsage, code)
	require.Equal(t, "error: 3 projects deploy the repository of this checkout: web (folder apps/web), api (folder apps/api), webby (folder apps/we)\n"+
		"fix: name one of them, or go into its folder\n", stderr)

	api.projects = append(api.projects, folder("all", "."))
	_, stdout, _ := at(t, api, filepath.Join(dir, "apps")).run("projects", "show", "-o", "json")
	require.Contains(t, stdout, `"name": "all"`, "the whole repository is around every folder")
	api.projects = append(api.projects, folder("web2", "apps/web"))
	_, _, stderr = at(t, api, filepath.Join(dir, "apps/web")).run("deploy")
	require.Contains(t, stderr, "2 projects deploy the repository of this checkout: web (folder apps/web), web2 (folder apps/web)")
}

func TestACheckoutOfNoProject(t *testing.T) {
	t.Parallel()
	api := withProjects(t, project("shop"))
	dir := clone(t, "https://me:secret@git.example.com/team/else.git")
	for _, line := range []string{"deploy", "logs", "env list", "open"} {
		code, _, stderr := at(t, api, dir).run(strings.Fields(line)...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, "no project deploys the repository of this checkout (origin: https://git.example.com/team/else.git)", line)
		require.NotContains(t, stderr, "secret")
	}
	git(t, dir, "remote", "set-url", "origin", "/srv/else.git")
	code, _, stderr := at(t, api, dir).run("deploy")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{`POST /v1/projects/shop/deployments {}`}, api.sent("POST"), "no server fetches from a folder: the only project")
}

// Every command that takes a project finds it.
func TestCommandsFindTheProject(t *testing.T) {
	t.Parallel()
	dir := clone(t, "https://git.example.com/team/shop")
	for _, line := range []string{
		"ps", "show", "logs", "steps", "plan", "dockerfile", "open --print", "temporal --print", "env list", "env set A=1", "projects show",
		"projects update --port 3000",
	} {
		api := withHistory(t)
		api.projects = []oapi.Project{project("other"), project("shop")}
		for i := range api.deployments {
			api.deployments[i].TemporalURL = new("http://127.0.0.1:8233/" + api.deployments[i].ID)
		}
		code, _, stderr := at(t, api, dir).run(strings.Fields(line)...)
		require.Zero(t, code, "%s: %s", line, stderr)
		requests := strings.Join(api.requests(), "\n")
		require.True(t, strings.Contains(requests, "/projects/shop") || strings.Contains(requests, "project=shop"), requests)
	}
	api := withHistory(t)
	_, _, stderr := at(t, api, dir).run("ps", "--all")
	require.Empty(t, stderr)
	require.NotContains(t, strings.Join(api.requests(), "\n"), "project=")
}

func TestTemporal(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	api.deployments[2].TemporalURL = new("http://127.0.0.1:8233/namespaces/default/workflows/deploy%2F1")
	code, stdout, stderr := user(t, api).run("temporal", "shop#1", "--print")
	require.Zero(t, code, stderr)
	require.Equal(t, "http://127.0.0.1:8233/namespaces/default/workflows/deploy%2F1\n", stdout)
	code, _, stderr = user(t, api).run("temporal", "shop#2")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: the API has no link to the workflow deploy/"+deploymentID(2)+"\n"+
		"fix: a deployment that waits for its turn has no workflow yet (slipway show shop#2); else set SLIPWAY_TEMPORAL_UI_URL where the API runs\n", stderr)
}

func TestProjectsCreateProposesTheCheckout(t *testing.T) {
	t.Parallel()
	dir := clone(t, "git@git.example.com:team/My_Shop.git")
	for typed, want := range map[string]string{
		"\n\n":                               `{"name":"my-shop","repo_url":"ssh://git@git.example.com/team/My_Shop.git"}`,
		"store\nhttps://git.example.com/s\n": `{"name":"store","repo_url":"https://git.example.com/s"}`,
	} {
		api := newFakeAPI(t)
		p := at(t, api, dir)
		p.tune = func(c *cli) { c.screen.stdin, c.stdin = true, iotest.OneByteReader(strings.NewReader(typed)) }
		code, _, stderr := p.run("projects", "create")
		require.Zero(t, code, stderr)
		require.Equal(t, "Name [my-shop]: Repository [ssh://git@git.example.com/team/My_Shop.git]: ", stderr)
		require.Equal(t, []string{"POST /v1/projects " + want}, api.requests())
	}
	api := newFakeAPI(t)
	code, _, stderr := at(t, api, filepath.Join(dir, "apps/web")).run("projects", "create", "web")
	require.Zero(t, code)
	require.Equal(t, "note: the whole repository is built; --root-dir apps/web builds this folder alone\n"+
		"note: project web of ssh://git@git.example.com/team/My_Shop.git, from this checkout\n", stderr)
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	api := withHistory(t)
	api.pageLimit = 1000
	api.projects = []oapi.Project{project("shop"), project("shoes"), project("api")}
	complete := func(words ...string) []string {
		code, stdout, _ := user(t, api).run(append([]string{"__completeNoDesc"}, words...)...)
		require.Zero(t, code)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		require.Equal(t, ":4", lines[len(lines)-1], "no files are proposed: %s", stdout)
		return lines[:len(lines)-1]
	}
	require.Equal(t, []string{"shop", "shoes"}, complete("deploy", "sho"))
	require.Empty(t, complete("deploy", "shop", ""), "there is one argument")
	require.Equal(t, []string{"shop", "shop#3", "shop#2", "shop#1"}, complete("logs", "shop"))
	require.Equal(t, []string{"shop#3", "shop#2", "shop#1"}, complete("cancel", "shop#"))
	require.Equal(t, []string{deploymentID(3), deploymentID(2), deploymentID(1)}, complete("show", deploymentID(1)[:30]))
	api.tokens = []oapi.Token{{ID: adminTokenID, Name: "admin", CreatedAt: noon}, {ID: ciTokenID, Name: "ci/shop", CreatedAt: noon}}
	require.Equal(t, []string{"shop#3", "shop#2", "shop#1"}, complete("rollback", "production", "--to", "shop#"))
	require.Equal(t, []string{"ci/shop"}, complete("admin", "token", "revoke", "c"))
	require.Equal(t, []string{"api"}, complete("env", "set", "--project", "a"))
	require.Equal(t, []string{"table", "json"}, complete("ps", "--output", ""))
	require.Contains(t, complete("ps", "--status", ""), "superseded")
	require.Equal(t, []string{"build", "runtime", "both"}, complete("env", "set", "--target", ""))
	api.environments = []oapi.Environment{environmentOf("branch/cart", 1), environmentOf("production", 2)}
	require.Equal(t, []string{"branch/cart"}, complete("environments", "delete", "-p", "shop", "br"))
	require.Equal(t, []string{"branch/cart"}, complete("promote", "shop#3", "--to", "b"))
	require.Equal(t, []string{"branch/cart", "production"}, complete("env", "list", "-p", "shop", "-e", ""))
	require.Equal(t, []string{"production"}, complete("deploy", "shop", "--environment", "pro"))
}

// An API that is away, or slow, must not hold up or spoil the line that is typed.
func TestCompletionIsSilentWithoutTheAPI(t *testing.T) {
	t.Parallel()
	p := &person{t: t, vars: map[string]string{"SLIPWAY_API_URL": "http://127.0.0.1:1"}}
	code, stdout, _ := p.run("__complete", "deploy", "")
	require.Zero(t, code)
	require.Equal(t, ":4\n", stdout)

	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hanging.Close)
	p.vars["SLIPWAY_API_URL"] = hanging.URL
	p.tune = func(c *cli) { c.completeWithin = 20 * time.Millisecond }
	code, stdout, _ = p.run("__complete", "logs", "sh")
	require.Zero(t, code)
	require.Equal(t, ":4\n", stdout)
}
