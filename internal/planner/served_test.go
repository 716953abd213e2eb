package planner_test

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// served is what a repository answers once it is really built and runs.
type served struct {
	repaired string // the repair without which it would not; empty where it needs none
	nonRoot  bool
	path     string
	says     string
	stops    string // what it prints when it is told to end; empty where it prints nothing
	dir      string // where the repository is, if not below testdata/repos
	rootDir  string
}

// servedRepos are built from Debian's packages. Where a tool is too heavy to be installed in every run (Vite, the Angular
// CLI, Eleventy, nodemon), the repository brings a package of its name that makes the same files from the same configuration, or
// listens where the tool does. A rule looks at scripts, manifests and configuration, and those are the tool's own; what is
// proved is that the folder that the rule names is the one that is served, and that the server for development does not answer.
func servedRepos() map[string]served {
	return map[string]served{
		"angular-serve":         {repaired: "repair.dev_server", path: "/a/route", says: "built by ng"},
		"dev-dependency":        {repaired: "repair.dev_dependency", path: "/", says: "run by a development tool"},
		"dev-server":            {repaired: "repair.dev_server", nonRoot: true, path: "/a/route", says: "/assets/main-0a1b2c3d.js"},
		"docs-and-api":          {path: "/", says: "<h1>docs</h1>"},
		"docs-only":             {repaired: "repair.static_index", path: "/", says: "the only page"},
		"eleventy":              {repaired: "repair.static_output", path: "/about", says: "about eleventy"},
		"fastapi-package":       {repaired: "repair.python_start", path: "/", says: `{"message":"served by fastapi"}`},
		"flask-app":             {repaired: "repair.python_start", nonRoot: true, path: "/", says: "served by flask"},
		"flask-main":            {repaired: "repair.python_start", path: "/", says: "served to everybody"},
		"front-end-and-server":  {repaired: "repair.node_start", path: "/api", says: "from the server"},
		"go-many-cmd":           {repaired: "repair.go_main", path: "/", says: "the server, not the migration"},
		"go-no-module":          {repaired: "repair.go_main", path: "/", says: "built without a go.mod"},
		"go-procfile":           {repaired: "repair.go_main", path: "/", says: "named by the Procfile"},
		"index-beside-manifest": {repaired: "repair.static_index", path: "/", says: "served as it is"},
		"node-range-bounded":    {path: "/", says: "within its range"},
		"node-server":           {repaired: "repair.node_start", path: "/", says: "served by server.js"},
		"node-unavailable":      {repaired: "repair.node_version", path: "/", says: "on the nearest Node"},
		"pinned-python":         {path: "/", says: "python, as nixpacks.toml says"},
		"procfile-release":      {path: "/", says: "after its release command"},
		"shadowed-python":       {path: "/", says: "the server, not the requirements"},
		"start-background":      {path: "/", says: "beside a worker"},
		"static-public":         {nonRoot: true, path: "/", says: "<h1>hi</h1>"},
		"tools-only-manifest":   {nonRoot: true, path: "/", says: "tools-only-manifest"},
	}
}

// Every rule that repairs a plan, and repositories that need none, are built, run as a preview runs, and asked. The builder
// knows the same steps from the last run, since all of them are one project to it; the engine fetches the base once.
func TestServed(t *testing.T) {
	t.Parallel()
	stack := buildkittest.StartKept(t, buildkittest.KeptRepos)
	place := "slipway.test=" + stack.Gateway // whoever holds the place may remove what a run that was killed has left
	removeContainers(t, place)
	raised := []string{}
	repos := servedRepos()
	maps.Copy(repos, monorepos())
	maps.Copy(repos, bunRepos())
	for name, want := range repos {
		raised = append(raised, strings.Fields(want.repaired)...)
		image := stack.Registry + "/test:" + uuid.NewString()
		t.Cleanup(func() { docker(t, "image", "rm", "--force", image) })
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, stack, debianBase(t), nil)
			s.dir, s.scope, s.rootDir = cmp.Or(want.dir, repo(name)), "served", want.rootDir
			plan := s.image(image, want)
			if args := plan.ReleaseArgs(); len(args) > 0 {
				run := append([]string{"run", "--rm", "--label", place, "--entrypoint=" + args[0], image}, args[1:]...)
				require.Equal(t, "migrated", docker(t, run...), "the release command runs in the image")
			}
			container := docker(t, "run", "--detach", "--label", place, "--cap-drop=ALL", "--security-opt=no-new-privileges", "--init", "--pids-limit=512",
				"--env=PORT="+fmt.Sprint(deployment.DefaultPort), image)
			t.Cleanup(func() { docker(t, "rm", "--force", container) })
			address := docker(t, "inspect", "--format={{.NetworkSettings.IPAddress}}", container)
			status, body := answer(t, fmt.Sprintf("http://%s:%d%s", address, deployment.DefaultPort, want.path), container)
			require.Equal(t, http.StatusOK, status, body)
			require.Contains(t, body, want.says)
			root := docker(t, "exec", container, "id", "-u") == "0"
			require.Equal(t, !want.nonRoot, root)
			if want.stops != "" {
				docker(t, "stop", "--time=60", container)
				require.Contains(t, docker(t, "logs", container), want.stops, "the app hears that it is to end")
			}
		})
	}
	for _, kind := range deployment.WarningKinds() {
		if strings.HasPrefix(kind.Code, "repair.") {
			require.Contains(t, raised, kind.Code, "every repair is really built")
		}
	}
}

// image plans the site and builds it as an image, with the repair that is wanted and no other.
func (s *site) image(image string, want served) *deployment.Plan {
	s.t.Helper()
	project := deployment.Project{RootDir: s.rootDir, Build: deployment.BuildSettings{NonRoot: want.nonRoot}}
	plan, dockerfile, err := s.planner.Plan(s.t.Context(), s.dir, project, nil)
	require.NoError(s.t, err)
	repaired := []string{}
	for _, w := range plan.Warnings {
		if strings.HasPrefix(w.Code, "repair.") {
			repaired = append(repaired, w.Code)
		}
	}
	require.Equal(s.t, strings.Fields(want.repaired), repaired)
	log := &transcript{}
	_, err = s.builder.Solve(s.t.Context(), deployment.BuildRequest{
		Ref: uuid.NewString(), ContextDir: filepath.Join(s.dir, plan.ContextDir()), Dockerfile: dockerfile, Ignore: plan.Ignore, Image: image, CacheScope: s.scope,
	}, log)
	require.NoError(s.t, err, log.String())
	return plan
}

// answer waits until somebody listens and returns what comes.
func answer(t *testing.T, url, container string) (status int, body string) {
	t.Helper()
	require.Eventually(t, func() bool {
		response, err := http.Get(url) //nolint:noctx // it is over in a moment
		if err != nil {
			return docker(t, "inspect", "--format={{.State.Running}}", container) == "false"
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		status, body = response.StatusCode, string(data)
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	if status == 0 {
		logs, _ := exec.Command("docker", "logs", container).CombinedOutput()
		require.Failf(t, "the app has ended", "%s", logs)
	}
	return status, body
}

func removeContainers(t *testing.T, label string) {
	t.Helper()
	if left := strings.Fields(docker(t, "ps", "--all", "--quiet", "--filter=label="+label)); len(left) > 0 {
		docker(t, append([]string{"rm", "--force"}, left...)...)
	}
}

// docker runs the engine's client and returns what it prints at last.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).Output()
	require.NoError(t, err, "docker %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}
