package planner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

// standIn is a railpack CLI by what Railpack documents of `prepare`: where it writes plan and info, and how it ends. The
// real one fetches mise from GitHub, so it cannot run in tests. It writes its arguments and variables into a file.
const standIn = `
[ "$1" = prepare ] || exit 64
printf '%s\n' "$@" > "$(dirname "$0")/arguments"
env > "$(dirname "$0")/environment"
dir=$2
for argument; do case $argument in --plan-out=*) plan=${argument#*=} ;; --info-out=*) info=${argument#*=} ;; esac; done
[ ! -f "$dir/fails.json" ] || { cp "$dir/fails.json" "$info"; echo "✖ failed in $dir/x" >&2; exit "$(cat "$dir/code")"; }
cp "$dir/info.json" "$info"
cp "$dir/plan.json" "$plan"
`

const (
	railpackInfo = `{"railpackVersion": "0.37.0", "detectedProviders": ["node"], "success": true,
  "resolvedPackages": {"node": {"name": "node", "requestedVersion": "22", "resolvedVersion": "22.9.0"}}}`
	railpackPlan = `{"$schema": "https://schema.railpack.com", "steps": [{"name": "build", "commands": [{"cmd": "a && b"}]}],
  "secrets": ["TOKEN"], "deploy": {"base": {"image": "ghcr.io/railwayapp/railpack-runtime:latest"}, "startCommand": "node index.js"}}`
)

func railpack(t *testing.T) (p *planner.Planner, folder string) {
	t.Helper()
	path := script(t, standIn)
	variables := []string{"HTTPS_PROXY=http://proxy.example.com", "AWS_SECRET_ACCESS_KEY=x"}
	return planner.New(planner.Options{Railpack: planner.RailpackOn(path, "", variables), Now: today, Timeout: time.Minute}), filepath.Dir(path)
}

func TestRailpack_PlansWhatItsFrontendBuilds(t *testing.T) {
	t.Parallel()
	p, folder := railpack(t)
	checkout := writeRepo(t, map[string]string{"app/info.json": railpackInfo, "app/plan.json": railpackPlan})
	project := deployment.Project{Builder: deployment.BuilderRailpack, RootDir: "app", BuildCommand: "npm run build", StartCommand: "-x"}
	plan, text, err := p.Plan(t.Context(), checkout, project, []string{"TOKEN", "OTHER"})
	require.NoError(t, err)
	require.Equal(t, deployment.BuilderRailpack, plan.Builder)
	require.Equal(t, "0.37.0", plan.BuilderVersion)
	require.Equal(t, "ghcr.io/railwayapp/railpack-frontend:v0.37.0", plan.Frontend)
	require.Equal(t, map[string]string{"node": "22.9.0"}, plan.Versions)
	require.Equal(t, "node index.js", plan.StartCommand)
	require.Equal(t, []string{"OTHER", "TOKEN"}, plan.SecretNames)
	require.JSONEq(t, railpackPlan, string(plan.Native))
	require.JSONEq(t, railpackPlan, text, "what is shown is what is built")
	require.Contains(t, text, `"a && b"`, "as people write it")

	arguments, err := os.ReadFile(filepath.Join(folder, "arguments"))
	require.NoError(t, err)
	for _, want := range []string{"--error-missing-start", "--hide-pretty-plan", "--build-cmd=npm run build", "--start-cmd=-x", "--env=OTHER=", "--env=TOKEN="} {
		require.Contains(t, strings.Split(string(arguments), "\n"), want)
	}
	environment, err := os.ReadFile(filepath.Join(folder, "environment"))
	require.NoError(t, err)
	require.Contains(t, string(environment), "HTTPS_PROXY=http://proxy.example.com")
	require.NotContains(t, string(environment), "AWS_SECRET_ACCESS_KEY")
}

func TestRailpack_FailuresHaveTheirOwner(t *testing.T) {
	t.Parallel()
	fails := func(code string) map[string]string {
		return map[string]string{"code": code, "fails.json": `{"logs": [{"level": "info", "msg": "hello"}, {"level": "error", "msg": "no version of node matches"}]}`}
	}
	change := func(old, replacement string) map[string]string {
		return map[string]string{"info.json": railpackInfo, "plan.json": strings.Replace(railpackPlan, old, replacement, 1)}
	}
	for name, c := range map[string]struct {
		files map[string]string
		class deployment.Class
		code  string
		says  string
	}{
		"its fault is the repository's":  {fails("1"), deployment.ClassUser, "plan.railpack_failed", "no version of node matches"},
		"it may work the next time":      {fails("75"), deployment.ClassTransient, "plan.railpack_unavailable", "no version of node matches"},
		"it crashed":                     {fails("2"), deployment.ClassPlatform, "plan.railpack_crashed", "exit status 2"},
		"it wrote no plan":               {map[string]string{"info.json": railpackInfo}, deployment.ClassPlatform, "plan.railpack_crashed", "exit status 1"},
		"its plan is no JSON":            {change("{", "<"), deployment.ClassPlatform, "plan.railpack_unreadable", "invalid character"},
		"its plan starts nothing":        {change("node index.js", " "), deployment.ClassUser, "plan.no_start_command", "no command that starts"},
		"a secret that nobody has":       {change("TOKEN", "KEY"), deployment.ClassUser, "plan.secret_missing", `"KEY"`},
		"info that is too large to read": {map[string]string{"info.json": railpackInfo + strings.Repeat(" ", 5<<20), "plan.json": railpackPlan}, deployment.ClassPlatform, "plan.railpack_unreadable", "larger than"},
		"info that is not what it was":   {map[string]string{"info.json": `{"detectedProviders": 7}`, "plan.json": railpackPlan}, deployment.ClassPlatform, "plan.railpack_unreadable", "detectedProviders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := railpack(t)
			_, _, err := p.Plan(t.Context(), writeRepo(t, c.files), deployment.Project{Builder: deployment.BuilderRailpack}, []string{"TOKEN"})
			failure := requireFailure(t, err, c.class, c.code)
			require.Contains(t, failure.Error(), c.says)
			require.NotContains(t, strings.Join(failure.Lines, "\n"), os.TempDir(), "paths of the host")
		})
	}
}

func TestRailpack_IsThereOnlyWhereItIsNamed(t *testing.T) {
	t.Parallel()
	project := deployment.Project{Builder: deployment.BuilderRailpack}
	checkout := writeRepo(t, map[string]string{"index.html": "x"})
	_, _, err := newPlanner(t).Plan(t.Context(), checkout, project, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.no_railpack")

	missing := planner.New(planner.Options{Railpack: planner.Railpack{Path: filepath.Join(t.TempDir(), "railpack")}})
	_, _, err = missing.Plan(t.Context(), checkout, project, nil)
	requireFailure(t, err, deployment.ClassPlatform, "plan.railpack_missing")

	first, err := newPlanner(t).Fingerprint(t.Context(), "1")
	require.NoError(t, err)
	with := planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Railpack: planner.Railpack{Path: "railpack"}})
	second, err := with.Fingerprint(t.Context(), "1")
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}
