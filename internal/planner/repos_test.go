package planner_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

// planned is what the real CLI and the warnings make of a repository below testdata/repos.
type planned struct {
	of        string // the repository, where it is planned in another way too
	project   deployment.Project
	secrets   []string
	providers string
	start     string
	want      []string // warnings: code, file and line, without overlay.unpinned, which every plan with a package manager of Node or with Rust has
}

// asItIs shows what becomes of a repository that is not repaired.
var asItIs = deployment.Project{Build: deployment.BuildSettings{Repairs: deployment.RepairsOff}}

var staticSettings = deployment.Project{Build: deployment.BuildSettings{Static: deployment.StaticSettings{
	SPA: true, Headers: []deployment.StaticHeader{{Path: "/*", Name: "X-Frame-Options", Value: "DENY"}},
}}}

func repos() map[string]planned {
	return map[string]planned{
		"angular-serve": {providers: "node", want: []string{"repair.dev_server package.json:6"}},
		"build-migrates": {providers: "node", start: `npm run start`, want: []string{
			"db.at_build package.json:7",
		}},
		"bun-production": {providers: "node", start: `bun run start`, want: []string{
			"repair.dev_dependency package.json:8",
			"repair.package_manager bun.lock:2",
		}},
		"bun-script": {providers: "node", start: `bun server.js`, want: []string{
			"repair.node_start server.js:1",
			"repair.package_manager .tool-versions:2",
		}},
		"bun-server": {providers: "node", start: `bun run start`, want: []string{
			"repair.package_manager bun.lock:2",
		}},
		"bun-vite": {providers: "node", want: []string{
			"repair.dev_server package.json:9",
			"repair.package_manager package.json:5",
		}},
		"config-only": {providers: "", start: `cd /app && ./serve --name "a b"`},
		"dev-dependency": {providers: "node", start: `yarn run start`, want: []string{
			"repair.dev_dependency package.json:9",
		}},
		"dev-server": {providers: "node", want: []string{"repair.dev_server package.json:6"}},
		"django":     {providers: "python django postgres", start: `python manage.py migrate && gunicorn shop.wsgi`},
		"django-no-gunicorn": {providers: "python django", start: `python manage.py migrate && gunicorn shop.wsgi`, want: []string{
			"repair.python_start requirements.txt",
		}},
		"django-no-gunicorn-as-it-is": {of: "django-no-gunicorn", project: asItIs, providers: "python django", start: `python manage.py migrate && gunicorn shop.wsgi`, want: []string{
			"python.no_wsgi_server requirements.txt",
		}},
		"docker-clean": {project: deployment.Project{StartCommand: "./x"}, providers: "dockerfile", start: ``, want: []string{
			"dockerfile.commands_ignored Dockerfile",
		}},
		"docker-dev-server": {providers: "dockerfile", start: ``, want: []string{
			"start.signals Dockerfile:5",
			"start.dev_server Dockerfile:5",
		}},
		"docker-inherits": {providers: "dockerfile", start: ``, want: []string{
			"start.no_port Dockerfile:1",
		}},
		"docker-no-start": {providers: "dockerfile", start: ``, want: []string{
			"start.missing Dockerfile:1",
		}},
		"docker-secrets": {project: deployment.Project{Build: deployment.BuildSettings{Network: deployment.BuildNetworkNone}}, providers: "dockerfile", start: ``, want: []string{
			"secret.baked Dockerfile:2",
			"secret.baked Dockerfile:4",
			"context.no_dockerignore Dockerfile:5",
			"start.signals Dockerfile:9",
			"version.eol Dockerfile:1",
			"egress.unreachable Dockerfile:6",
		}},
		"docs-only": {providers: "static", want: []string{
			"repair.static_index docs/index.html",
		}},
		"docs-and-api": {providers: "static", start: ``, want: []string{
			"provider.subdir api/package.json",
		}},
		"eleventy": {providers: "node", want: []string{"repair.static_output package.json:5"}},
		"env-file": {providers: "node", start: `npm run start`, want: []string{
			"node.version_defaulted package.json:1",
			"context.env_file_ignored .env.production",
			"version.eol package.json:1",
		}},
		"fastapi-package": {providers: "python", start: `uvicorn --host 0.0.0.0 --port $PORT shop.main:app`, want: []string{
			"repair.python_start shop/main.py:5",
		}},
		"flask-app": {providers: "python", start: `gunicorn --bind 0.0.0.0:$PORT app:app`, want: []string{
			"repair.python_start app.py:3",
		}},
		"front-end-and-server": {providers: "node", start: `npm run start`, want: []string{
			"repair.node_start package.json:7",
		}},
		"flask-main": {providers: "python", start: `gunicorn --bind 0.0.0.0:$PORT main:app`, want: []string{
			"repair.python_start main.py:3",
		}},
		"go-many-cmd": {providers: "go", start: `./out`, want: []string{
			"repair.go_main cmd/server/main.go:10",
			"version.eol go.mod:1",
		}},
		"go-no-module": {providers: "go", start: `./out`, want: []string{
			"repair.go_main server.go:12",
			"version.eol",
		}},
		"go-procfile": {providers: "go", start: `./out -greeting "named by the Procfile"`, want: []string{
			"repair.go_main Procfile:1",
			"version.eol go.mod:1",
		}},
		"go-many-cmd-as-it-is": {of: "go-many-cmd", project: asItIs, providers: "go", start: `./out`, want: []string{
			"go.multiple_cmd cmd/migrate/main.go",
			"version.eol go.mod:1",
		}},
		"go-new": {providers: "go", start: `./out`, want: []string{
			"go.version_fallback go.mod:1",
			"version.eol go.mod:1",
		}},
		"go-patch-version": {providers: "go", start: `./out`, want: []string{
			"go.version_fallback go.mod:3",
			"version.eol go.mod:3",
		}},
		"index-beside-manifest": {providers: "static", want: []string{
			"repair.static_index index.html",
		}},
		"link-outside": {providers: "php", start: `node /assets/scripts/prestart.mjs /assets/nginx.template.conf /nginx.conf && (php-fpm -y /assets/php-fpm.conf & nginx -c /nginx.conf)`, want: []string{
			"source.link_outside shared",
			"start.signals",
		}},
		"multi-stage": {providers: "dockerfile", start: ``},
		"nested-csproj": {providers: "c#", start: `./out/report`, want: []string{
			"provider.shadowed package.json",
			"provider.nested_evidence tools/report/report.csproj",
			"version.eol tools/report/report.csproj",
		}},
		"nested-deno": {providers: "deno", start: `deno run --allow-all functions/hello/index.ts`, want: []string{
			"provider.nested_evidence functions/hello/index.ts:2",
		}},
		"next-public-env": {secrets: []string{"NEXT_PUBLIC_KEY", "TOKEN"}, providers: "node", start: `npm run start`, want: []string{
			"public_env.baked package.json:11",
		}},
		"node-config-variable": {providers: "node", start: `npm run start`, want: []string{
			"secret.baked nixpacks.toml:3",
		}},
		"node-eol": {providers: "node", start: `npm run start`, want: []string{
			"version.eol package.json:4",
		}},
		"node-floating": {providers: "node", start: `npm run start`, want: []string{
			"node.version_floating package.json:4",
		}},
		"node-nvmrc-codename": {providers: "node", start: `npm run start`, want: []string{
			"repair.node_version .nvmrc:1",
		}},
		"node-range-bounded": {providers: "node", start: `npm run start`},
		"node-server-with-static-settings": {of: "node-server", project: staticSettings, providers: "node", start: `node server.js`, want: []string{
			"repair.node_start server.js:3",
			"static.ignored",
		}},
		"static-public-without-root": {of: "static-public", project: deployment.Project{Build: deployment.BuildSettings{NonRoot: true}}, providers: "static"},
		"dev-server-without-root": {of: "dev-server", project: deployment.Project{Build: deployment.BuildSettings{NonRoot: true}}, providers: "node", want: []string{
			"repair.dev_server package.json:6",
		}},
		"node-server": {providers: "node", start: `node server.js`, want: []string{
			"repair.node_start server.js:3",
		}},
		"node-static": {providers: "node", start: `npm run start`, want: []string{
			"version.eol .nvmrc:1",
		}},
		"node-typo-config": {providers: "node", start: `npm run start`, want: []string{
			"config.unknown_key nixpacks.toml:1",
			"config.unknown_key nixpacks.toml:4",
			"config.unknown_key nixpacks.toml:7",
			"node.version_defaulted package.json:1",
			"version.eol package.json:1",
		}},
		"node-unavailable": {providers: "node", start: `npm run start`, want: []string{
			"repair.node_version package.json:4",
		}},
		"node-unavailable-as-it-is": {of: "node-unavailable", project: asItIs, providers: "node", start: `npm run start`, want: []string{
			"node.version_unavailable package.json:4",
			"version.eol package.json:4",
		}},
		"php": {providers: "php", start: `node /assets/scripts/prestart.mjs /assets/nginx.template.conf /nginx.conf && (php-fpm -y /assets/php-fpm.conf & nginx -c /nginx.conf)`, want: []string{
			"start.signals",
		}},
		"pinned-python": {providers: "python", start: `python main.py`},
		"pm-bun-npm": {providers: "node", start: `bun run start`, want: []string{
			"repair.package_manager package.json:3",
			"pm.install_mismatch package.json:3",
		}},
		"pm-npm": {project: deployment.Project{Build: deployment.BuildSettings{Network: deployment.BuildNetworkNone}}, providers: "node", start: `npm run start`, want: []string{
			"egress.unreachable",
		}},
		"pm-pnpm-9": {providers: "node", start: `pnpm run start`, want: []string{
			"pm.version_guess pnpm-lock.yaml:1",
		}},
		"pm-pnpm-named": {providers: "node", start: `pnpm run start`},
		"pm-pnpm-11": {providers: "node", start: `pnpm run start`, want: []string{
			"repair.package_manager package.json:3",
		}},
		"pm-pnpm-no-lock": {providers: "node", start: `pnpm run start`, want: []string{
			"pm.frozen_without_lock package.json:3",
		}},
		"pm-yarn-berry": {providers: "node", start: `yarn run start`, want: []string{
			"pm.version_guess yarn.lock:3",
		}},
		"procfile-release": {providers: "node", start: `node server.js`},
		"procfile-release-build": {providers: "node", start: `node server.js`, want: []string{
			"release.at_build nixpacks.toml:1",
		}},
		"procfile-release-dockerfile": {providers: "dockerfile", want: []string{
			"release.ignored Procfile:2",
		}},
		"procfile-release-own": {of: "procfile-release", project: deployment.Project{ReleaseCommand: "node migrate.js --now"}, providers: "node", start: `node server.js`},
		"prov-clojure":         {providers: "clojure", start: `JAR_FILE=$(find /app/target -name "*-standalone.jar" -o -name "*.jar" ! -name "*-SNAPSHOT.jar" | head -n 1) && bash -c "java $JAVA_OPTS -jar $JAR_FILE"`},
		"prov-cobol":           {providers: "cobol", start: `./index`},
		"prov-crystal":         {providers: "crystal", start: `./bin/hello`},
		"prov-csharp": {providers: "c#", start: `./out/shop`, want: []string{
			"version.eol global.json:3",
		}},
		"prov-dart": {providers: "dart", start: `./bin/hello.exe`},
		"prov-deno": {providers: "deno", start: `deno run --allow-net main.ts`},
		"prov-elixir": {providers: "elixir", start: `mix phx.server`, want: []string{
			"db.at_build mix.exs",
		}},
		"prov-fsharp": {providers: "f#", start: `./out/shop`, want: []string{
			"version.eol shop.fsproj",
		}},
		"prov-gleam":       {providers: "gleam", start: `./build/erlang-shipment/entrypoint.sh run`},
		"prov-haskell":     {providers: "haskell", start: `/root/.local/bin/hello-exe`},
		"prov-java-gradle": {providers: "java", start: `java $JAVA_OPTS -jar  $(ls -1 build/libs/*jar | grep -v plain)`},
		"prov-java-maven": {providers: "java", start: `java  $JAVA_OPTS -jar target/*jar`, want: []string{
			"java.version_ignored pom.xml:4",
		}},
		"prov-lunatic": {providers: "lunatic", start: `lunatic ./bin/hello.wasm`},
		"prov-php-composer": {providers: "php", start: `node /assets/scripts/prestart.mjs /assets/nginx.template.conf /nginx.conf && (php-fpm -y /assets/php-fpm.conf & nginx -c /nginx.conf)`, want: []string{
			"php.version_substring composer.json:3",
			"start.signals",
			"version.eol composer.json:3",
		}},
		"prov-php-laravel": {providers: "php", start: `node /assets/scripts/prestart.mjs /assets/nginx.template.conf /nginx.conf && (php-fpm -y /assets/php-fpm.conf & nginx -c /nginx.conf)`, want: []string{
			"start.signals",
		}},
		"prov-ruby-rack": {providers: "ruby", start: `bundle exec rackup config.ru -p ${PORT:-3000}`, want: []string{
			"version.eol Gemfile:2",
		}},
		"prov-ruby-rails": {providers: "ruby", start: `bundle exec bin/rails server -b 0.0.0.0 -p ${PORT:-3000} -e $RAILS_ENV`},
		"prov-rust":       {providers: "rust", start: `./bin/hello`},
		"prov-scala":      {providers: "scala", start: `./target/universal/stage/bin/main`},
		"prov-scheme":     {providers: "scheme", start: `guile init.scm --auto-compile`},
		"prov-staticfile": {providers: "staticfile", start: `[[ -z "${PORT}" ]] && echo "Environment variable PORT not found. Using PORT 80" || sed -i "s/0.0.0.0:80/$PORT/g" /assets/nginx.conf && nginx -c /assets/nginx.conf`},
		"prov-swift":      {providers: "swift", start: `./hello`},
		"prov-zig":        {providers: "zig", start: `./zig-out/bin/app`},
		"python-env-ignored": {providers: "python", start: `python main.py`, want: []string{
			"python.env_ignored nixpacks.toml:2",
			"version.eol runtime.txt:1",
		}},
		"python-poetry": {providers: "python poetry", start: `python main.py`, want: []string{
			"version.eol .python-version:1",
		}},
		"python-requires": {providers: "python", start: `python main.py`, want: []string{
			"python.requires_python_ignored pyproject.toml:4",
		}},
		"python-requires-met": {providers: "python", start: `python main.py`},
		"ruby-word-pg": {providers: "ruby", start: `bundle exec rackup config.ru -p ${PORT:-3000}`, want: []string{
			"deps.substring_match Gemfile:3",
		}},
		"shadowed-by-go": {providers: "go", start: `./out`, want: []string{
			"provider.shadowed package.json",
			"version.eol go.mod:1",
		}},
		"shadowed-python": {providers: "node", start: `npm run start`, want: []string{
			"provider.shadowed requirements.txt",
		}},
		"spa": {providers: "node", want: []string{"repair.static_output package.json:3"}},
		"spa-express": {providers: "node", start: `npm run start`, want: []string{
			"repair.node_start package.json:8",
		}},
		"spa-express-as-it-is": {of: "spa-express", project: asItIs, providers: "node", start: `exec caddy run --config /assets/Caddyfile --adapter caddyfile 2>&1`, want: []string{
			"spa.start_overridden package.json:8",
		}},
		"start-background": {providers: "node", start: `node worker.js & node server.js`, want: []string{
			"start.signals Procfile:1",
		}},
		"start-cra": {providers: "node", want: []string{
			"repair.dev_server package.json:7",
		}},
		"start-nodemon": {providers: "node", start: `npm run start`, want: []string{
			"start.dev_server package.json:8",
		}},
		"start-other-port": {providers: "node", start: `npm run start`, want: []string{
			"start.no_port package.json:7",
		}},
		"start-port": {providers: "python", start: `uvicorn main:app`, want: []string{
			"start.no_port Procfile:1",
		}},
		"static-public": {providers: "static", start: ``},
		"svelte-static": {providers: "node", want: []string{"repair.static_output package.json:6"}},
		"tools-only-manifest": {providers: "go", start: `./out`, want: []string{
			"version.eol go.mod:1",
		}},
		"two-lockfiles": {providers: "node", start: `node server.js`, want: []string{
			"pm.multiple_lockfiles package-lock.json:1",
		}},
		"word-sharp": {providers: "node", start: `npm run start`, want: []string{
			"deps.substring_match package.json:3",
			"deps.substring_match package.json:3",
		}},
	}
}

