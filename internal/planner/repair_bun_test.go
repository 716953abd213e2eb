package planner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func TestRepair_Bun(t *testing.T) {
	t.Parallel()
	type files = map[string]string
	manifest := func(more, start string) string {
		return `{"engines": {"node": "22"}, "scripts": {"start": "` + start + `"}` + more + `}`
	}
	plain, asked := manifest("", "bun x.ts"), manifest(`, "packageManager": "bun@1.3.9+sha512.0a1b"`, "bun x.ts")
	older, newer := "{\n\"lockfileVersion\": 1\n}", "{\n\"lockfileVersion\": 2\n}"
	cleared := planner.Overrides{BuildImage: "own/base", ClearPackages: true, NodeVersion: "22"}
	withBun := cleared
	withBun.BunVersion = "1.4.0"
	off := deployment.Project{Build: deployment.BuildSettings{Repairs: deployment.RepairsOff}}
	for name, test := range map[string]struct {
		files     files
		overrides planner.Overrides
		project   deployment.Project
		version   string // that npm installs, "" for none
		at        string
		install   string
	}{
		"nixpacks' own":                {files: files{"package.json": plain, "bun.lock": older}, install: "bun i --no-save"},
		"newer than nixpacks' own":     {files: files{"package.json": plain, "bun.lock": newer}, version: "1.4.5", at: "bun.lock:2", install: "bun i --no-save"},
		"a version is asked for":       {files: files{"package.json": asked, "bun.lock": older}, version: "1.3.9", at: "package.json:1", install: "bun i --no-save"},
		"in a file of its own":         {files: files{"package.json": plain, "bun.lock": older, ".bun-version": "v1.2.23\n"}, version: "1.2.23", at: ".bun-version:1", install: "bun i --no-save"},
		"a part of one":                {files: files{"package.json": plain, "bun.lock": older, ".bun-version": "1.3"}, version: "1.3", at: ".bun-version:1", install: "bun i --no-save"},
		"by mise":                      {files: files{"package.json": plain, "bun.lock": older, "mise.toml": "[env]\nbun = '1.0.0'\n\n[tools]\n# bun = \"1.1\"\nnode = [\"22\"]\nbun = \"1.3.9\"\n"}, version: "1.3.9", at: "mise.toml:7", install: "bun i --no-save"},
		"by mise, with options":        {files: files{"package.json": plain, ".mise.toml": "[tools]\nbun = { os = ['linux'], version = '1.3' }\n", "package-lock.json": "{}"}, version: "1.3", at: ".mise.toml:2", install: "npm ci"},
		"by mise, the newest":          {files: files{"package.json": plain, "bun.lock": older, "mise.toml": "[tools]\nbun = \"latest\"\n", ".tool-versions": "bun 1.3.9"}, install: "bun i --no-save"},
		"by mise, something else":      {files: files{"package.json": plain, "bun.lock": older, "mise.toml": "[tools]\nnode = \"22\"\n[alias]\nbun = \"1.3.9\"\n"}, install: "bun i --no-save"},
		"by asdf":                      {files: files{"package.json": plain, "bun.lock": older, ".tool-versions": "nodejs 22.1.0\nbun 1.3.9 1.2.0 # both\n"}, version: "1.3.9", at: ".tool-versions:2", install: "bun i --no-save"},
		"not exactly":                  {files: files{"package.json": manifest(`, "packageManager": "bun@1"`, "bun x.ts"), "bun.lock": older}, install: "npm install -g corepack@0.24.1 && corepack enable && bun i --no-save"},
		"a base without it":            {files: files{"package.json": plain, "bun.lockb": ""}, overrides: cleared, version: "1.4.5", at: "package.json:1", install: "bun i --no-save"},
		"a base without it, one asked": {files: files{"package.json": asked, "bun.lock": newer}, overrides: cleared, version: "1.3.9", at: "package.json:1", install: "bun i --no-save"},
		"a base with it":               {files: files{"package.json": plain, "bun.lock": newer}, overrides: withBun, install: "bun i --no-save"},
		"a base with another":          {files: files{"package.json": asked, "bun.lock": newer}, overrides: withBun, version: "1.3.9", at: "package.json:1", install: "bun i --no-save"},
		"a base with that one":         {files: files{"package.json": plain, "bun.lock": newer, ".bun-version": "1.4.0"}, overrides: withBun, install: "bun i --no-save"},
		"a base with a part of it":     {files: files{"package.json": plain, "bun.lock": newer, ".tool-versions": "bun 1.4"}, overrides: withBun, install: "bun i --no-save"},
		"beside npm":                   {files: files{"package.json": plain, "package-lock.json": "{}"}, version: "1.4.5", at: "package.json:1", install: "npm ci"},
		"beside npm, without a lock":   {files: files{"package.json": plain}, version: "1.4.5", at: "package.json:1", install: "npm i"},
		"without npm":                  {files: files{"package.json": plain, "bun.lock": newer, "nixpacks.toml": "[phases.setup]\nnixPkgs = [\"bun\"]\n"}, install: "bun i --no-save"},
		"beside npm, which brings it":  {files: files{"package.json": manifest(`, "dependencies": {"bun": "1.2.0"}`, "bun x.ts"), "package-lock.json": "{}"}, install: "npm ci"},
		"as a part of a command":       {files: files{"package.json": manifest("", "X=1 exec bunx y"), "package-lock.json": "{}"}, version: "1.4.5", at: "package.json:1", install: "npm ci"},
		"beside pnpm 11": {
			files:   files{"package.json": manifest(`, "packageManager": "pnpm@11.0.0"`, "bun x.ts"), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"},
			version: "1.4.5", at: "package.json:1", install: "npm install -g --prefix=/opt/package-manager pnpm@11.0.0 && pnpm i --frozen-lockfile",
		},
		"a word":               {files: files{"package.json": manifest("", "node x.js bun"), "package-lock.json": "{}"}, install: "npm ci"},
		"the project's own":    {files: files{"package.json": plain, "bun.lock": newer}, overrides: cleared, project: deployment.Project{InstallCommand: "npm install -g bun@1.4.1 && bun ci"}, install: "npm install -g bun@1.4.1 && bun ci"},
		"from its releases":    {files: files{"package.json": plain, "bun.lock": newer}, overrides: cleared, project: deployment.Project{InstallCommand: "curl -L https://github.com/oven-sh/bun/releases/x | sh"}, install: "curl -L https://github.com/oven-sh/bun/releases/x | sh"},
		"the project's script": {files: files{"package.json": plain, "bun.lock": newer}, overrides: cleared, project: deployment.Project{InstallCommand: "bun ci"}, version: "1.4.5", at: "package.json:1", install: "bun ci"},
		"left alone":           {files: files{"package.json": asked, "bun.lock": newer}, project: off, install: "npm install -g corepack@0.24.1 && corepack enable && bun i --no-save"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Overrides: test.overrides})
			plan, dockerfile, err := p.Plan(t.Context(), writeRepo(t, test.files), test.project, nil)
			require.NoError(t, err)
			require.Equal(t, test.install, plan.InstallCommand)
			if test.version == "" {
				require.NotContains(t, codes(plan), "repair.package_manager")
				require.NotContains(t, dockerfile, "/opt/package-manager")
				return
			}
			require.Contains(t, places(plan), "repair.package_manager "+test.at)
			require.Regexp(t, `# bun:install\nRUN [^#]*npm install -g --prefix=/opt/package-manager bun@`+test.version+"\n\n# install\nCOPY", dockerfile)
			require.Contains(t, dockerfile, `PATH="/opt/package-manager/bin:/app/node_modules/.bin:$PATH"`)
			require.NotRegexp(t, `paths = .* bun `, dockerfile, "there is no second one from nixpacks")
			require.Contains(t, plan.InstallFiles, "package.json", "the install is still known word for word")
		})
	}
}

