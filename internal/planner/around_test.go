package planner_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// npmWorkspace is a repository whose app needs a package that has to be built before it, and that one another.
func npmWorkspace(more map[string]string) map[string]string {
	files := map[string]string{
		"package.json":                 `{"private": true, "workspaces": ["apps/*", "packages/**", "!packages/old"], "engines": {"node": "20"}}`,
		"package-lock.json":            `{"lockfileVersion": 3}`,
		"apps/web/package.json":        `{"name": "web", "scripts": {"build": "tsc", "start": "node dist/main.js"}, "dependencies": {"@acme/ui": "*"}}`,
		"apps/other/package.json":      `{"name": "other", "scripts": {"build": "exit 1"}}`,
		"packages/ui/package.json":     `{"name": "@acme/ui", "scripts": {"build": "tsc"}, "devDependencies": {"@acme/tokens": "*", "web": "*"}}`,
		"packages/tokens/package.json": `{"name": "@acme/tokens", "scripts": {"build": "node build.js"}}`,
	}
	maps.Copy(files, more)
	return files
}

func TestAround(t *testing.T) {
	t.Parallel()
	type files = map[string]string
	uv := "[project]\nname = \"api\"\nversion = \"1\"\n[tool.uv.sources]\nlib = { workspace = true }\n"
	for name, c := range map[string]struct {
		files      files
		rootDir    string
		project    deployment.Project
		context    deployment.BuildContext
		build      string   // the plan's build command
		dockerfile []string // in this order
	}{
		"npm": {
			files: npmWorkspace(nil), rootDir: "apps/web",
			context: deployment.BuildContext{Dir: ".", Reason: "apps/web is in the workspace of package.json", Runs: deployment.ContextRunsInstall},
			build:   "(cd ../../packages/tokens && npm run build) && (cd ../../packages/ui && npm run build) && npm run build",
			dockerfile: []string{
				"\nWORKDIR /app\n", "/app/apps/web/node_modules/.bin:/app/node_modules/.bin:$PATH", `COPY ["package.json","package-lock.json","/app/"]`, `COPY ["apps/web/package.json","/app/apps/web/"]`, "npm ci\n",
				"\nWORKDIR /app/apps/web\nCOPY . /app\n", "packages/ui && npm run build", `CMD ["/bin/bash", "-lc", "exec npm run start"]`,
			},
		},
		"the project's own build command": {
			files: npmWorkspace(nil), rootDir: "apps/web", project: deployment.Project{BuildCommand: "make"},
			context: deployment.BuildContext{Dir: ".", Reason: "apps/web is in the workspace of package.json", Runs: deployment.ContextRunsInstall},
			build:   "make", dockerfile: []string{"WORKDIR /app/apps/web\nCOPY . /app\n", "make"},
		},
		"yarn, below a folder": {
			files: files{
				"js/package.json": `{"workspaces": {"packages": ["web/"]}, "packageManager": "yarn@1.22.22"}`, "js/yarn.lock": "# yarn lockfile v1\n",
				"js/web/package.json": `{"name": "web", "scripts": {"start": "node ."}}`,
			}, rootDir: "js/web",
			context:    deployment.BuildContext{Dir: "js", Reason: "web is in the workspace of js/package.json", Runs: deployment.ContextRunsInstall},
			dockerfile: []string{`COPY ["package.json","yarn.lock","/app/"]`, "yarn install --frozen-lockfile\n", "WORKDIR /app/web\n", "yarn run start"},
		},
		"pnpm with Turborepo": {
			files: npmWorkspace(files{
				"package.json": `{"devDependencies": {"turbo": "2.0.0"}, "packageManager": "pnpm@9.1.0"}`, "turbo.json": "{}",
				"pnpm-workspace.yaml": "packages:\n  - 'apps/*'\n  - packages/*\n", "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
				"apps/web/turbo.json": `{"extends": ["//"], "tasks": {"build": {}, "start": {"persistent": true}}}`,
			}), rootDir: "apps/web",
			context:    deployment.BuildContext{Dir: ".", Reason: "apps/web is in the workspace of pnpm-workspace.yaml", Runs: deployment.ContextRunsInstall},
			build:      "(cd ../../ && pnpm exec turbo run build --filter=web)",
			dockerfile: []string{"pnpm-workspace.yaml", "pnpm i --frozen-lockfile\n", "WORKDIR /app/apps/web\n", "pnpm exec turbo", "exec pnpm run start"},
		},
		"Turborepo, and an app with a build of its own": {
			files: npmWorkspace(files{
				"package.json": `{"workspaces": ["apps/*", "packages/*"], "devDependencies": {"turbo": "2.0.0"}}`, "turbo.json": "{}", "apps/web/nixpacks.toml": "[phases.build]\ncmds = [\"make web\"]\n",
			}), rootDir: "apps/web",
			context: deployment.BuildContext{Dir: ".", Reason: "apps/web is in the workspace of package.json", Runs: deployment.ContextRunsInstall},
			build:   "(cd ../../packages/tokens && npm run build) && (cd ../../packages/ui && npm run build) && make web", dockerfile: []string{"WORKDIR /app/apps/web\n", "make web", "exec npm run start"},
		},
		"Moon": {
			files: npmWorkspace(files{
				"package.json": `{"workspaces": ["apps/*"], "devDependencies": {"@moonrepo/cli": "1"}}`, ".moon/workspace.yml": "projects:\n  site: apps/web\n",
				"apps/web/package.json": `{"name": "web", "scripts": {"start": "node ."}}`, "apps/web/moon.yml": "tasks:\n  build:\n    command: tsc\n",
			}), rootDir: "apps/web",
			context: deployment.BuildContext{Dir: ".", Reason: "apps/web is in the workspace of package.json", Runs: deployment.ContextRunsInstall},
			build:   "(cd ../../ && npx moon run site:build)", dockerfile: []string{"WORKDIR /app/apps/web\n", "npx moon run site:build"},
		},
		"Moon, for a package that the app needs": {
			files: npmWorkspace(files{
				"package.json": `{"workspaces": ["apps/*", "packages/*"], "devDependencies": {"@moonrepo/cli": "1"}}`, ".moon/workspace.yml": "projects: [apps/*, packages/*]\n",
				"packages/ui/package.json": `{"name": "@acme/ui"}`, "packages/ui/moon.yml": "tasks:\n  build:\n    command: tsc\n",
			}), rootDir: "apps/web",
			context: deployment.BuildContext{Dir: ".", Reason: "apps/web is in the workspace of package.json", Runs: deployment.ContextRunsInstall},
			build:   "(cd ../../ && npx moon run ui:build) && npm run build", dockerfile: []string{"WORKDIR /app/apps/web\n", "npx moon run ui:build"},
		},
		"Nx in a workspace of pnpm, whose apps have a package.json": {
			files: npmWorkspace(files{
				"package.json": `{"devDependencies": {"nx": "22"}, "packageManager": "pnpm@11.2.0"}`, "nx.json": "{}",
				"pnpm-workspace.yaml": "packages: [apps/*, packages/*]\n", "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
				"apps/web/package.json":    `{"name": "web", "scripts": {"start": "node ."}, "nx": {"targets": {"build": {}}}, "dependencies": {"@acme/ui": "*"}}`,
				"packages/ui/package.json": `{"name": "@acme/ui"}`, "packages/ui/project.json": `{"name": "ui", "targets": {"build": {}}}`,
			}), rootDir: "apps/web",
			context:    deployment.BuildContext{Dir: ".", Reason: "apps/web is in the workspace of pnpm-workspace.yaml", Runs: deployment.ContextRunsInstall},
			build:      "(cd ../../ && pnpm exec nx run web:build:production)",
			dockerfile: []string{"/opt/package-manager/bin:/app/apps/web/node_modules/.bin", "npm install -g --prefix=/opt/package-manager pnpm@11.2.0\n", "pnpm i --frozen-lockfile\n", "pnpm exec nx run web:build:production"},
		},
		"Nx, whose apps have no package.json": {
			files: files{
				"nx.json": "{}", "package.json": `{"name": "acme", "devDependencies": {"nx": "19"}}`, "package-lock.json": `{"lockfileVersion": 3}`,
				"apps/web/project.json": `{"name": "web", "targets": {"build": {"executor": "@nx/node:build", "options": {"outputPath": "dist/apps/web", "main": "apps/web/src/main.ts"}}}}`,
				"apps/web/src/main.ts":  "",
			}, rootDir: "apps/web",
			context: deployment.BuildContext{Dir: ".", Reason: "apps/web is the project web of nx.json", Runs: deployment.ContextRunsAll},
			build:   "npx nx run web:build:production", dockerfile: []string{"npm ci\n", "npx nx run web:build:production", "node dist/apps/web/main.js"},
		},
		"Nx, an app that lies elsewhere and has another name": {
			files: files{
				"nx.json": "{}", "package.json": `{"name": "acme", "scripts": {"build": "nx run-many -t build", "start": "nx serve"}}`, "yarn.lock": "",
				"apps/first/project.json":   `{"name": "first", "targets": {"build": {"executor": "@nx/node:build"}}}`,
				"services/api/project.json": `{"name": "shop-api", "targets": {"build": {"executor": "@nx/js:tsc", "options": {"outputPath": "dist/services/api", "main": "services/api/src/main.ts"}}}}`,
				"services/api/src/main.ts":  "",
			}, rootDir: "services/api",
			context: deployment.BuildContext{Dir: ".", Reason: "services/api is the project shop-api of nx.json", Runs: deployment.ContextRunsAll},
			build:   "yarn nx run shop-api:build:production", dockerfile: []string{"yarn install --frozen-lockfile\n", "yarn nx run shop-api:build:production", "exec node dist/services/api/src/main.js"},
		},
		"Nx, an app with a target that starts it": {
			files: files{
				"nx.json": "{}", "package.json": `{}`, "web/project.json": `{"targets": {"build": {}, "start": {"configurations": {"production": {}}}}}`,
			}, rootDir: "web",
			context: deployment.BuildContext{Dir: ".", Reason: "web is the project web of nx.json", Runs: deployment.ContextRunsAll},
			build:   "npx nx run web:build:production", dockerfile: []string{"npx nx run web:build:production\n", "exec npx nx run web:start:production"},
		},
		"Nx, a front end of Angular's": {
			files: files{
				"nx.json": "{}", "package.json": `{}`, "apps/site/project.json": `{"name": "site", "targets": {"build": {"executor": "@nx/angular:application", "options": {"outputPath": "dist/apps/site"}}}}`,
			}, rootDir: "apps/site",
			context: deployment.BuildContext{Dir: ".", Reason: "apps/site is the project site of nx.json", Runs: deployment.ContextRunsAll},
			build:   "npx nx run site:build:production", dockerfile: []string{"npx nx run site:build:production\n", `COPY --from=build ["/app/dist/apps/site/browser","/srv"]`},
		},
		"Nx, a front end whose target comes from Vite's configuration": {
			files: files{
				"nx.json": `{"plugins": ["@nx/vite/plugin"]}`, "package.json": `{}`, "apps/site/project.json": `{"name": "site"}`, "apps/site/index.html": "",
				"apps/site/vite.config.ts": `export default { root: __dirname, build: { outDir: '../../dist/apps/site' } }`,
			}, rootDir: "apps/site",
			context: deployment.BuildContext{Dir: ".", Reason: "apps/site is the project site of nx.json", Runs: deployment.ContextRunsAll},
			build:   "npx nx run site:build:production", dockerfile: []string{"npx nx run site:build:production\n", `COPY --from=build ["/app/dist/apps/site","/srv"]`},
		},
		"go.work": {
			files: files{
				"go.work": "go 1.22\n\nuse (\n\t./svc/api // the server\n\t./lib\n)\n", "lib/go.mod": "module acme/lib\n\ngo 1.22\n", "lib/lib.go": "package lib\n",
				"svc/api/go.mod": "module acme/api\n\ngo 1.22\n", "svc/api/main.go": "package main\n\nimport _ \"acme/lib\"\n\nfunc main() {}\n",
			}, rootDir: "svc/api",
			context: deployment.BuildContext{Dir: ".", Reason: "svc/api is used by go.work"}, build: "go build -o out",
			dockerfile: []string{"WORKDIR /app/svc/api\nCOPY . /app\n", "go mod download", "go build -o out", "COPY --from=build /app /app\n", "WORKDIR /app/svc/api\n", "exec ./out"},
		},
		"a workspace of uv": {
			files: files{
				"pyproject.toml": "[tool.uv.workspace]\nmembers = [\"services/*\", \"lib\"]\nexclude = [\"services/old\"]\n", "uv.lock": "version = 1\n",
				"services/api/pyproject.toml": uv, "services/api/main.py": "", "lib/pyproject.toml": "[project]\nname = \"lib\"\n",
			}, rootDir: "services/api", project: deployment.Project{StartCommand: "python main.py"},
			context:    deployment.BuildContext{Dir: ".", Reason: "services/api is in the workspace of pyproject.toml"},
			dockerfile: []string{"WORKDIR /app/services/api\nCOPY . /app\n", "uv sync --no-dev --frozen", "exec python main.py"},
		},
		"a Python package beside it": {
			files: files{
				"py/api/requirements.txt": "flask\n-e ../lib\n", "py/api/main.py": "", "py/lib/pyproject.toml": "[tool.poetry.dependencies]\nbase = { path = \"../base\" }\n",
				"py/base/setup.py": "", "js/big.js": "",
			}, rootDir: "py/api", project: deployment.Project{StartCommand: "python main.py"},
			context:    deployment.BuildContext{Dir: "py", Reason: "py/api/requirements.txt needs py/lib"},
			dockerfile: []string{"WORKDIR /app/api\nCOPY . /app\n", "pip install -r requirements.txt", "exec python main.py"},
		},
		"requirements that several apps share": {
			files: files{
				"py/api/requirements.txt": "-r ../base.txt\n-e ../lib[loud]\n", "py/api/main.py": "", "py/base.txt": "flask\n", "py/lib/setup.py": "", "js/big.js": "",
			}, rootDir: "py/api", project: deployment.Project{StartCommand: "python main.py"},
			context:    deployment.BuildContext{Dir: "py", Reason: "py/api/requirements.txt needs py/base.txt"},
			dockerfile: []string{"WORKDIR /app/api\nCOPY . /app\n", "pip install -r requirements.txt", "exec python main.py"},
		},
		"settings of TypeScript that several apps share": {
			files: files{
				"web/package.json": `{"scripts": {"start": "node .", "build": "tsc"}}`, "web/tsconfig.json": `{"extends": "../tsconfig.base", "compilerOptions": {"outDir": "../dist"}}`,
				"tsconfig.base.json": "{}",
			}, rootDir: "web",
			context: deployment.BuildContext{Dir: ".", Reason: "web/tsconfig.json needs tsconfig.base"}, build: "npm run build",
			dockerfile: []string{"WORKDIR /app/web\nCOPY . /app\n", "npm i\n", "npm run build", "exec npm run start"},
		},
		"a Node package beside it": {
			files: files{
				"web/package.json": `{"scripts": {"start": "node ."}, "dependencies": {"ui": "file:../ui"}}`, "ui/package.json": `{"name": "ui"}`,
			}, rootDir: "web",
			context:    deployment.BuildContext{Dir: ".", Reason: "web/package.json needs ui"},
			dockerfile: []string{"WORKDIR /app/web\nCOPY . /app\n", "npm i\n", "exec npm run start"},
		},
		"files of a front end": {
			files: npmWorkspace(files{"apps/web/package.json": `{"name": "web", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "5", "@acme/tokens": "*"}}`}), rootDir: "apps/web",
			context:    deployment.BuildContext{Dir: ".", Reason: "apps/web is in the workspace of package.json", Runs: deployment.ContextRunsInstall},
			build:      "(cd ../../packages/tokens && npm run build) && npm run build",
			dockerfile: []string{"WORKDIR /app/apps/web\n", `COPY --from=build ["/app/apps/web/dist","/srv"]`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.project.RootDir = c.rootDir
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, c.files), c.project, nil)
			require.NoError(t, err)
			require.NotNil(t, plan.Context)
			require.Equal(t, c.context, *plan.Context)
			require.Equal(t, c.context.Dir, plan.ContextDir())
			require.Equal(t, c.rootDir, plan.RootDir)
			require.Equal(t, c.build, plan.BuildCommand)
			parse(t, dockerfile)
			rest := strings.ReplaceAll(dockerfile, `", "`, `","`)
			for _, part := range c.dockerfile {
				_, after, found := strings.Cut(rest, strings.ReplaceAll(part, `", "`, `","`))
				require.True(t, found, "%s is missing from there on:\n%s\nof\n%s", part, rest, dockerfile)
				rest = after
			}
		})
	}
}