// otherwise are the codes that no repository by itself raises: they tell of what was deployed before.
var otherwise = []string{"change.provider", "change.version", "change.start", "change.base", "image.reused"}

// Every repository is planned by the real CLI, with the plan, the Dockerfile and the warnings that are written down here. Together
// they raise every kind of warning there is, and no other.
func TestRepos(t *testing.T) { //nolint:tparallel // what all of them raise is looked at when they have ended
	t.Parallel()
	require.Greater(t, len(repos()), 60)
	var mu sync.Mutex
	raised := slices.Clone(otherwise)
	t.Run("each", func(t *testing.T) {
		p := newPlanner(t)
		for name, want := range repos() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				plan := requireGolden(t, p, repo(cmp.Or(want.of, name)), want.project, filepath.Join("testdata", "golden", "fixtures", name), want.secrets...)
				require.Equal(t, want.providers, strings.Join(plan.Providers, " "))
				require.Equal(t, want.start, plan.StartCommand)
				mu.Lock()
				defer mu.Unlock()
				var got []string
				for _, w := range plan.Warnings {
					raised = append(raised, w.Code)
					require.NotEmpty(t, w.Fix, w.Code)
					if w.Code != "overlay.unpinned" {
						got = append(got, place(w))
					}
				}
				require.Equal(t, want.want, got)
			})
		}
	})
	var kinds []string
	for _, k := range deployment.WarningKinds() {
		if k.Code != "release.other_port" && k.Code != "release.disk_unbounded" { // what only an app that runs shows
			kinds = append(kinds, k.Code)
		}
	}
	slices.Sort(raised)
	require.ElementsMatch(t, kinds, slices.Compact(raised))
}

// Every repository is in the table, but for those that cannot be planned.
func TestRepos_AreAllThere(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(filepath.Join("testdata", "repos"))
	require.NoError(t, err)
	for _, entry := range entries {
		if _, ok := repos()[entry.Name()]; !ok {
			_, _, err := newPlanner(t).Plan(t.Context(), repo(entry.Name()), deployment.Project{}, nil)
			require.Error(t, err, entry.Name())
		}
	}
}

// place is a warning's code and where it comes from.
func place(w deployment.Warning) string {
	text := w.Code
	if w.File != "" {
		text += " " + w.File
	}
	if w.Line > 0 {
		text += fmt.Sprintf(":%d", w.Line)
	}
	return text
}

// Where the operator's base image brings the languages, nixpacks' choice of a version means nothing.
func TestRepos_NoVersionsWhereTheBaseImageChooses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"env-file", "go-new", "node-eol", "prov-php-composer", "prov-java-maven", "pm-yarn-berry"} {
		plan, _, _ := planWith(t, planner.Overrides{BuildImage: "own/base", ClearPackages: true}, name)
		require.Empty(t, plan.Versions)
		for _, w := range plan.Warnings {
			require.NotRegexp(t, `version|java`, w.Code)
		}
	}
}
