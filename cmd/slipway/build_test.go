package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
)

const fromSlim = "FROM debian:bookworm-slim\n"

// building returns somebody in a folder with a Dockerfile and a buildkitd.
func building(t *testing.T, stack *buildkittest.Stack, dockerfile string) *person {
	t.Helper()
	p := planning(t, folderOf(t, map[string]string{"app/Dockerfile": dockerfile, "app/words": uuid.NewString()}))
	p.vars["BUILDKIT_HOST"] = stack.Address
	return p
}

// overridesFile names base images that are made from Debian's packages.
func overridesFile(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../deploy/overrides/airgapped.yaml")
	require.NoError(t, err)
	return path
}

// entries reads the names and the content of an archive.
func entries(t *testing.T, path string) (names []string, content string) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var all strings.Builder
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return names, all.String()
		}
		require.NoError(t, err)
		names = append(names, header.Name)
		_, err = io.Copy(&all, archive) //nolint:gosec // made a moment ago
		require.NoError(t, err)
	}
}

func TestBuildFolder(t *testing.T) {
	t.Parallel()
	stack := buildkittest.Start(t)

	t.Run("saved, with secrets", func(t *testing.T) {
		t.Parallel()
		p := building(t, stack, fromSlim+"COPY words /words\nRUN --mount=type=secret,id=TOKEN,env=TOKEN --mount=type=secret,id=KEY,env=KEY echo \"with $TOKEN and $KEY\"\nCMD [\"true\"]\n")
		token, key := uuid.NewString(), uuid.NewString()
		p.vars["TOKEN"] = token
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, ".env"), []byte("KEY="+key+"\n"), 0o600))
		code, stdout, stderr := p.run("build", "./app", "--secret", "TOKEN", "--env-file", ".env", "--save", "app.tar", "--tag", "shop:1")
		require.Zero(t, code, stderr)
		require.Regexp(t, `^built in \S+ s, \d of 2 steps from cache\n(context|base) .*build .*export .*\nimage of .* MB in 3 layers\nsaved sha256:[0-9a-f]{64} in app.tar\n$`, stdout)
		require.Contains(t, stderr, "with *** and ***")
		require.NotContains(t, stdout+stderr, token)
		require.NotContains(t, stdout+stderr, key)
		path := filepath.Join(p.dir, "app.tar")
		manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
		require.NoError(t, err)
		require.Equal(t, []string{"shop:1"}, manifest[0].RepoTags)
		_, content := entries(t, path)
		require.NotContains(t, content, token)
		left, err := filepath.Glob(filepath.Join(p.dir, ".app.tar*"))
		require.NoError(t, err)
		require.Empty(t, left)
	})

	t.Run("OCI layout", func(t *testing.T) {
		t.Parallel()
		p := building(t, stack, fromSlim+"COPY words /words\nCMD [\"true\"]\n")
		code, _, stderr := p.run("build", "./app", "--save", "app.tar", "--save-format", "oci")
		require.Zero(t, code, stderr)
		names, content := entries(t, filepath.Join(p.dir, "app.tar"))
		require.Contains(t, names, "oci-layout")
		require.Contains(t, content, "docker.io/library/app:latest")
	})

	t.Run("pushed", func(t *testing.T) {
		t.Parallel()
		p := building(t, stack, fromSlim+"COPY words /words\nCMD [\"true\"]\n")
		image := stack.Registry + "/test:" + uuid.NewString()
		code, stdout, stderr := p.run("build", "./app", "--push", image, "--output", "json")
		require.Zero(t, code, stderr)
		var got localBuild
		require.NoError(t, json.Unmarshal([]byte(stdout), &got))
		digest, err := stack.Client().Digest(t.Context(), image)
		require.NoError(t, err)
		require.Equal(t, []string{digest, image}, []string{got.Digest, got.Pushed})
		require.Equal(t, "dockerfile", got.Plan.Builder)
		require.Equal(t, 1, got.Build.Steps)
		require.NotEmpty(t, got.Build.Vertices)
	})

	t.Run("only built, as nixpacks plans it", func(t *testing.T) {
		t.Parallel()
		p := planning(t, nodeApp(t))
		p.vars["BUILDKIT_HOST"], p.vars["SLIPWAY_PLAN_OVERRIDES"] = stack.Address, overridesFile(t)
		code, stdout, stderr := p.run("build", "./app", "--no-cache")
		require.Zero(t, code, stderr)
		require.Regexp(t, `(?m)^built in .*\n.*base .*install .*start .*\nit builds; --push or --save make an image of it\n$`, stdout)
	})

	t.Run("a part of a repository", func(t *testing.T) {
		t.Parallel()
		p := planning(t, folderOf(t, map[string]string{
			"ui/package.json": `{"name": "ui", "version": "1.0.0"}`, "ui/index.js": "module.exports = 'its sibling'\n",
			"apps/web/package.json": `{"name": "web", "dependencies": {"ui": "file:../../ui"}, "scripts": {"build": "node -p 'require(\"ui\")'", "start": "node ."}}`,
		}))
		p.vars["BUILDKIT_HOST"], p.vars["SLIPWAY_PLAN_OVERRIDES"] = stack.Address, overridesFile(t)
		code, _, stderr := p.run("build", ".", "--root-dir", "apps/web", "--no-cache")
		require.Zero(t, code, stderr)
		require.Contains(t, stderr, "its sibling\n", "the app's build finds what lies beside it")
	})

	t.Run("a step that fails", func(t *testing.T) {
		t.Parallel()
		p := building(t, stack, fromSlim+"RUN echo before\nRUN echo \"it says $(cat /etc/hostname | wc -l)\"; exit 7\n")
		code, stdout, stderr := p.run("build", "./app", "--save", "app.tar")
		require.Equal(t, exitFailedUser, code, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "error: build.command_failed: RUN echo")
		require.Regexp(t, `  \|    3 \| >>> RUN echo "it says`, stderr)
		require.Contains(t, stderr, "  | it says ")
		require.NoFileExists(t, filepath.Join(p.dir, "app.tar"))
		code, _, stderr = p.run("build", "./app")
		require.Equal(t, exitFailedUser, code, "also when nothing is made of it: "+stderr)
	})

	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		p := building(t, stack, fromSlim+"RUN echo started; sleep 300\n")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var stdout, stderr buffer
		ended := make(chan int, 1)
		go func() { ended <- p.cli(&stdout, &stderr).run(ctx, []string{"build", "./app", "--save", "app.tar"}) }()
		require.Eventually(t, func() bool { return strings.Contains(stderr.String(), " started\n") }, 5*time.Minute, 10*time.Millisecond)
		cancel()
		require.Equal(t, exitInterrupted, <-ended)
		require.Contains(t, stderr.String(), "CANCELED\ninterrupted\n")
		left, err := os.ReadDir(p.dir)
		require.NoError(t, err)
		require.Len(t, left, 1, "only the app's folder")
	})
}

