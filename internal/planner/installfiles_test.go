package planner_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

type files = map[string]string

// manifest is a package.json with fields of its own.
func manifest(fields string) string {
	if fields != "" {
		fields = ", " + fields
	}
	return `{"name": "app"` + fields + `}`
}

// planFiles plans a checkout of these files with the real nixpacks.
func planFiles(t *testing.T, checkout string, project deployment.Project, secrets ...string) (*deployment.Plan, string) {
	t.Helper()
	project.StartCommand = "./start"
	plan, dockerfile, err := newPlanner(t).Plan(t.Context(), checkout, project, secrets)
	require.NoError(t, err)
	parse(t, dockerfile)
	return plan, dockerfile
}

func TestInstall_CopiesWhatItReads(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files   files
		project deployment.Project
		want    string
	}{
		"npm ci": {
			files: files{"package.json": manifest(""), "package-lock.json": "{}", ".npmrc": "fund=false\n", ".nvmrc": "22", "index.js": ""},
			want:  "package.json package-lock.json .npmrc .nvmrc",
		},
		"npm i":                   {files: files{"package.json": manifest("")}, want: "package.json"},
		"yarn 1":                  {files: files{"package.json": manifest(""), "yarn.lock": "", ".yarnrc": "yarn-path \".yarn/releases/y.js\"\n", ".yarn/releases/y.js": ""}, want: "package.json yarn.lock .yarnrc .yarn/releases/"},
		"yarn 4":                  {files: files{"package.json": manifest(`"packageManager": "yarn@4.1.0", "dependencies": {"a": "patch:a@npm:1.0.0#~/.yarn/patches/a.patch"}`), "yarn.lock": "", ".yarnrc.yml": "nodeLinker: node-modules\nyarnPath: .yarn/releases/y.cjs\n", ".yarn/releases/y.cjs": "", ".yarn/patches/a.patch": ""}, want: "package.json yarn.lock .yarnrc.yml .yarn/releases/ .yarn/patches/"},
		"pnpm":                    {files: files{"package.json": manifest(`"pnpm": {"patchedDependencies": {"a@1": "patches/a.patch"}}`), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n", "patches/a.patch": "", ".pnpmfile.cjs": "module.exports = {}"}, want: "package.json pnpm-lock.yaml .pnpmfile.cjs patches/a.patch"},
		"pnpm named by the app":   {files: files{"package.json": manifest(`"packageManager": "pnpm@9.15.9"`), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, want: "package.json pnpm-lock.yaml"},
		"bun":                     {files: files{"package.json": manifest(""), "bun.lock": "", "bunfig.toml": "[install]\nexact = true\n"}, want: "package.json bun.lock bunfig.toml"},
		"npm's workspaces":        {files: files{"package.json": manifest(`"workspaces": ["packages/*"], "dependencies": {"a": "*"}`), "package-lock.json": "{}", "packages/a/package.json": `{"name": "a"}`, "packages/a/index.js": ""}, want: "package.json package-lock.json packages/a/package.json"},
		"pnpm's workspaces":       {files: files{"package.json": manifest(`"dependencies": {"a": "workspace:*"}`), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n", "pnpm-workspace.yaml": "packages: ['libs/**', '!libs/old']\n", "libs/x/a/package.json": `{"name": "a"}`}, want: "package.json pnpm-lock.yaml pnpm-workspace.yaml libs/x/a/package.json"},
		"prisma":                  {files: files{"package.json": manifest(`"dependencies": {"@prisma/client": "6.0.0"}`), "prisma/schema.prisma": "generator client {\n  provider = \"prisma-client-js\"\n}\n"}, want: "package.json prisma/"},
		"hidden files":            {files: files{"package.json": manifest(""), ".npmrc": "", ".dockerignore": "*\n!package.json\n!src\n"}, want: "package.json"},
		"scripts that do not run": {files: files{"package.json": manifest(`"scripts": {"build": "tsc", "start": "node .", "pretest": "x"}`)}, want: "package.json"},
		"requirements": {files: files{
			"main.py": "", "requirements.txt": "-r requirements/base.txt\nflask==3.0 --hash=sha256:ab \\\n  --hash=sha256:cd\nuvicorn[standard]>=0.30 ; python_version > '3.8'  # fast\n--extra-index-url https://example.test/simple\n",
			"requirements/base.txt": "-c ../constraints.txt\nlib @ git+https://example.test/lib.git@main\n", "constraints.txt": "six<2\n",
		}, want: "requirements.txt requirements/base.txt constraints.txt"},
		"Pipfile":         {files: files{"main.py": "", "Pipfile": "[packages]\nflask = \"*\"\n", "Pipfile.lock": "{}"}, want: "Pipfile Pipfile.lock"},
		"uv":              {files: files{"main.py": "", "pyproject.toml": "[project]\nname = \"a\"\nversion = \"1\"\n", "uv.lock": "version = 1\n", ".python-version": "3.12"}, want: "pyproject.toml uv.lock .python-version"},
		"poetry":          {files: files{"main.py": "", "pyproject.toml": "[tool.poetry]\nname = \"a\"\n", "poetry.lock": ""}, project: deployment.Project{InstallCommand: "pip install poetry && poetry install --no-root --no-interaction"}, want: "pyproject.toml poetry.lock"},
		"pdm":             {files: files{"main.py": "", "pyproject.toml": "[project]\nname = \"a\"\n", "pdm.lock": ""}, project: deployment.Project{InstallCommand: "pip install pdm && pdm install --prod --no-self"}, want: "pyproject.toml pdm.lock"},
		"setuptools":      {files: files{"main.py": "", "pyproject.toml": "[project]\nname = \"a\"\n"}, want: "pyproject.toml"}, // nixpacks' own word
		"go":              {files: files{"main.go": "package main", "go.mod": "module a\n\ngo 1.22\n"}, want: "go.mod"},
		"go's work space": {files: files{"main.go": "package main", "go.mod": "module a\n\ngo 1.22\n", "go.work": "go 1.22\nuse (\n\t.\n\t./b // here\n)\n", "b/go.mod": "module b\n"}, want: "go.mod go.work b/go.mod"},
		"composer":        {files: files{"index.php": "", "composer.json": `{"require": {"php": "^8.2"}, "autoload": {"psr-4": {"App\\": "src/"}}}`, "composer.lock": `{"packages": [{"type": "library"}]}`}, want: "composer.json composer.lock"},
		"own plain npm":   {files: files{"package.json": manifest("")}, project: deployment.Project{InstallCommand: "npm install --omit=dev --no-audit && npm i -g serve@14"}, want: "package.json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile := planFiles(t, writeRepo(t, test.files), test.project)
			require.Empty(t, plan.InstallReadsAll)
			require.Equal(t, test.want, strings.Join(plan.InstallFiles, " "))
			require.Equal(t, strings.Join(plan.InstallFiles, ", "), plan.InstallCopies())
			_, install, found := strings.Cut(dockerfile, "# install\n")
			require.True(t, found)
			require.NotRegexp(t, `(?s)^COPY \. `, install, "the first thing an install gets is everything")
			require.Regexp(t, `(?s)RUN .*COPY \. /app\n`, install)
		})
	}
}

func TestInstall_CopiesEverything(t *testing.T) {
	t.Parallel()
	npm := func(fields string, more files) files {
		all := files{"package.json": manifest(fields)}
		maps.Copy(all, more)
		return all
	}
	workspace := func(member string, more files) files {
		all := npm(`"workspaces": ["packages/*"]`, files{"packages/a/package.json": member})
		maps.Copy(all, more)
		return all
	}
	python := func(requirements string) files { return files{"main.py": "", "requirements.txt": requirements} }
	uv := func(text string) files {
		return files{"main.py": "", "uv.lock": "version = 1\n", "pyproject.toml": "[project]\nname = \"a\"\nversion = \"1\"\n" + text}
	}
	golang := func(mod string, more files) files {
		all := files{"main.go": "package main", "go.mod": "module a\n\ngo 1.22\n" + mod}
		maps.Copy(all, more)
		return all
	}
	composer := func(fields, lock string) files {
		return files{"index.php": "", "composer.json": `{"require": {"php": "^8.2"}` + fields + `}`, "composer.lock": lock}
	}
	const noPackages = `{"packages": []}`
	tests := map[string]struct {
		files   files
		command string
		want    string
	}{
		"postinstall":          {files: npm(`"scripts": {"postinstall": "node x.js"}`, nil), want: "package.json has the script postinstall"},
		"prepare":              {files: npm(`"scripts": {"prepare": "tsc"}`, nil), want: "package.json has the script prepare"},
		"dependencies script":  {files: npm(`"scripts": {"dependencies": "x"}`, nil), want: "package.json has the script dependencies"},
		"binding.gyp":          {files: npm("", files{"binding.gyp": "{}"}), want: "an install reads binding.gyp, which may read any file"},
		"file:":                {files: npm(`"dependencies": {"a": "file:../a"}`, nil), want: "package.json depends on file:../a"},
		"link:":                {files: npm(`"devDependencies": {"a": "link:./a"}`, nil), want: "package.json depends on link:./a"},
		"tarball":              {files: npm(`"dependencies": {"a": "a-1.0.tgz"}`, nil), want: "package.json depends on a-1.0.tgz"},
		"override":             {files: npm(`"overrides": {"a": {"b": "./b.tgz"}}`, nil), want: "package.json depends on ./b.tgz"},
		"resolution":           {files: npm(`"resolutions": {"a": "patch:a@1#./p/a.patch"}`, nil), want: "package.json depends on patch:a@1#./p/a.patch"},
		"patch that is absent": {files: npm(`"pnpm": {"patchedDependencies": {"a": "patches/a.patch"}}`, files{"pnpm-lock.yaml": ""}), want: "patches/a.patch is not there"},
		"injected":             {files: npm(`"dependenciesMeta": {"a": {"injected": true}}`, nil), want: "package.json injects a workspace into another"},
		"npmrc's key":          {files: npm("", files{".npmrc": "node-options=--require ./x.js\n"}), want: ".npmrc sets node-options"},
		"npmrc's file":         {files: npm("", files{".npmrc": "whatever = \"certs/ca.pem\"\n", "certs/ca.pem": ""}), want: ".npmrc names certs/ca.pem"},
		"yarnrc's file":        {files: npm("", files{"yarn.lock": "", ".yarnrc": "yarn-offline-mirror \"./mirror\"\n", "mirror/a.tgz": ""}), want: ".yarnrc names mirror"},
		"yarn's plugin":        {files: npm("", files{"yarn.lock": "", ".yarnrc.yml": "plugins:\n  - path: .yarn/plugins/x.cjs\n    spec: https://example.test/x.js\n", ".yarn/plugins/x.cjs": ""}), want: `.yarnrc.yml names the plugin "https://example.test/x.js", which may read any file`},
		"yarn's cache":         {files: npm("", files{"yarn.lock": "", ".yarnrc.yml": "a: 1\n", ".yarn/cache/a.zip": ""}), want: "the repository holds .yarn/cache, which an install changes"},
		"pnpm's hooks":         {files: npm("", files{"pnpm-lock.yaml": "", ".pnpmfile.cjs": "require('./hooks')"}), want: ".pnpmfile.cjs loads other files"},
		"pnpm's override":      {files: npm("", files{"pnpm-lock.yaml": "", "pnpm-workspace.yaml": "overrides:\n  a: link:./a\n"}), want: "pnpm-workspace.yaml depends on link:./a"},
		"pnpm's lock files":    {files: npm("", files{"pnpm-lock.yaml": "", "pnpm-workspace.yaml": "sharedWorkspaceLockfile: false\n"}), want: "pnpm-workspace.yaml sets sharedWorkspaceLockfile"},
		"bun's preload":        {files: npm("", files{"bun.lock": "", "bunfig.toml": "preload = [\"./setup.ts\"]\n", "setup.ts": ""}), want: "bunfig.toml names setup.ts"},
		"workspace's script":   {files: workspace(`{"scripts": {"install": "x"}}`, nil), want: "packages/a/package.json has the script install"},
		"workspace's bin":      {files: workspace(`{"bin": "cli.js"}`, nil), want: "packages/a/package.json has a bin, which is linked only when its file is there"},
		"workspace's npmrc":    {files: workspace(`{}`, files{"packages/a/.npmrc": ""}), want: "a workspace has a .npmrc of its own, packages/a/.npmrc"},
		"odd name":             {files: workspace(`{}`, files{"packages/[a]/package.json": "{}"}), want: `the name of "packages/[a]/package.json" cannot be copied by itself`},
		"prisma elsewhere":     {files: npm(`"dependencies": {"prisma": "6"}`, nil), want: "prisma makes a client from its schema when it is installed, and that is not known to be prisma/schema.prisma alone"},
		"prisma's generator":   {files: npm(`"dependencies": {"prisma": "6"}`, files{"prisma/schema.prisma": "generator x {\n  provider = \"node ./gen.js\"\n}\n"}), want: "a generator in prisma/schema.prisma is not prisma's own, or writes into the project"},
		"prisma in the lock":   {files: npm("", files{"yarn.lock": "\"@prisma/client@^6\":\n"}), want: "prisma makes a client from its schema when it is installed, and that is not known to be prisma/schema.prisma alone"},
		"sveltekit":            {files: npm(`"devDependencies": {"@sveltejs/kit": "2"}`, nil), want: "@sveltejs/kit reads svelte.config.js when it is installed"},
		"puppeteer":            {files: npm(`"dependencies": {"puppeteer": "22"}`, files{".puppeteerrc.cjs": ""}), want: "puppeteer reads a configuration of the project when it is installed"},
		"msw":                  {files: npm(`"msw": {"workerDirectory": "public"}`, nil), want: "msw copies a file into the folder that package.json names"},
		"a script":             {files: npm("", nil), command: "./install.sh", want: `the command "./install.sh" may read any file`},
		"npm run":              {files: npm("", nil), command: "npm ci && npm run gen", want: `the command "npm run gen" may read any file`},
		"npm of a folder":      {files: npm("", nil), command: "npm install ./lib", want: `the command "npm install ./lib" may read any file`},
		"npm elsewhere":        {files: npm("", nil), command: "npm ci --prefix web", want: `the command "npm ci --prefix web" may read any file`},
		"a pipe":               {files: npm("", nil), command: "npm ci | tee log", want: `"npm ci | tee log" is more than the plain command of a package manager`},
		"a glob":               {files: npm("", nil), command: "npm ci --loglevel=*", want: `"npm ci --loglevel=*" is more than the plain command of a package manager`},
		"mkdir inside":         {files: npm("", nil), command: "mkdir -p /app/node_modules && npm ci", want: `the command "mkdir -p /app/node_modules" may read any file`},
		"editable":             {files: python("-e .\n"), want: `requirements.txt has the line "-e ."`},
		"a wheel":              {files: python("./x-1.0-py3-none-any.whl\n"), want: `requirements.txt has the line "./x-1.0-py3-none-any.whl"`},
		"a plain wheel":        {files: python("x-1.0-py3-none-any.whl\n"), want: `requirements.txt has the line "x-1.0-py3-none-any.whl"`},
		"a file URL":           {files: python("x @ file:///app/x\n"), want: `requirements.txt has the line "x @ file:///app/x"`},
		"find links":           {files: python("--find-links wheels\nx\n"), want: `requirements.txt has the line "--find-links wheels"`},
		"absent constraints":   {files: python("-c constraints.txt\n"), want: "constraints.txt is not there"},
		"pip of the folder":    {files: python(""), command: "pip install .", want: `the command "pip install ." may read any file`},
		"poetry":               {files: files{"main.py": "", "pyproject.toml": "[tool.poetry]\nname = \"a\"\n", "poetry.lock": ""}, want: "poetry installs the project itself"},
		"uv's package":         {files: uv("[build-system]\nrequires = [\"hatchling\"]\n"), want: "uv installs the project itself"},
		"uv's workspace":       {files: uv("[tool.uv.workspace]\nmembers = [\"libs/*\"]\n"), want: "pyproject.toml depends on a folder or a file"},
		"uv's path":            {files: uv("[tool.uv.sources]\nx = { path = \"x\" }\n"), want: "pyproject.toml depends on a folder or a file"},
		"Pipfile's path":       {files: files{"main.py": "", "Pipfile": "[packages]\nx = {path = \"./x\"}\n"}, want: "the Pipfile depends on a folder or a file"},
		"go's vendor":          {files: golang("", files{"vendor/modules.txt": ""}), want: "the repository holds its modules in vendor"},
		"go's replace":         {files: golang("replace x => ./x\n", nil), want: "go.mod replaces a module by a folder"},
		"no go.sum":            {files: golang("require x v1.0.0\n", nil), want: "go.sum is not there"},
		"go's work space":      {files: golang("", files{"go.work": "use ./b\n", "b/go.mod": "module b\nreplace x => ../x\n"}), want: "b/go.mod replaces a module by a folder"},
		"composer's scripts":   {files: composer(`, "scripts": {"post-install-cmd": "x"}`, noPackages), want: "composer.json has scripts"},
		"composer's path":      {files: composer(`, "repositories": [{"type": "path", "url": "x"}]`, noPackages), want: "composer.json names repositories of its own"},
		"composer's classmap":  {files: composer(`, "autoload": {"classmap": ["db"]}`, noPackages), want: "composer.json names folders that are scanned for classes"},
		"composer's plugin":    {files: composer("", `{"packages": [{"type": "composer-plugin"}]}`), want: "a plugin of composer is among the packages"},
		"composer's setting":   {files: composer(`, "config": {"vendor-dir": "lib"}`, noPackages), want: "composer.json has settings that may lead to other files"},
		"mix":                  {files: files{"mix.exs": "defmodule A do\nend\n"}, want: `the command "mix local.hex --force" may read any file`},
		"a phase before it":    {files: npm("", files{"nixpacks.toml": "[phases.setup]\ncmds = [\"echo hi\"]\n"}), want: "the phase setup runs before it and gets all files"},
		"a variable":           {files: npm("", files{"nixpacks.toml": "[variables]\nNODE_OPTIONS = \"--require ./x.js\"\n"}), want: "the variable NODE_OPTIONS may lead it to other files"},
		"a secret":             {files: golang("", nil), want: "the variable GOFLAGS may lead it to other files"},
		"a broken ignore list": {files: npm("", files{".dockerignore": "[\n"}), want: "the .dockerignore holds a pattern that cannot be read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var secrets []string
			if name == "a secret" {
				secrets = []string{"GOFLAGS"}
			}
			project := deployment.Project{InstallCommand: test.command}
			plan, dockerfile := planFiles(t, writeRepo(t, test.files), project, secrets...)
			require.Equal(t, test.want, plan.InstallReadsAll)
			require.Empty(t, plan.InstallFiles)
			require.Equal(t, "everything: "+test.want, plan.InstallCopies())
			require.Regexp(t, `(?s)COPY \. /app\nRUN `, dockerfile)
		})
	}
}

func TestInstall_LinksAreNotCopiedAlone(t *testing.T) {
	t.Parallel()
	dir := writeRepo(t, files{"package.json": manifest(""), "shared/npmrc": "fund=false\n"})
	link(t, "shared/npmrc", filepath.Join(dir, ".npmrc"))
	plan, _ := planFiles(t, dir, deployment.Project{})
	require.Equal(t, ".npmrc is not an ordinary file", plan.InstallReadsAll)

	dir = writeRepo(t, files{"main.py": "", "requirements.txt": "-r more/base.txt\n", "other/base.txt": ""})
	link(t, "other", filepath.Join(dir, "more"))
	plan, _ = planFiles(t, dir, deployment.Project{})
	require.Equal(t, "more/base.txt is not an ordinary file", plan.InstallReadsAll)
}

func TestInstall_ManyWorkspacesAreCopiedWhole(t *testing.T) {
	t.Parallel()
	dir := writeRepo(t, files{"package.json": manifest(`"workspaces": ["packages/*"]`)})
	for i := range 50 {
		member := filepath.Join(dir, "packages", "p"+strings.Repeat("x", i))
		require.NoError(t, os.MkdirAll(member, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(member, "package.json"), []byte("{}"), 0o600))
	}
	plan, _ := planFiles(t, dir, deployment.Project{})
	require.Equal(t, "there are more than 40 folders with a package.json", plan.InstallReadsAll)
}

// What an install gets is the only thing before its commands, in one layer for each folder; the rest comes after.
func TestRender_CopiesInstallFilesByFolder(t *testing.T) {
	t.Parallel()
	dockerfile := render(t, `{"buildImage": "base", "start": {"cmd": "./x"}, "phases": {
		"install": {"cmds": ["npm ci"]}, "python:install": {"cmds": ["pip install -r a/r.txt"], "dependsOn": ["install"]},
		"build": {"cmds": ["make"], "dependsOn": ["install", "python:install"]}}}`, func(p *deployment.Plan) {
		p.InstallFiles = []string{"package.json", "a/r.txt", "package-lock.json", ".yarn/releases/"}
	})
	require.Contains(t, dockerfile, `# install
COPY ["package.json", "package-lock.json", "/app/"]
COPY ["a/r.txt", "/app/a/"]
COPY [".yarn/releases/", "/app/.yarn/releases/"]
RUN npm ci

# python:install
RUN pip install -r a/r.txt

# build
COPY . /app
RUN make
`)
}