// A workspace says for its apps which Bun it needs, and its lock file what reads it.
func TestRepair_BunOfAWorkspace(t *testing.T) {
	t.Parallel()
	for at, files := range map[string]map[string]string{
		"../../package.json:1": {"package.json": `{"workspaces": ["apps/*"], "packageManager": "bun@1.3.9"}`},
		"../../.bun-version:1": {"package.json": `{"workspaces": ["apps/*"]}`, ".bun-version": "1.3.9"},
		"../../bun.lock:1":     {"package.json": `{"workspaces": ["apps/*"]}`},
		"../../mise.toml:2":    {"package.json": `{"workspaces": ["apps/*"]}`, "mise.toml": "[tools]\nbun = '1.3'\n", "apps/web/mise.toml": "[tools]\nnode = '22'\n"},
		".tool-versions:1":     {"package.json": `{"workspaces": ["apps/*"]}`, ".bun-version": "1.2.0", "apps/web/.tool-versions": "bun 1.3.9"},
	} {
		files["bun.lock"] = `{"lockfileVersion": 2}`
		files["apps/web/package.json"] = `{"name": "web", "scripts": {"start": "bun x.ts"}}`
		plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{RootDir: "apps/web"}, nil)
		require.NoError(t, err)
		require.Contains(t, places(plan), "repair.package_manager "+at)
	}
}