func TestBuildFolder_Refused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no folder":            {nil, exitUsage, []string{"arg"}},
		"push and save":        {[]string{".", "--push", "a/b:1", "--save", "b.tar"}, exitUsage, []string{"--push and --save do not go together"}},
		"tag alone":            {[]string{".", "--tag", "a:1"}, exitUsage, []string{"--tag and --save-format go with --save"}},
		"format":               {[]string{".", "--save", "a", "--save-format", "zip"}, exitUsage, []string{"use docker or oci"}},
		"no buildkitd":         {[]string{"."}, exitUsage, []string{"no buildkitd is named", "fix: docker run -d --name buildkitd"}},
		"not an address":       {[]string{".", "--buildkit", "nonsense://x"}, exitUsage, []string{"--buildkit nonsense://x", "fix: give an address such as unix://"}},
		"a buildkitd away":     {[]string{".", "--buildkit", "unix:///none/sock"}, exitFailedOther, []string{"error: build.builder_unavailable: ", "fix: check that buildkitd runs at unix:///none/sock"}},
		"a secret's value":     {[]string{".", "--secret", "A=b"}, exitUsage, []string{"--secret takes no value", "fix: A=... slipway build . --secret A"}},
		"a secret not set":     {[]string{".", "--secret", "A"}, exitUsage, []string{"--secret A: the environment has no variable of this name"}},
		"no env file":          {[]string{".", "--env-file", "none"}, exitError, []string{"none: no such file"}},
		"no folder to save in": {[]string{".", "--buildkit", "unix:///none/sock", "--save", "none/a.tar"}, exitUsage, []string{"error: --save ", "/none/a.tar: ", "fix: name a file in a folder that is there"}},
		"strict":               {[]string{".", "--buildkit", "unix:///none/sock", "--strict", "all"}, exitFailedUser, []string{"--strict lets no plan pass"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := planning(t, folderOf(t, map[string]string{"Dockerfile": "FROM scratch\n"}))
			code, _, stderr := p.run(append([]string{"build"}, c.args...)...)
			require.Equal(t, c.code, code, stderr)
			for _, part := range c.says {
				require.Contains(t, stderr, part)
			}
		})
	}
}
