package compose_test

import (
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/stretchr/testify/require"
	"github.com/tonistiigi/fsutil"

	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// bases are the images that a machine without public registries makes for itself (deploy/images).
var bases = map[string]string{
	"build-arg:GO_IMAGE": "docker.io/slipway/base:bookworm", "build-arg:DEBIAN_IMAGE": "docker.io/library/debian:bookworm-slim",
}

// workshop builds images on the test bed's buildkitd and puts them on the Docker engine.
type workshop struct {
	stack  *buildkittest.Stack
	client *client.Client
	dir    string // of programs that images are made with
}

func openWorkshop(t *testing.T, dir string) *workshop {
	t.Helper()
	stack := buildkittest.StartKept(t, buildkittest.KeptImages)
	c, err := client.New(t.Context(), stack.Address)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return &workshop{stack: stack, client: c, dir: dir}
}

// image is what to build: a stage of a Dockerfile in a context, with folders that replace other stages.
type image struct {
	name, context, dockerfile, target string
	replaced                          map[string]string // stage → folder
}

func (w *workshop) build(t *testing.T, i image) {
	t.Helper()
	attrs := maps.Clone(bases)
	attrs["filename"], attrs["target"], attrs["cmdline"] = filepath.Base(i.dockerfile), i.target, "slipway"
	mounts := map[string]fsutil.FS{"context": folder(t, i.context), "dockerfile": folder(t, filepath.Dir(i.dockerfile))}
	for stage, dir := range i.replaced {
		attrs["context:"+stage] = "local:" + stage
		mounts[stage] = folder(t, dir)
	}
	pushed := w.stack.Registry + "/" + i.name
	log, err := os.Create(filepath.Join(w.dir, i.target+".log"))
	require.NoError(t, err)
	defer log.Close()
	status, told := make(chan *client.SolveStatus), make(chan struct{})
	go func() {
		defer close(told)
		for s := range status {
			for _, line := range s.Logs {
				_, _ = log.Write(line.Data)
			}
		}
	}()
	_, err = w.client.Solve(t.Context(), nil, client.SolveOpt{
		Frontend: "dockerfile.v0", FrontendAttrs: attrs, LocalMounts: mounts, SharedKey: "e2e/compose " + i.context,
		Exports: []client.ExportEntry{{Type: client.ExporterImage, Attrs: map[string]string{
			"name": pushed, "push": "true", "registry.insecure": "true", "compression-level": "1",
		}}},
	}, status)
	<-told
	require.NoError(t, err, "build %s: see %s", i.name, log.Name())
	docker(t, "pull", "--quiet", pushed)
	before := docker(t, "images", "--quiet", "--no-trunc", i.name)
	docker(t, "tag", pushed, i.name)
	docker(t, "rmi", pushed)
	if before != docker(t, "images", "--quiet", "--no-trunc", i.name) {
		_ = exec.CommandContext(t.Context(), "docker", "rmi", before).Run() // what was built before has no name now
	}
}

func folder(t *testing.T, dir string) fsutil.FS {
	t.Helper()
	tree, err := fsutil.NewFS(dir)
	require.NoError(t, err)
	return tree
}

// programs gathers what images of the test bed are made with. A file that has not changed stays as it is: BuildKit goes by
// size and time.
func (w *workshop) programs(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(w.dir, "programs")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "out", "bin"), 0o755))
	cache, err := testbed.Cache()
	require.NoError(t, err)
	temporal, err := testbed.Binary("slipway-temporal", "SLIPWAY_TEMPORAL_BIN")
	require.NoError(t, err)
	buildkitd, err := testbed.Binary("buildkitd", "SLIPWAY_BUILDKITD")
	require.NoError(t, err)
	place(t, temporal, filepath.Join(dir, "slipway-temporal"))
	place(t, buildkitd, filepath.Join(dir, "buildkitd"))
	place(t, filepath.Join(cache, "bin", "nixpacks"), filepath.Join(dir, "out", "bin", "nixpacks"))
	registry := exec.Command("go", "build", "-o", filepath.Join(dir, "registry"), "./testdata/registry")
	registry.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := registry.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// place copies a program unless its copy is as old and as long.
func place(t *testing.T, from, to string) {
	t.Helper()
	want, err := os.Stat(from)
	require.NoError(t, err)
	if have, err := os.Stat(to); err == nil && have.Size() == want.Size() && have.ModTime().Equal(want.ModTime()) {
		return
	}
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	require.NoError(t, os.RemoveAll(to))
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.NoError(t, os.Chtimes(to, want.ModTime(), want.ModTime()))
}

// docker runs the engine's own command line and returns what it prints.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	require.NoError(t, err, "docker %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}
