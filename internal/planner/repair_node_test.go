package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestRepair_NodeStart(t *testing.T) {
	t.Parallel()
	const (
		listens = "const http = require('node:http')\nhttp.createServer(() => {}).listen(process.env.PORT)\n"
		bare    = `{"name": "x"}`
		front   = `, "dependencies": {"react": "19.0.0", "express": "5.0.0"}, "devDependencies": {"vite": "6.0.0"}`
	)
	tests := map[string]struct {
		files map[string]string
		start string
		at    string
	}{
		"server.js":                {map[string]string{"package.json": bare, "server.js": listens}, "node server.js", "server.js:2"},
		"a main that is not there": {map[string]string{"package.json": `{"main": "index.js"}`, "app.js": listens}, "node app.js", "app.js:2"},
		"in src":                   {map[string]string{"package.json": bare, "src/index.mjs": listens}, "node src/index.mjs", "src/index.mjs:2"},
		"no server before it":      {map[string]string{"package.json": bare, "server.js": "exports.x = 1", "app.js": listens}, "node app.js", "app.js:2"},
		"a compiled main":          {map[string]string{"package.json": `{"main": "dist/server.js", "scripts": {"build": "tsc"}}`, "src/server.ts": listens}, "node dist/server.js", "src/server.ts:2"},
		"a server and a front end": {map[string]string{"package.json": startManifest("node server.js", "vite build", front)}, "npm run start", "package.json:4"},
		"by yarn":                  {map[string]string{"package.json": startManifest("node server.js", "vite build", front), "yarn.lock": ""}, "yarn run start", "package.json:4"},
		"a library":                {map[string]string{"package.json": bare, "server.js": "exports.x = 1"}, "", ""},
		"a main that is there":     {map[string]string{"package.json": `{"main": "x.js"}`, "x.js": "", "server.js": listens}, "node x.js", ""},
		"without Bun's lock file":  {map[string]string{"package.json": bare, "server.js": "Bun.serve({})\n"}, "node server.js", "server.js:1"},
		"the Procfile says it":     {map[string]string{"package.json": bare, "server.js": listens, "Procfile": "web: node other.js\n"}, "node other.js", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), deployment.Project{}, nil)
			if test.start == "" {
				requireFailure(t, err, deployment.ClassUser, "plan.no_start_command")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.start, plan.StartCommand)
			require.NotContains(t, dockerfile, "caddy fmt")
			require.NotContains(t, codes(plan), "spa.start_overridden")
			if test.at == "" {
				require.NotContains(t, codes(plan), "repair.node_start")
				return
			}
			require.Equal(t, "repair.node_start "+test.at, place(plan.Warnings[0]))
			require.Contains(t, plan.Warnings[0].Fix, test.start)
		})
	}
}

func TestRepair_StaticIndex(t *testing.T) {
	t.Parallel()
	off := deployment.Project{Build: deployment.BuildSettings{Repairs: deployment.RepairsOff}}
	tests := map[string]struct {
		files   map[string]string
		project deployment.Project
		folder  string
		failure string
	}{
		"beside a manifest":      {map[string]string{"package.json": `{"name": "x"}`, "index.html": "hi"}, deployment.Project{}, ".", ""},
		"in public":              {map[string]string{"requirements.txt": "pandas\n", "public/index.html": "hi"}, deployment.Project{}, "public", ""},
		"in a folder of its own": {map[string]string{"README.md": "", "game/index.html": "hi"}, deployment.Project{}, "game", ""},
		"by a usual name":        {map[string]string{"game/index.html": "hi", "docs/index.html": "hi"}, deployment.Project{}, "docs", ""},
		"which of them":          {map[string]string{"game/index.html": "hi", "other/index.html": "hi"}, deployment.Project{}, "", "plan.nothing_to_build"},
		"repairs are off":        {map[string]string{"package.json": `{"name": "x"}`, "index.html": "hi"}, off, "", "plan.no_start_command"},
		"off, in a folder":       {map[string]string{"docs/index.html": "hi"}, off, "", "plan.nothing_to_build"},
		"something is built":     {map[string]string{"package.json": buildManifest("make", ""), "index.html": "hi"}, deployment.Project{}, "", "plan.no_start_command"},
		"the project builds":     {map[string]string{"package.json": `{"name": "x"}`, "index.html": "hi"}, deployment.Project{BuildCommand: "make"}, "", "plan.no_start_command"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), test.project, nil)
			if test.failure != "" {
				requireFailure(t, err, deployment.ClassUser, test.failure)
				return
			}
			require.NoError(t, err)
			require.Equal(t, deployment.BuilderStatic, plan.Builder)
			require.Contains(t, dockerfile, `COPY ["`+test.folder+`", "/srv"]`)
			require.Contains(t, codes(plan), "repair.static_index")
			require.Contains(t, plan.Warnings[0].Fix, "builder to static")
		})
	}
}
