package registry_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/registry"
)

// serve runs a registry over dir until the test ends and returns a client of it.
func serve(t *testing.T, dir string, logger *slog.Logger) registry.Client {
	t.Helper()
	server, err := registry.New(registry.Options{Dir: dir, Logger: logger})
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return registry.Client{Host: ln.Addr().String(), Insecure: true}
}

// buffer collects log records from the server's goroutines.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// rootfs writes a gzipped tar with the given files and returns its path.
func rootfs(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootfs.tar.gz")
	file, err := os.Create(path)
	require.NoError(t, err)
	zipped := gzip.NewWriter(file)
	entries := tar.NewWriter(zipped)
	require.NoError(t, entries.WriteHeader(&tar.Header{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755}))
	for file, content := range files {
		require.NoError(t, entries.WriteHeader(&tar.Header{Name: file, Size: int64(len(content)), Mode: 0o644}))
		_, err := io.WriteString(entries, content)
		require.NoError(t, err)
	}
	require.NoError(t, entries.Close())
	require.NoError(t, zipped.Close())
	require.NoError(t, file.Close())
	return path
}

func config(t *testing.T, c registry.Client, image string) *v1.ConfigFile {
	t.Helper()
	ref, err := name.ParseReference(c.Host+"/"+image, name.Insecure)
	require.NoError(t, err)
	img, err := remote.Image(ref)
	require.NoError(t, err)
	file, err := img.ConfigFile()
	require.NoError(t, err)
	return file
}

func TestImportRootFS(t *testing.T) {
	t.Parallel()
	c := serve(t, t.TempDir(), nil)
	tarPath := rootfs(t, map[string]string{"etc/os-release": "ID=test\n"})
	want := registry.RootFS{Env: []string{"A=b"}, Shell: []string{"/bin/bash", "-c"}, Cmd: []string{"bash"}}
	require.NoError(t, c.ImportRootFS(t.Context(), "library/test:1", tarPath, want))

	digest, err := c.Digest(t.Context(), c.Host+"/library/test:1")
	require.NoError(t, err)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, digest)
	byDigest, err := c.Digest(t.Context(), c.Host+"/library/test@"+digest)
	require.NoError(t, err)
	require.Equal(t, digest, byDigest)

	got := config(t, c, "library/test:1")
	require.Equal(t, want.Shell, got.Config.Shell)
	require.Equal(t, want.Cmd, got.Config.Cmd)
	require.Contains(t, got.Config.Env, "A=b")
	require.Contains(t, got.Config.Env[0], "PATH=")

	require.NoError(t, c.ImportRootFS(t.Context(), "library/test:again", tarPath, want))
	again, err := c.Digest(t.Context(), "library/test:again")
	require.NoError(t, err)
	require.Equal(t, digest, again, "the same file system must give the same digest")
}

func TestDigestOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	logs := &buffer{}
	c := serve(t, t.TempDir(), slog.New(slog.NewTextHandler(logs, nil)))
	for _, image := range []string{"no/such:tag", c.Host + "/no/such@sha256:" + string(bytes.Repeat([]byte("0"), 64))} {
		digest, err := c.Digest(t.Context(), image)
		require.NoError(t, err)
		require.Empty(t, digest)
	}
	require.Empty(t, logs.String(), "asking for an image that is not there is routine")

	_, err := c.Digest(t.Context(), "NOT a name")
	require.ErrorContains(t, err, "parse image name")
	down := registry.Client{Host: "127.0.0.1:1", Insecure: true}
	_, err = down.Digest(t.Context(), "x/y:z")
	require.ErrorContains(t, err, "look up image x/y:z")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	c := serve(t, t.TempDir(), nil)
	tarPath := rootfs(t, map[string]string{"etc/x": "1"})
	require.NoError(t, c.ImportRootFS(t.Context(), "p/a:1", tarPath, registry.RootFS{}))
	require.NoError(t, c.ImportRootFS(t.Context(), "p/a:2", tarPath, registry.RootFS{}))

	require.NoError(t, c.Delete(t.Context(), "p/a:1"))
	gone, err := c.Digest(t.Context(), "p/a:1")
	require.NoError(t, err)
	require.Empty(t, gone)
	digest, err := c.Digest(t.Context(), "p/a:2")
	require.NoError(t, err)
	require.NotEmpty(t, digest, "another tag of the image stays")

	require.NoError(t, c.Delete(t.Context(), "p/a@"+digest))
	gone, err = c.Digest(t.Context(), "p/a:2")
	require.NoError(t, err)
	require.Empty(t, gone)
	require.NoError(t, c.Delete(t.Context(), "p/a:2"), "what is gone already is no error")
}

