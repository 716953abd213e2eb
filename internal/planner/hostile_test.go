package planner_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const hostContent = "a file of the host that no plan may show"

// hostFile makes a file outside of every checkout.
func hostFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passwd")
	require.NoError(t, os.WriteFile(path, []byte(hostContent), 0o600))
	return path
}

func link(t *testing.T, target, path string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.Symlink(target, path))
}

// everything returns all that a plan hands on, as one text.
func everything(t *testing.T, plan *deployment.Plan, dockerfile string) string {
	t.Helper()
	data, err := json.Marshal(plan)
	require.NoError(t, err)
	return string(data) + dockerfile
}

func TestHostile_LinksOutOfTheCheckoutAreNotRead(t *testing.T) {
	t.Parallel()
	host := hostFile(t)
	checkout := writeRepo(t, map[string]string{"public/page.html": "hi"})
	link(t, host, filepath.Join(checkout, "mime.types"))
	relative, err := filepath.Rel(filepath.Join(checkout, "public"), host)
	require.NoError(t, err)
	link(t, relative, filepath.Join(checkout, "public", "mime.types"))
	link(t, host, filepath.Join(checkout, "Staticfile.auth"))

	project := deployment.Project{Builder: deployment.BuilderNixpacks}
	plan, dockerfile, err := newPlanner(t).Plan(t.Context(), checkout, project, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"staticfile"}, plan.Providers)
	require.NotContains(t, everything(t, plan, dockerfile), hostContent)

	var dropped []string
	for _, w := range plan.Warnings {
		require.Equal(t, "source.link_outside", w.Code)
		dropped = append(dropped, w.File)
	}
	require.ElementsMatch(t, []string{"mime.types", "public/mime.types", "Staticfile.auth"}, dropped)
}

func TestHostile_LinksInsideAreKept(t *testing.T) {
	t.Parallel()
	checkout := writeRepo(t, map[string]string{"conf/package.json": `{"name": "x", "scripts": {"start": "node x.js"}}`})
	link(t, "conf/package.json", filepath.Join(checkout, "package.json"))
	plan, _, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"node"}, plan.Providers)
}

func TestHostile_DockerfileThatLeadsOut(t *testing.T) {
	t.Parallel()
	checkout := t.TempDir()
	link(t, hostFile(t), filepath.Join(checkout, "Dockerfile"))
	for _, builder := range []deployment.Builder{deployment.BuilderDockerfile, deployment.BuilderAuto} {
		_, _, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{Builder: builder}, nil)
		f := requireFailure(t, err, deployment.ClassUser, "plan.dockerfile_unreadable")
		require.NotContains(t, f.Message, hostContent)
	}
}

func TestHostile_RootDirThatLeadsOut(t *testing.T) {
	t.Parallel()
	checkout := t.TempDir()
	link(t, filepath.Dir(hostFile(t)), filepath.Join(checkout, "apps", "web"))
	_, _, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{RootDir: "apps/web"}, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.root_dir_outside")
}

func TestHostile_RootDirInACircle(t *testing.T) {
	t.Parallel()
	checkout := t.TempDir()
	link(t, "b", filepath.Join(checkout, "a"))
	link(t, "a", filepath.Join(checkout, "b"))
	_, _, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{RootDir: "a"}, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.root_dir_missing")
}

func TestHostile_NamesThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	checkout := writeRepo(t, map[string]string{"index.html": "hi", "\xff/\xfe": "x", ".slipway-no-subdirectory/x": "x"})
	plan, _, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{}, nil)
	require.NoError(t, err)
	require.Equal(t, deployment.BuilderStatic, plan.Builder)
}

func TestHostile_RootDirThroughAnInnerLink(t *testing.T) {
	t.Parallel()
	checkout := writeRepo(t, map[string]string{"packages/site/index.html": "hi"})
	link(t, "../packages/site", filepath.Join(checkout, "apps", "web"))
	plan, _, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{RootDir: "apps/web"}, nil)
	require.NoError(t, err)
	require.Equal(t, "packages/site", plan.RootDir)
}

func TestHostile_CommittedNixpacksFolderIsIgnored(t *testing.T) {
	t.Parallel()
	host := hostFile(t)
	checkout := writeRepo(t, map[string]string{"package.json": `{"name": "x", "scripts": {"start": "node x.js"}}`})
	link(t, host, filepath.Join(checkout, ".nixpacks", "Dockerfile"))
	plan, dockerfile, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{}, nil)
	require.NoError(t, err)
	for _, w := range plan.Warnings {
		require.NotContains(t, w.File, ".nixpacks")
	}
	require.Contains(t, plan.Ignore, "**/.nixpacks")
	require.NotContains(t, everything(t, plan, dockerfile), hostContent)
	content, err := os.ReadFile(host)
	require.NoError(t, err)
	require.Equal(t, hostContent, string(content))
}

func TestHostile_NixpacksFolderThatIsALink(t *testing.T) {
	t.Parallel()
	outside := filepath.Dir(hostFile(t))
	for name, target := range map[string]string{"out": outside, "in": "src", "itself": ".nixpacks"} {
		checkout := writeRepo(t, map[string]string{"package.json": `{"name": "x", "scripts": {"start": "node x.js"}}`, "src/x.js": ""})
		link(t, target, filepath.Join(checkout, ".nixpacks"))
		plan, dockerfile, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{}, nil)
		require.NoError(t, err, name)
		require.Contains(t, plan.Ignore, "**/.nixpacks", name)
		require.NotContains(t, everything(t, plan, dockerfile), hostContent, name)
		entries, err := os.ReadDir(outside)
		require.NoError(t, err)
		require.Len(t, entries, 1, "nothing is written through it")
	}
}