// What a workspace brings its apps with npm is not brought twice.
func TestRepair_BunBroughtByAWorkspace(t *testing.T) {
	t.Parallel()
	for _, brings := range []string{`, "devDependencies": {"bun": "1.3.9"}`, ""} {
		files := map[string]string{
			"package.json": `{"workspaces": ["apps/*"]` + brings + `}`, "package-lock.json": "{}", ".tool-versions": "bun 1.3.8",
			"apps/web/package.json": `{"name": "web", "scripts": {"start": "bun x.ts"}}`,
		}
		plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{RootDir: "apps/web"}, nil)
		require.NoError(t, err)
		require.Equal(t, brings == "", slices.Contains(places(plan), "repair.package_manager ../../.tool-versions:1"))
		require.Equal(t, brings == "", strings.Contains(dockerfile, "bun@1.3.8"))
	}
}

// npm passes over a project's .npmrc when it installs for all, so it is told where a private registry is said; the token for it stays
// a secret of the build.
func TestRepair_PackageManagerFromAPrivateRegistry(t *testing.T) {
	t.Parallel()
	const (
		npmrc = "registry=https://npm.acme.test/\n//npm.acme.test/:_authToken=${NPM_TOKEN}\nignore-scripts=true\n"
		bun   = `{"scripts": {"start": "bun x.ts"}}`
		flags = "npm install -g --prefix=/opt/package-manager --globalconfig=.npmrc --ignore-scripts=false "
		mount = "RUN --mount=type=cache,target=/root/.npm \\\n    --mount=type=secret,id=NPM_TOKEN,env=NPM_TOKEN \\\n    "
	)
	for name, test := range map[string]struct {
		files map[string]string
		root  string
		want  string // of the Dockerfile
	}{
		"Bun":               {map[string]string{"package.json": bun, ".npmrc": npmrc}, "", "# bun:install\nCOPY [\".npmrc\", \"/app/.npmrc\"]\n" + mount + flags + "bun@1.4.5\n"},
		"pnpm":              {map[string]string{"package.json": `{"packageManager": "pnpm@11.0.0", "scripts": {"start": "node x.js"}}`, "pnpm-lock.yaml": "", ".npmrc": npmrc}, "", flags + "pnpm@11.0.0\n"},
		"of a workspace":    {map[string]string{"package.json": `{"workspaces": ["apps/*"]}`, ".npmrc": npmrc, "apps/web/package.json": bun, "apps/web/.npmrc": ""}, "apps/web", "# bun:install\nCOPY [\".npmrc\", \"/app/.npmrc\"]\n" + mount + flags + "bun@1.4.5\n"},
		"with a CA's file":  {map[string]string{"package.json": bun, ".npmrc": npmrc + "cafile=ca.pem\n", "ca.pem": ""}, "", "# bun:install\nCOPY . /app\n" + mount + flags + "bun@1.4.5\n"},
		"not for the build": {map[string]string{"package.json": bun, ".npmrc": npmrc, ".dockerignore": ".npmrc\n"}, "", "# bun:install\n" + mount + "npm install -g --prefix=/opt/package-manager bun@1.4.5\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), deployment.Project{RootDir: test.root}, []string{"NPM_TOKEN"})
			require.NoError(t, err)
			parse(t, dockerfile)
			require.Contains(t, dockerfile, test.want)
			require.NotRegexp(t, `(?m)^(ENV|ARG).*NPM_TOKEN`, dockerfile)
		})
	}
}