func TestImport(t *testing.T) {
	t.Parallel()
	c := serve(t, t.TempDir(), nil)
	img, err := random.Image(1024, 2)
	require.NoError(t, err)
	want, err := img.ConfigName()
	require.NoError(t, err)

	saved := filepath.Join(t.TempDir(), "saved.tar")
	tag, err := name.NewTag("anything:else")
	require.NoError(t, err)
	require.NoError(t, tarball.WriteToFile(saved, tag, img))

	dir := t.TempDir()
	_, err = layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img}))
	require.NoError(t, err)
	layoutTar := filepath.Join(t.TempDir(), "layout.tar")
	file, err := os.Create(layoutTar)
	require.NoError(t, err)
	entries := tar.NewWriter(file)
	require.NoError(t, entries.AddFS(os.DirFS(dir)))
	require.NoError(t, entries.Close())
	require.NoError(t, file.Close())

	for image, path := range map[string]string{"i/saved:1": saved, "i/layout:1": layoutTar} {
		require.NoError(t, c.Import(t.Context(), image, path))
		ref, err := name.ParseReference(c.Host+"/"+image, name.Insecure)
		require.NoError(t, err)
		pushed, err := remote.Image(ref)
		require.NoError(t, err)
		got, err := pushed.ConfigName()
		require.NoError(t, err)
		require.Equal(t, want, got, image)
	}
	require.NoError(t, c.Import(t.Context(), "i/rootfs:1", rootfs(t, map[string]string{"etc/x": "1"})))
	junk := filepath.Join(t.TempDir(), "junk.tar")
	require.NoError(t, os.WriteFile(junk, make([]byte, 1024), 0o600))
	require.ErrorContains(t, c.Import(t.Context(), "i/junk:1", junk), "neither an image")
}

func TestSeed(t *testing.T) {
	t.Parallel()
	c := serve(t, t.TempDir(), nil)
	tarPath := rootfs(t, map[string]string{"etc/x": "1"})
	layer, err := tarball.LayerFromFile(tarPath)
	require.NoError(t, err)
	digest, err := layer.Digest()
	require.NoError(t, err)
	diffID, err := layer.DiffID()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Rename(tarPath, filepath.Join(dir, "base-1.tar.gz")))
	data, err := json.Marshal(map[string]any{"name": "s/base:1", "layer": "base-1.tar.gz", "digest": digest, "diff_id": diffID, "cmd": []string{"bash"}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "base-1.json"), data, 0o600))

	names, err := registry.Seed(t.Context(), c, dir)
	require.NoError(t, err)
	require.Equal(t, []string{"s/base:1"}, names)
	require.Equal(t, []string{"bash"}, config(t, c, "s/base:1").Config.Cmd)

	info, err := os.Stat(filepath.Join(dir, "base-1.tar.gz"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "base-1.tar.gz"), make([]byte, info.Size()), 0o600))
	_, err = registry.Seed(t.Context(), c, dir)
	require.NoError(t, err, "a layer that the registry has is not read again")
	names, err = registry.Seed(t.Context(), c, t.TempDir())
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestTwoServersKeepTheirImagesApart(t *testing.T) {
	t.Parallel()
	before := logrus.StandardLogger().Out
	first, second := t.TempDir(), t.TempDir()
	a, b := serve(t, first, nil), serve(t, second, nil)
	require.NoError(t, a.ImportRootFS(t.Context(), "x/y:1", rootfs(t, map[string]string{"etc/x": "1"}), registry.RootFS{}))
	digest, err := b.Digest(t.Context(), "x/y:1")
	require.NoError(t, err)
	require.Empty(t, digest)
	require.Same(t, before, logrus.StandardLogger().Out)

	reopened := serve(t, first, nil)
	digest, err = reopened.Digest(t.Context(), "x/y:1")
	require.NoError(t, err)
	require.NotEmpty(t, digest, "a restart keeps the images")
}

func TestTags(t *testing.T) {
	t.Parallel()
	c := serve(t, t.TempDir(), nil)
	tags, err := c.Tags(t.Context(), "x/none")
	require.NoError(t, err)
	require.Empty(t, tags)
	root := rootfs(t, map[string]string{"etc/x": "1"})
	for _, tag := range []string{"1", "2"} {
		require.NoError(t, c.ImportRootFS(t.Context(), "x/y:"+tag, root, registry.RootFS{}))
	}
	tags, err = c.Tags(t.Context(), "x/y")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"1", "2"}, tags)
	require.NoError(t, c.Delete(t.Context(), "x/y:1"))
	tags, err = c.Tags(t.Context(), "x/y")
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, tags)
	_, err = registry.Client{Host: "127.0.0.1:1", Insecure: true}.Tags(t.Context(), "x/y")
	require.ErrorContains(t, err, "list tags of x/y")
}

func TestAbandonedUploadsArePurged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	uploads := filepath.Join(dir, "docker", "registry", "v2", "repositories", "p", "a", "_uploads")
	for name, age := range map[string]time.Duration{"old": 48 * time.Hour, "new": time.Minute} {
		require.NoError(t, os.MkdirAll(filepath.Join(uploads, name), 0o755))
		data := filepath.Join(uploads, name, "data")
		require.NoError(t, os.WriteFile(data, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(data, time.Now().Add(-age), time.Now().Add(-age)))
	}
	serve(t, dir, nil)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(uploads, "old"))
		return os.IsNotExist(err)
	}, time.Minute, 10*time.Millisecond)
	require.DirExists(t, filepath.Join(uploads, "new"))
}

func TestNewRefusesWhatCannotBeADirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := registry.New(registry.Options{Dir: file})
	require.ErrorContains(t, err, "open registry")
}
