package planner_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

// site plans and really builds a folder, as the worker does, with the base images made from Debian's packages.
type site struct {
	t       *testing.T
	dir     string
	rootDir string // "" for the repository's root
	planner *planner.Planner
	stack   *buildkittest.Stack
	builder *buildkit.Builder
	scope   string // also a secret, so that no step is in the cache whatever ran before
}

func newSite(t *testing.T, stack *buildkittest.Stack, o planner.Overrides, files map[string]string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), stack: stack, builder: stack.Builder(t), scope: uuid.NewString()}
	s.planner = planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Overrides: o, Now: today})
	for name, content := range files {
		s.write(name, content)
	}
	return s
}

func (s *site) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, []byte(content), 0o644))
}

// build returns the plan, what the solve did and what it printed.
func (s *site) build() (*deployment.Plan, deployment.BuildOutcome, string) {
	s.t.Helper()
	plan, dockerfile, err := s.planner.Plan(s.t.Context(), s.dir, deployment.Project{RootDir: s.rootDir}.WithDefaults(), nil)
	require.NoError(s.t, err)
	id := uuid.NewString()
	log := &transcript{}
	out, err := s.builder.Solve(s.t.Context(), deployment.BuildRequest{
		Ref: id, ContextDir: filepath.Join(s.dir, plan.ContextDir()), Dockerfile: dockerfile, Ignore: plan.Ignore, Image: s.stack.Registry + "/test:" + id, CacheScope: s.scope,
		Secrets: map[string]string{"SITE": s.scope},
	}, log)
	require.NoError(s.t, err, log.String())
	return plan, out, log.String()
}

// transcript is a sink that keeps the lines.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *transcript) Line(_, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(text + "\n")
}
func (*transcript) Progress(deployment.Progress)  {}
func (*transcript) Vertex(deployment.BuildVertex) {}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// cached tells whether the step that runs command came from cache.
func cached(t *testing.T, out deployment.BuildOutcome, command string) bool {
	t.Helper()
	for _, v := range out.Vertices {
		if strings.Contains(v.Name, "] RUN ") && strings.Contains(v.Name, command) {
			return v.Cached
		}
	}
	require.Failf(t, "no such step", "%s in %v", command, out.Vertices)
	return false
}

func debianBase(t *testing.T) planner.Overrides {
	t.Helper()
	o, err := planner.LoadOverrides(filepath.Join("..", "..", "deploy", "overrides", "airgapped.yaml"))
	require.NoError(t, err)
	return o
}

// lock is an npm lock file with a package; each call's is another.
func lock() string {
	return `{"name": "site", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {
"": {"name": "site", "version": "1.0.0", "license": "` + uuid.NewString() + `", "dependencies": {"ms": "2.0.0"}},
"node_modules/ms": {"version": "2.0.0", "integrity": "sha512-Tpp60P6IUJDTuOq/5Z8cdskzJujfwqfOTkrwIwj7IRISpnkJnT6SyJ4PCPnGMoFjC9ddhal5KVIYtAt97ix05A=="}}}`
}

// scripts returns a package.json with scripts besides start and build; the build shows that the installed package is there.
func scripts(more string) string {
	return `{"name": "site", "version": "1.0.0", "dependencies": {"ms": "2.0.0"},
"scripts": {"start": "node index.js", "build": "node -p 'require(\"ms\")(\"2 days\")'"` + more + `}}`
}