// What stands alone is built alone, whatever lies around it.
func TestAround_StandsAlone(t *testing.T) {
	t.Parallel()
	app := `{"name": "web", "scripts": {"start": "node ."}}`
	for name, files := range map[string]map[string]string{
		"no workspace":               {"package.json": `{}`, "apps/web/package.json": app},
		"excluded":                   {"package.json": `{"workspaces": ["apps/*", "!apps/web"]}`, "apps/web/package.json": app},
		"a member's folder":          {"package.json": `{"workspaces": ["apps"]}`, "apps/web/package.json": app},
		"another one":                {"package.json": `{"workspaces": ["packages/*"]}`, "apps/web/package.json": app},
		"broken":                     {"package.json": `{"workspaces": 7}`, "pnpm-workspace.yaml": "\t", "go.work": "use ./apps/web", "apps/web/package.json": app},
		"what it names is not there": {"apps/web/package.json": `{"scripts": {"start": "node ."}, "dependencies": {"a": "file:../gone", "b": "file:../../../etc"}}`},
		"no project of node":         {"package.json": `{}`, "nx.json": "{}", "apps/web/project.json": `{"targets": {"build": {}}}`, "apps/web/go.mod": "module web\n\ngo 1.22\n", "apps/web/main.go": "package main\n\nfunc main() {}\n"},
		"it is all inside":           {"apps/web/package.json": `{"scripts": {"start": "node ."}, "dependencies": {"a": "file:../web/lib"}}`, "apps/web/lib/x": ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{RootDir: "apps/web"}, nil)
			require.NoError(t, err)
			require.Nil(t, plan.Context)
			require.Equal(t, "apps/web", plan.ContextDir())
			require.NotContains(t, dockerfile, "WORKDIR /app/")
		})
	}
}

