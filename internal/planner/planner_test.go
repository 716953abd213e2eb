package planner_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// nixpacksPath finds the real CLI. Tests fail without it: a plan that no real nixpacks made proves nothing.
func nixpacksPath(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("SLIPWAY_NIXPACKS"); path != "" {
		return path
	}
	if path, err := exec.LookPath("nixpacks"); err == nil {
		return path
	}
	cache, err := testbed.Cache()
	require.NoError(t, err)
	path := filepath.Join(cache, "bin", "nixpacks")
	require.FileExists(t, path, "nixpacks is missing: run `make deps`")
	return path
}

func newPlanner(t *testing.T) *planner.Planner {
	t.Helper()
	return planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Now: today})
}

// today is the day on which all tests plan: what is maintained is no matter of when they run.
func today() time.Time {
	return time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)
}

func repo(name string) string { return filepath.Join("testdata", "repos", name) }

// writeRepo makes a checkout of the given files.
func writeRepo(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return dir
}

func requireFailure(t *testing.T, err error, class deployment.Class, code string) *deployment.Failure {
	t.Helper()
	require.Error(t, err)
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, code, f.Code, f.Message)
	require.Equal(t, class, f.Class)
	require.NotEmpty(t, f.Fix)
	return deployment.AsFailure(err)
}

func TestPlan_ChoosesTheBuilder(t *testing.T) {
	t.Parallel()
	page, manifest := "<h1>hi</h1>", `{"name": "x", "scripts": {"start": "node x.js"}}`
	tests := map[string]struct {
		files map[string]string
		want  deployment.Builder
	}{
		"its own Dockerfile before a language":        {map[string]string{"Dockerfile": "FROM scratch\n", "package.json": manifest}, deployment.BuilderDockerfile},
		"a language before a page":                    {map[string]string{"package.json": manifest, "index.html": page}, deployment.BuilderNixpacks},
		"our static server before nixpacks'":          {map[string]string{"index.html": page}, deployment.BuilderStatic},
		"a page in public":                            {map[string]string{"public/index.html": page}, deployment.BuilderStatic},
		"a page in dist":                              {map[string]string{"dist/index.html": page}, deployment.BuilderStatic},
		"nixpacks' static server for another folder":  {map[string]string{"Staticfile": "root: web\n", "web/index.html": page}, deployment.BuilderNixpacks},
		"a Dockerfile in a sub-folder is not the one": {map[string]string{"docker/Dockerfile": "FROM scratch\n", "index.html": page}, deployment.BuilderStatic},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), deployment.Project{}, nil)
			require.NoError(t, err)
			require.Equal(t, test.want, plan.Builder)
		})
	}
}

func TestPlan_ObeysTheProject(t *testing.T) {
	t.Parallel()
	project := deployment.Project{
		Builder: deployment.BuilderNixpacks, Port: 4321,
		InstallCommand: "npm install --no-audit", BuildCommand: "-x || true", StartCommand: "node other.js",
	}
	plan, dockerfile, err := newPlanner(t).Plan(t.Context(), repo("node-static"), project, []string{"TOKEN", "API_KEY", "TOKEN"})
	require.NoError(t, err)
	require.Equal(t, "npm install --no-audit", plan.InstallCommand)
	require.Equal(t, "-x || true", plan.BuildCommand)
	require.Equal(t, "node other.js", plan.StartCommand)
	require.Equal(t, 4321, plan.Port)
	require.Equal(t, []string{"API_KEY", "TOKEN"}, plan.SecretNames)
	require.Equal(t, "1.41.0", plan.BuilderVersion)
	require.Contains(t, dockerfile, "--mount=type=secret,id=API_KEY,env=API_KEY \\\n    --mount=type=secret,id=TOKEN,env=TOKEN \\\n    npm install --no-audit\n")
	require.Contains(t, dockerfile, "EXPOSE 4321\n")
}

func TestPlan_SaysWhatIsImpossible(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		repo    string
		project deployment.Project
		code    string
		message string
		fix     string
	}{
		"no Dockerfile":             {"php", deployment.Project{Builder: deployment.BuilderDockerfile}, "plan.no_dockerfile", "no Dockerfile in the repository's root", "builder to auto"},
		"no language":               {"monorepo/docs", deployment.Project{Builder: deployment.BuilderNixpacks, BuildCommand: "make"}, "plan.no_provider", "recognises no language", "Dockerfile"},
		"nothing at all":            {"monorepo/docs", deployment.Project{}, "plan.nothing_to_build", "neither a Dockerfile", "index.html"},
		"a monorepo's root":         {"monorepo", deployment.Project{}, "plan.nothing_to_build", "repository's root", `root_dir to the app's folder ("apps/api")`},
		"one sub-directory":         {"monorepo/apps", deployment.Project{}, "plan.nothing_to_build", "repository's root", `("api")`},
		"no start command":          {"flask-no-start", deployment.Project{}, "plan.no_start_command", "recognises python", "start_command"},
		"no page":                   {"php", deployment.Project{Builder: deployment.BuilderStatic}, "plan.no_index_html", "no index.html", "index.html"},
		"static with a command":     {"static-public", deployment.Project{Builder: deployment.BuilderStatic, BuildCommand: "make"}, "plan.static_commands", "runs no command", "build_command"},
		"a folder that is missing":  {"php", deployment.Project{RootDir: "apps/web"}, "plan.root_dir_missing", `root_dir "apps/web"`, "root_dir"},
		"a file as root_dir":        {"php", deployment.Project{RootDir: "index.php"}, "plan.root_dir_missing", "not a folder", "root_dir"},
		"a root_dir that leads out": {"php", deployment.Project{RootDir: "../spa"}, "plan.root_dir_outside", "leads out", "root_dir"},
		"a broken manifest":         {"broken-json", deployment.Project{}, "plan.nixpacks_failed", "trailing comma", "Dockerfile"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := newPlanner(t).Plan(t.Context(), repo(test.repo), test.project, nil)
			f := requireFailure(t, err, deployment.ClassUser, test.code)
			require.Contains(t, f.Message, test.message)
			require.Contains(t, f.Fix, test.fix)
		})
	}
}

func TestPlan_ExplainsWithTheLinesOfNixpacks(t *testing.T) {
	t.Parallel()
	_, _, err := newPlanner(t).Plan(t.Context(), repo("broken-json"), deployment.Project{}, nil)
	f := requireFailure(t, err, deployment.ClassUser, "plan.nixpacks_failed")
	require.Equal(t, []string{"Error: Error reading package.json as JSON", "Caused by:", "    trailing comma at line 1 column 14"}, f.Lines)
}

func TestPlan_IsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	digests := map[string]bool{}
	for range 5 {
		plan, _, err := p.Plan(t.Context(), repo("django"), deployment.Project{}, []string{"A"})
		require.NoError(t, err)
		digest, err := plan.Digest()
		require.NoError(t, err)
		digests[digest] = true
	}
	require.Len(t, digests, 1)
}