func TestRepair_BunStart(t *testing.T) {
	t.Parallel()
	const (
		script = "// as Bun.serve does\nconst x = 1\nexport const server = Bun.serve({ fetch })\n"
		serves = "const x = 1\nBun.serve<Data>({ fetch: () => new Response() })\n"
		hono   = "import { Hono } from 'hono'\nconst app = new Hono()\nexport default app\n"
	)
	manifest := func(more string) string { return `{"engines": {"node": "22"}` + more + `}` }
	for name, test := range map[string]struct {
		files map[string]string
		start string
		at    string
	}{
		"the module":                 {map[string]string{"package.json": manifest(`, "module": "main/web.ts"`), "main/web.ts": serves}, "bun main/web.ts", "main/web.ts:2"},
		"what development runs":      {map[string]string{"package.json": manifest(`, "scripts": {"dev": "bun run --hot api/serve.ts"}`), "api/serve.ts": hono, "src/index.ts": serves}, "bun api/serve.ts", "api/serve.ts:3"},
		"a usual name":               {map[string]string{"package.json": manifest(`, "module": "src/index.js"`), "src/index.ts": "new Elysia()\n  .listen(3000)\n"}, "bun src/index.ts", "src/index.ts:2"},
		"an object with fetch":       {map[string]string{"package.json": manifest(""), "server.ts": "export default {\n  fetch() {},\n}\n"}, "bun server.ts", "server.ts:1"},
		"JavaScript":                 {map[string]string{"package.json": manifest(""), "server.js": script}, "bun server.js", "server.js:3"},
		"what is imported from Bun":  {map[string]string{"package.json": manifest(""), "app.mjs": "import { SQL } from 'bun'\napp.listen(1)\n"}, "bun app.mjs", "app.mjs:1"},
		"JavaScript of both":         {map[string]string{"package.json": manifest(""), "server.js": "// not Bun.serve(\nserver.listen(1)\n"}, "node server.js", "server.js:1"},
		"what the build makes":       {map[string]string{"package.json": manifest(`, "main": "dist/server.js", "scripts": {"build": "tsc"}`), "src/server.ts": script}, "bun dist/server.js", "src/server.ts:3"},
		"where npm is asked for":     {map[string]string{"package.json": manifest(`, "packageManager": "npm@10.9.0"`), "index.js": script}, "bun index.js", "index.js:3"},
		"a file that exports an app": {map[string]string{"package.json": manifest(""), "src/app.ts": "export default app\n"}, "", ""},
		"a file beside the app":      {map[string]string{"package.json": manifest(`, "scripts": {"dev": "bun --watch ../other.ts"}`)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.files["bun.lockb"] = ""
			plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), deployment.Project{}, nil)
			if test.start == "" {
				requireFailure(t, err, deployment.ClassUser, "plan.no_start_command")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.start, plan.StartCommand)
			require.Equal(t, "repair.node_start "+test.at, place(plan.Warnings[0]))
		})
	}
}

// What Bun runs is seen through the ways in which it is called.
func TestRepair_BunRunsTools(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"bunx vite", "bunx --bun vite", "bun vite", "bun run vite", "bun --bun vite", "bun --bun run vite", "bun run --bun vite preview --host", "bun x vite"} {
		files := map[string]string{"package.json": startManifest(call, "vite build", `, "devDependencies": {"vite": "7.1.9"}`), "bun.lock": ""}
		plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{}, nil)
		require.NoError(t, err, call)
		require.Contains(t, codes(plan), "repair.dev_server", call)
	}
	for call, warned := range map[string]bool{"bun --watch x.ts": true, "bun run --hot x.ts": true, "bun x.ts --watch": false} {
		files := map[string]string{"package.json": startManifest(call, "true", ""), "bun.lock": ""}
		plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{}, nil)
		require.NoError(t, err, call)
		require.Equal(t, warned, slices.Contains(codes(plan), "start.dev_server"), call)
	}
}

func places(plan *deployment.Plan) (places []string) {
	for _, w := range plan.Warnings {
		places = append(places, place(w))
	}
	return places
}