// The root's settings count, and its warnings say where they come from; what the app says itself counts before them.
func TestAround_TheRootSpeaksForItsApps(t *testing.T) {
	t.Parallel()
	files := npmWorkspace(map[string]string{"package.json": `{"workspaces": ["apps/*"]}`, "yarn.lock": ""})
	plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{RootDir: "apps/web"}, nil)
	require.NoError(t, err)
	var got []string
	for _, w := range plan.Warnings {
		got = append(got, place(w))
	}
	require.Contains(t, got, "node.version_defaulted ../../package.json:1")
	require.Contains(t, got, "pm.multiple_lockfiles ../../package-lock.json:1")

	plan, _, err = newPlanner(t).Plan(t.Context(), writeRepo(t, npmWorkspace(nil)), deployment.Project{RootDir: "apps/web"}, nil)
	require.NoError(t, err)
	require.Equal(t, "20", plan.Versions["node"])

	files = npmWorkspace(map[string]string{"apps/web/package.json": " { } ", "apps/web/index.js": ""})
	_, _, err = newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{RootDir: "apps/web", StartCommand: "node ."}, nil)
	require.NoError(t, err)

	files = npmWorkspace(map[string]string{"apps/web/.nvmrc": "22\n"})
	delete(files, "package.json")
	files["package.json"] = `{"workspaces": ["apps/*"]}`
	plan, _, err = newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{RootDir: "apps/web"}, nil)
	require.NoError(t, err)
	require.Equal(t, "22", plan.Versions["node"])
}