// What stands in a file of the repository never becomes an instruction of its own.
func TestHostile_NewlinesInCommandsOfOtherFiles(t *testing.T) {
	t.Parallel()
	const injected = "USER injected"
	for name, files := range map[string]map[string]string{
		"package.json":        {"package.json": `{"name": "x", "scripts": {"start": "node x.js\n` + injected + `", "build": "true\n` + injected + `"}}`},
		"package.json's main": {"package.json": `{"name": "x", "main": "x.js\n` + injected + `"}`},
		"Procfile":            {"package.json": `{"name": "x", "scripts": {"start": "node x.js"}}`, "Procfile": "web: node x.js\n" + injected + ": y\n"},
		"Procfile, quoted":    {"package.json": `{"name": "x"}`, "Procfile": "web: \"node x.js\n" + injected + "\"\n"},
		".nvmrc":              {"package.json": `{"name": "x", "scripts": {"start": "node x.js"}}`, ".nvmrc": "20\n" + injected + "\n"},
	} {
		checkout := writeRepo(t, files)
		_, dockerfile, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{}, nil)
		if err != nil { // a clear error is as good
			require.Equal(t, deployment.ClassUser, deployment.AsFailure(err).Class, "%s: %v", name, err)
			continue
		}
		for line := range strings.Lines(dockerfile) {
			require.False(t, strings.HasPrefix(line, injected), "%s:\n%s", name, dockerfile)
		}
	}
}

func TestHostile_ConfigurationThatWritesInstructions(t *testing.T) {
	t.Parallel()
	const start = "[start]\ncmd = \"./x\"\n"
	tests := map[string]struct{ config, code, message string }{
		"newline in a command":        {"[phases.build]\ncmds = [\"true\\nRUN --mount=type=cache,id=other,target=/x cat /x\"]\n" + start, "plan.unsafe_command", "phases.build.cmds"},
		"newline in the start":        {"[phases.build]\ncmds = [\"true\"]\n[start]\ncmd = \"./x\\nUSER root\"\n", "plan.unsafe_command", "start.cmd"},
		"NUL in a command":            {"[phases.build]\ncmds = [\"true\\u0000\"]\n" + start, "plan.unsafe_command", "control character"},
		"newline in a variable":       {"[variables]\nA = \"1\\nUSER root\"\n[phases.build]\ncmds = [\"true\"]\n" + start, "plan.unsafe_value", "variables.A"},
		"a name that is no variable":  {"[variables]\n\"A B\" = \"1\"\n[phases.build]\ncmds = [\"true\"]\n" + start, "plan.unsafe_value", "variables"},
		"flags in the image":          {"buildImage = \"--platform=linux/s390x alpine\"\n[phases.build]\ncmds = [\"true\"]\n" + start, "plan.unsafe_value", "buildImage"},
		"instructions in the image":   {"[phases.build]\ncmds = [\"true\"]\n[start]\ncmd = \"./x\"\nrunImage = \"alpine\\nRUN id\"\n", "plan.unsafe_value", "start.runImage"},
		"mount options in a cache":    {"[phases.build]\ncmds = [\"true\"]\ncacheDirectories = [\"/x,id=other\"]\n" + start, "plan.unsafe_value", "cacheDirectories"},
		"a command among packages":    {"[phases.setup]\naptPkgs = [\"jq; id\"]\n" + start, "plan.unsafe_value", "aptPkgs"},
		"a flag among packages":       {"[phases.setup]\naptPkgs = [\"-oAPT::Update::Pre-Invoke::=id\"]\n" + start, "plan.unsafe_value", "aptPkgs"},
		"a command in a search path":  {"[phases.build]\ncmds = [\"true\"]\npaths = [\"/x'; id; '\"]\n" + start, "plan.unsafe_value", "paths"},
		"newline in a nix expression": {"[phases.setup]\nnixPkgs = [\"hello\\nSLIPWAY_EOF\\nUSER root\"]\n" + start, "plan.unsafe_value", "nixPkgs"},
		"a file outside":              {"[phases.build]\ncmds = [\"true\"]\nonlyIncludeFiles = [\"../../etc/passwd\"]\n" + start, "plan.unsafe_value", "leads out"},
		"an asset outside":            {"[staticAssets]\n\"../etc/cron.d/x\" = \"* * * * * root id\"\n[phases.build]\ncmds = [\"true\"]\n" + start, "plan.unsafe_value", "leads out"},
		"a user with options":         {"[phases.build]\ncmds = [\"true\"]\n[start]\ncmd = \"./x\"\nuser = \"x -u 0\"\n", "plan.unsafe_value", "start.user"},
		"phases in a circle":          {"[phases.a]\ndependsOn = [\"b\"]\ncmds = [\"true\"]\n[phases.b]\ndependsOn = [\"a\"]\n" + start, "plan.phase_cycle", "a, b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkout := writeRepo(t, map[string]string{"nixpacks.toml": test.config})
			_, _, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{}, nil)
			f := requireFailure(t, err, deployment.ClassUser, test.code)
			require.Contains(t, f.Message, test.message)
		})
	}
}

func TestHostile_SpecialFilesAreNotOpened(t *testing.T) {
	t.Parallel()
	checkout := writeRepo(t, map[string]string{"index.html": "hi"})
	mkfifo(t, filepath.Join(checkout, "package.json")) // opening it for reading would wait for ever
	plan, _, err := newPlanner(t).Plan(t.Context(), checkout, deployment.Project{}, nil)
	require.NoError(t, err)
	require.Equal(t, deployment.BuilderStatic, plan.Builder)
}
