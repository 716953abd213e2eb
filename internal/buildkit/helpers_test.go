package buildkit_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// transcript is a sink that keeps everything and lets a test wait for a line.
type transcript struct {
	mu       sync.Mutex
	lines    []deployment.LogLine
	progress []deployment.Progress
	vertices []deployment.BuildVertex
}

func (s *transcript) Line(stream, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, deployment.LogLine{Stream: stream, Text: text})
}

func (s *transcript) Progress(p deployment.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = append(s.progress, p)
}

func (s *transcript) Vertex(v deployment.BuildVertex) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vertices = append(s.vertices, v)
}

// number is what a line of a vertex begins with. It differs from run to run: BuildKit also shows a build the vertices that it shares
// with builds beside it.
var number = regexp.MustCompile(`^#\d+ `)

// text returns all lines, each with its stream and "#n" for the number of its vertex.
func (s *transcript) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(l.Stream + ": " + number.ReplaceAllString(l.Text, "#n ") + "\n")
	}
	return b.String()
}

func (s *transcript) saw(text string) func() bool {
	return func() bool { return strings.Contains(s.text(), text) }
}

// request returns a build of a Dockerfile with a context of the given files, under names that are its own.
func request(t *testing.T, dockerfile string, files map[string]string) deployment.BuildRequest {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	id := uuid.NewString()
	return deployment.BuildRequest{
		Ref: id, ContextDir: dir, Dockerfile: dockerfile,
		Image: stack.Registry + "/test:" + id, CacheScope: id,
	}
}

func pull(t *testing.T, image string) v1.Image {
	t.Helper()
	ref, err := name.ParseReference(image, name.Insecure)
	require.NoError(t, err)
	img, err := remote.Image(ref)
	require.NoError(t, err)
	return img
}

// processes returns the ids of processes whose command line holds mark.
func processes(t *testing.T, mark string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var found []string
	for _, e := range entries {
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && strings.Contains(string(line), mark) {
			found = append(found, e.Name())
		}
	}
	return found
}

// files lists the names in the layers of an image but for those of Debian's base image, which take seconds to unpack under the race
// detector.
func files(t *testing.T, image string) (found []string) {
	t.Helper()
	base := digests(t, pull(t, stack.Registry+"/library/debian:bookworm-slim"))
	img := pull(t, image)
	layers, err := img.Layers()
	require.NoError(t, err)
	for n, digest := range digests(t, img) {
		if !slices.Contains(base, digest) {
			found = append(found, filesIn(t, layers[n])...)
		}
	}
	return found
}

// digests are those of an image's layers.
func digests(t *testing.T, img v1.Image) (all []v1.Hash) {
	t.Helper()
	manifest, err := img.Manifest()
	require.NoError(t, err)
	for _, layer := range manifest.Layers {
		all = append(all, layer.Digest)
	}
	return all
}

func filesIn(t *testing.T, layer v1.Layer) (found []string) {
	t.Helper()
	for entries := tar.NewReader(strings.NewReader(contentOf(t, layer))); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		found = append(found, strings.TrimSuffix(strings.TrimPrefix(header.Name, "./"), "/"))
	}
}

// contentOf returns a layer's tar.
func contentOf(t *testing.T, layer v1.Layer) string {
	t.Helper()
	content, err := layer.Uncompressed()
	require.NoError(t, err)
	defer func() { require.NoError(t, content.Close()) }()
	data, err := io.ReadAll(content)
	require.NoError(t, err)
	return string(data)
}
