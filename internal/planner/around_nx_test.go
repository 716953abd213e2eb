package planner_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// What the repository tells nixpacks itself, and what Nx has no target for, is built and started as nixpacks does.
func TestAround_NxLeavesAlone(t *testing.T) {
	t.Parallel()
	const node, page = `{"targets": {"build": {"executor": "@nx/node:build", "options": {"outputPath": "dist/apps/web", "main": "apps/web/src/main.ts"}}}}`,
		`{"targets": {"build": {"executor": "@nx/vite:build", "options": {"outputPath": "dist/apps/web"}}}}`
	vite := map[string]string{"apps/web/project.json": page, "apps/web/index.html": "", "apps/web/vite.config.ts": "export default {}"}
	for name, c := range map[string]struct {
		base, files                   map[string]string
		build, start, release, static string
	}{
		"nothing is said": {
			build: "npx nx run web:build:production", start: "node dist/apps/web/main.js",
		},
		"the root's start": {
			files: map[string]string{"nixpacks.toml": "[start]\ncmd = \"node server.js\"\n"},
			build: "npx nx run web:build:production", start: "node server.js",
		},
		"the root's build": {
			files: map[string]string{"nixpacks.json": `{"phases": {"build": {"commands": ["make a", "make b"]}}}`},
			build: "make a && make b", start: "node dist/apps/web/main.js",
		},
		"a phase of the root's that says nothing of the build": {
			files: map[string]string{"nixpacks.toml": "[phases.setup]\ncmds = [\"make tools\"]\n"},
			build: "npx nx run web:build:production", start: "node dist/apps/web/main.js",
		},
		"the app's, before the root's": {
			files: map[string]string{
				"apps/web/nixpacks.toml": "[phases.build]\ncmds = [\"make web\"]\n[start]\ncmd = \"./web\"\n",
				"nixpacks.toml":          "[phases.build]\ncmds = [\"make all\"]\n[start]\ncmd = \"./all\"\n", "nixpacks.json": "{",
			},
			build: "make web", start: "./web",
		},
		"the root's Procfile": {
			files: map[string]string{"Procfile": "web: node other.js\nrelease: node migrate.js\n"},
			build: "npx nx run web:build:production", start: "node other.js", release: "node migrate.js",
		},
		"the app's Procfile, before the root's": {
			files: map[string]string{"apps/web/Procfile": "web: node web.js\n", "Procfile": "web: node other.js\nrelease: node migrate.js\n"},
			build: "npx nx run web:build:production", start: "node web.js",
		},
		"files of a front end": {
			base:  vite,
			build: "npx nx run web:build:production", static: "dist/apps/web",
		},
		"a front end that the root starts": {
			base: vite, files: map[string]string{"nixpacks.toml": "[start]\ncmd = \"node server.js\"\n"},
			build: "npx nx run web:build:production", start: "node server.js",
		},
		"a front end that its own Procfile starts": {
			base: vite, files: map[string]string{"apps/web/Procfile": "web: node server.js\n"},
			build: "npx nx run web:build:production", start: "node server.js",
		},
		"a server that Vite builds": {
			base:  map[string]string{"apps/web/project.json": page, "apps/web/vite.config.ts": "export default {}"},
			build: "npx nx run web:build:production", start: "node dist/apps/web/index.js",
		},
		"no target": {
			base:  map[string]string{"apps/web/project.json": `{"targets": {"start": {}}}`, "nx.json": `{"plugins": []}`, "package.json": `{"scripts": {"build": "make all"}}`},
			build: "npm run build", start: "npx nx run web:start",
		},
		"a target that a plug-in may infer": {
			base:  map[string]string{"apps/web/project.json": `{"targets": {"start": {}}}`, "nx.json": "{\n  // of Nx 22\n  \"plugins\": [{\"plugin\": \"@nx/webpack/plugin\"},],\n}"},
			build: "npx nx run web:build:production", start: "npx nx run web:start",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"nx.json": "{}", "package.json": `{}`, "apps/web/project.json": node}
			maps.Copy(files, c.base)
			maps.Copy(files, c.files)
			plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{RootDir: "apps/web"}, nil)
			require.NoError(t, err)
			require.Equal(t, ".", plan.ContextDir())
			require.Equal(t, c.build, plan.BuildCommand)
			require.Equal(t, c.start, plan.StartCommand)
			require.Equal(t, c.release, plan.ReleaseCommand)
			if c.static == "" {
				require.Nil(t, plan.Static)
			} else {
				require.NotNil(t, plan.Static)
				require.Equal(t, c.static, plan.Static.Folder)
			}
		})
	}
}

// What the root's configuration gets wrong is said of the root's file.
func TestAround_NxWarnsOfTheRoot(t *testing.T) {
	t.Parallel()
	plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, map[string]string{
		"nx.json": "{}", "package.json": `{}`, "apps/web/project.json": `{"targets": {"build": {}, "start": {}}}`, "nixpacks.toml": "[start]\ncommand = \"node .\"\n",
	}), deployment.Project{RootDir: "apps/web"}, nil)
	require.NoError(t, err)
	var got []string
	for _, w := range plan.Warnings {
		got = append(got, place(w))
	}
	require.Contains(t, got, "config.unknown_key ../../nixpacks.toml:2")
}