func TestBuilt(t *testing.T) {
	t.Parallel()
	stack := buildkittest.Start(t)

	t.Run("install", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, stack, debianBase(t), map[string]string{"package.json": scripts(""), "package-lock.json": lock(), "index.js": "one()\n"})
		plan, out, said := s.build()
		require.NotEmpty(t, plan.InstallFiles)
		require.False(t, cached(t, out, "npm ci"))
		require.Contains(t, said, "172800000")

		s.write("index.js", "two()\n")
		_, changed, said := s.build()
		require.True(t, cached(t, changed, "npm ci"), "a line of the source is nothing to an install")
		require.False(t, cached(t, changed, "npm run build"))
		require.Contains(t, said, "172800000")
		require.NotEqual(t, out.Digest, changed.Digest)

		s.write("package-lock.json", lock())
		_, out, _ = s.build()
		require.False(t, cached(t, out, "npm ci"))
	})

	t.Run("install script", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, stack, debianBase(t), map[string]string{
			"package.json": scripts(`, "postinstall": "node tools/generate.js"`), "package-lock.json": lock(), "index.js": "one()\n",
			"tools/generate.js": "require('fs').copyFileSync('words.txt', 'made.txt')\n",
		})
		for range 2 {
			s.write("words.txt", uuid.NewString())
			plan, out, _ := s.build()
			require.Empty(t, plan.InstallFiles)
			require.Contains(t, plan.InstallReadsAll, "postinstall")
			require.False(t, cached(t, out, "npm ci"), "what its script reads has changed")
		}
	})

	t.Run("workspace", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, stack, debianBase(t), map[string]string{
			"package.json": `{"private": true, "workspaces": ["apps/*", "packages/*"]}`,
			"package-lock.json": `{"lockfileVersion": 3, "requires": true, "packages": {"": {"license": "` + uuid.NewString() + `", "workspaces": ["apps/*", "packages/*"]},
"apps/web": {"name": "web", "dependencies": {"@acme/ui": "*"}}, "packages/ui": {"name": "@acme/ui", "version": "1.0.0"},
"node_modules/@acme/ui": {"resolved": "packages/ui", "link": true}, "node_modules/web": {"resolved": "apps/web", "link": true}}}`,
			"packages/ui/package.json": `{"name": "@acme/ui", "version": "1.0.0", "main": "made.js", "scripts": {"build": "cp source.js made.js"}}`,
			"packages/ui/source.js":    "module.exports = 'made by its own build'\n",
			"apps/web/package.json":    `{"name": "web", "scripts": {"build": "node -p 'require(\"@acme/ui\")'", "start": "node index.js"}, "dependencies": {"@acme/ui": "*"}}`,
			"apps/web/index.js":        "one()\n",
		})
		s.rootDir = "apps/web"
		_, _, said := s.build()
		require.Contains(t, said, "made by its own build")
		s.write("packages/ui/source.js", "module.exports = 'made anew'\n")
		_, out, said := s.build()
		require.Contains(t, said, "made anew")
		require.True(t, cached(t, out, "npm ci"), "the workspace is installed from its manifests")
	})

	t.Run("go.work", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, stack, debianBase(t), map[string]string{
			"go.work": "go 1.19\n\nuse (\n\t./api\n\t./lib\n)\n", "lib/go.mod": "module example.com/lib\n\ngo 1.19\n", "lib/lib.go": "package lib\n\nconst Says = \"hello\"\n",
			"api/go.mod":  "module example.com/api\n\ngo 1.19\n",
			"api/main.go": "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Says) }\n",
		})
		s.rootDir = "api"
		plan, out, _ := s.build()
		require.Equal(t, "./out", plan.StartCommand)
		require.False(t, cached(t, out, "go build"))
	})

	t.Run("apt", func(t *testing.T) {
		t.Parallel()
		o := debianBase(t)
		o.ClearPackages = false
		s := newSite(t, stack, o, nil)
		wants := func(packages string) string {
			s.write("nixpacks.toml", `providers = []
[phases.setup]
nixPkgs = []
aptPkgs = [`+packages+`]
[phases.build]
cmds = ["tree --version && echo \"$(find /var/cache/apt /var/lib/apt/lists -type f -size +0 | wc -l) files of apt are in the image\""]
[start]
cmd = "tree"
`)
			_, out, said := s.build()
			require.False(t, cached(t, out, "apt-get install"))
			require.Contains(t, said, "tree v")
			require.Contains(t, said, " 0 files of apt are in the image")
			return said
		}
		fetched := regexp.MustCompile(`Get:\d+ .*(Packages| tree )`)
		require.Len(t, regexp.MustCompile(`Get:\d+ .* tree `).FindAllString(wants(`"tree"`), -1), 1)
		require.NotRegexp(t, fetched, wants(`"tree", "less"`), "archives and lists are in the project's cache mounts")
	})
}
