package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

var update = flag.Bool("update", false, "write the golden files anew")

// planning returns somebody in dir with the nixpacks CLI, and with no server.
func planning(t *testing.T, dir string) *person {
	t.Helper()
	path := os.Getenv("SLIPWAY_NIXPACKS")
	if path == "" {
		cache, err := testbed.Cache()
		require.NoError(t, err)
		path = filepath.Join(cache, "bin", "nixpacks")
	}
	require.FileExists(t, path, "nixpacks is missing: run `make deps`")
	return &person{t: t, dir: dir, vars: map[string]string{"SLIPWAY_NIXPACKS": path, "XDG_CONFIG_HOME": t.TempDir()}}
}

// folderOf returns a folder with files.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

func nodeApp(t *testing.T) string {
	t.Helper()
	return folderOf(t, map[string]string{
		"app/package.json": `{"name": "shop", "scripts": {"start": "node server.js"}}`,
		"app/server.js":    "require('http').createServer((q, a) => a.end('hi')).listen(process.env.PORT)\n",
	})
}

func TestPlanFolder_Golden(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := planning(t, nodeApp(t)).run("plan", "./app", "--secret", "NPM_TOKEN", "--port", "4000", "--build-command", "npm run bundle")
	require.Zero(t, code, stderr)
	golden := filepath.Join("testdata", "plan.golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(stdout+"--\n"+stderr), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err, "run the tests with -update")
	require.Equal(t, string(want), stdout+"--\n"+stderr)
}

func TestPlanFolder_JSON(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := planning(t, nodeApp(t)).run("plan", ".", "--root-dir", "app", "--output", "json")
	require.Zero(t, code, stderr)
	var got localPlan
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Equal(t, "nixpacks", got.Plan.Builder)
	require.Equal(t, "app", got.Plan.RootDir)
	require.Regexp(t, "^sha256:", got.Plan.Digest)
	require.Contains(t, got.Dockerfile, "FROM ")
}

// What git ignores is not deployed, so it is not planned; what is new and not committed is.
func TestPlanFolder_AsGitSeesIt(t *testing.T) {
	t.Parallel()
	dir := folderOf(t, map[string]string{".gitignore": "Dockerfile\n", "Dockerfile": "FROM scratch\n", "public/index.html": "hi", "gone": "x"})
	p := planning(t, dir)
	_, stdout, stderr := p.run("plan", ".", "--output", "json")
	require.Contains(t, stdout, `"builder": "dockerfile"`, stderr)

	for _, args := range [][]string{{"init", "-q"}, {"add", "gone"}} {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "gone")))
	require.NoError(t, os.Symlink("public/index.html", filepath.Join(dir, "link")))
	code, stdout, stderr := p.run("plan", dir, "--output", "json")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `"builder": "static"`)
}

func TestPlanFolder_Refused(t *testing.T) {
	t.Parallel()
	app := nodeApp(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no folder":         {[]string{"./none"}, exitUsage, []string{"no such file", "fix: give a folder"}},
		"a file":            {[]string{"./app/server.js"}, exitUsage, []string{"is a file"}},
		"no nixpacks":       {[]string{"./app", "--nixpacks", "/none/nixpacks"}, exitFailedOther, []string{"plan.nixpacks_missing: ", "fix: install it with `cargo install nixpacks --version", "--nixpacks"}},
		"no Dockerfile":     {[]string{"./app", "--builder", "dockerfile"}, exitFailedUser, []string{"error: plan.", "fix: "}},
		"builder":           {[]string{"./app", "--builder", "make"}, exitUsage, []string{"builder"}},
		"argument":          {[]string{"./app", "--build-arg", "A"}, exitUsage, []string{"--build-arg A has no value"}},
		"overrides":         {[]string{"./app", "--overrides", "/none.yaml"}, exitError, []string{"/none.yaml"}},
		"strict":            {[]string{"./app", "--strict", "all"}, exitFailedUser, []string{"--strict lets no plan pass"}},
		"flag of a project": {[]string{"shop", "--port", "1"}, exitUsage, []string{"--port goes with a folder only"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := planning(t, app).run(append([]string{"plan"}, c.args...)...)
			require.Equal(t, c.code, code, stderr)
			for _, part := range c.says {
				require.Contains(t, stderr, part)
			}
		})
	}
}

func TestPlanFolder_Railpack(t *testing.T) {
	t.Parallel()
	dir := folderOf(t, map[string]string{"main.js": "x"})
	p := planning(t, dir)
	p.vars["SLIPWAY_RAILPACK"] = filepath.Join(dir, "missing")
	code, _, stderr := p.run("plan", ".", "--builder", "railpack")
	require.Equal(t, exitFailedOther, code)
	require.Contains(t, stderr, "give its path with --railpack")

	cli := filepath.Join(dir, "railpack")
	require.NoError(t, os.WriteFile(cli, []byte(`#!/bin/sh
for argument; do case $argument in
  --plan-out=*) echo '{"deploy": {"startCommand": "node main.js"}}' > "${argument#*=}" ;;
  --info-out=*) echo '{"railpackVersion": "0.37.0", "detectedProviders": ["node"]}' > "${argument#*=}" ;;
esac; done
`), 0o700))
	code, stdout, stderr := p.run("plan", ".", "--builder", "railpack", "--railpack", cli, "--output", "json")
	require.Zero(t, code, stderr)
	var got localPlan
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Equal(t, "ghcr.io/railwayapp/railpack-frontend:v0.37.0", *got.Plan.Frontend)
	require.Equal(t, "node main.js", *got.Plan.StartCommand)
}
