package docker_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

// pushed starts a registry on loopback, which the engine reads without TLS, and pushes a fresh image into it.
func pushed(t *testing.T, around func(http.Handler) http.Handler) (ref string) {
	t.Helper()
	img, err := random.Image(256<<10, 3)
	require.NoError(t, err)
	return push(t, img, around)
}

// push does so with an image that is given.
func push(t *testing.T, img v1.Image, around func(http.Handler) http.Handler) (ref string) {
	t.Helper()
	plain := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(plain)
	t.Cleanup(server.Close)
	digest, err := img.Digest()
	require.NoError(t, err)
	repository := strings.TrimPrefix(server.URL, "http://") + "/slipway-test/" + uuid.NewString()
	tag, err := name.NewTag(repository + ":1")
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, img))
	if around != nil {
		front := httptest.NewServer(around(plain))
		t.Cleanup(front.Close)
		repository = strings.Replace(repository, strings.TrimPrefix(server.URL, "http://"), strings.TrimPrefix(front.URL, "http://"), 1)
	}
	ref = repository + "@" + digest.String()
	t.Cleanup(func() { _, _ = api.ImageRemove(context.Background(), ref, image.RemoveOptions{}) })
	return ref
}

func TestPullByDigestReportsBytes(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	var requests atomic.Int32
	ref := pushed(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests.Add(1); next.ServeHTTP(w, r) })
	})
	var last deployment.Progress
	require.NoError(t, e.Pull(t.Context(), ref, func(p deployment.Progress) { last = p }))
	require.Equal(t, deployment.PhasePull, last.Phase)
	require.Equal(t, 3, last.Total)
	require.Equal(t, 3, last.Done)
	_, err := api.ImageInspect(t.Context(), ref)
	require.NoError(t, err)

	asked := requests.Load()
	require.NoError(t, e.Pull(t.Context(), ref, nil))
	require.Equal(t, asked, requests.Load(), "an image that is there was asked for again")
}

func TestPullOfAMissingImage(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	ref := pushed(t, nil)
	missing := ref[:len(ref)-64] + strings.Repeat("0", 64)
	f := failureOf(t, e.Pull(t.Context(), missing, nil))
	require.Equal(t, "release.image_missing", f.Code, f.Message)
	require.Equal(t, deployment.ClassPlatform, f.Class)
}

func TestPullReturnsTheErrorInsideTheStream(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	ref := pushed(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") && r.Method == http.MethodGet {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	failureOf(t, e.Pull(t.Context(), ref, nil))
	_, err := api.ImageInspect(t.Context(), ref)
	require.Error(t, err)
}

func TestPullLogsIn(t *testing.T) {
	t.Parallel()
	ref := pushed(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "slipway" || password != "secret" {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	f := failureOf(t, newEngine(t).Pull(t.Context(), ref, nil))
	require.Equal(t, "release.pull_denied", f.Code, f.Message)

	var asked string
	e := newEngine(t, func(o *docker.Options) {
		o.Credentials = func(_ context.Context, host string) (string, string, error) {
			asked = host
			return "slipway", "secret", nil
		}
	})
	require.NoError(t, e.Pull(t.Context(), ref, nil))
	require.Equal(t, ref[:strings.Index(ref, "/")], asked)
}

func TestPullEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	stuck := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ref := pushed(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel(); <-stuck })
	})
	t.Cleanup(func() { close(stuck) }) // before the server is closed, which waits for the handler
	require.ErrorIs(t, e.Pull(ctx, ref, nil), context.Canceled)
}

func TestPullOfAnUnreachableRegistryIsTransient(t *testing.T) {
	t.Parallel()
	f := failureOf(t, newEngine(t).Pull(t.Context(), "127.0.0.1:1/slipway-test/app@sha256:"+strings.Repeat("0", 64), nil))
	require.Equal(t, "release.pull_failed", f.Code)
	require.Equal(t, deployment.ClassTransient, f.Class)
}

// What was pulled ahead is not pulled again, and goes without what stands upon it.
func TestPullOfAnImageUponABaseThatIsThere(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	var blobs sync.Map // by path, how often
	plain := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			n, _ := blobs.LoadOrStore(r.URL.Path, new(atomic.Int32))
			n.(*atomic.Int32).Add(1)
		}
		plain.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	repository := strings.TrimPrefix(server.URL, "http://") + "/slipway-test/" + uuid.NewString()
	base, err := random.Image(256<<10, 3)
	require.NoError(t, err)
	id := uuid.NewString()
	ahead, err := mutate.Config(base, v1.Config{Labels: map[string]string{docker.LabelProject: "p", docker.LabelDeployment: id}})
	require.NoError(t, err)
	own, err := random.Layer(1<<10, types.DockerLayer)
	require.NoError(t, err)
	app, err := mutate.AppendLayers(base, own)
	require.NoError(t, err)
	refs := map[string]string{}
	for tag, img := range map[string]v1.Image{"base": ahead, "app": app} {
		at, err := name.NewTag(repository + ":" + tag)
		require.NoError(t, err)
		require.NoError(t, remote.Write(at, img))
		digest, err := img.Digest()
		require.NoError(t, err)
		refs[tag] = repository + "@" + digest.String()
		t.Cleanup(func() { _, _ = api.ImageRemove(context.Background(), refs[tag], image.RemoveOptions{}) })
	}
	require.NoError(t, e.Pull(t.Context(), refs["base"], nil))
	require.NoError(t, e.Pull(t.Context(), refs["app"], nil))
	layers, err := base.Layers()
	require.NoError(t, err)
	for _, layer := range layers {
		digest, err := layer.Digest()
		require.NoError(t, err)
		n, asked := blobs.Load("/v2/" + strings.SplitN(repository, "/", 2)[1] + "/blobs/" + digest.String())
		require.True(t, asked)
		require.Equal(t, int32(1), n.(*atomic.Int32).Load())
	}
	bases, err := e.BaseImages(t.Context())
	require.NoError(t, err)
	want := deployment.Resource{Kind: deployment.ResourceBaseImage, Name: refs["base"], Host: "host-1", DeploymentID: id}
	require.Contains(t, bases, want)
	require.NoError(t, e.RemoveImage(t.Context(), refs["base"]))
	_, err = api.ImageInspect(t.Context(), refs["base"])
	require.Error(t, err)
	stands, err := api.ImageInspect(t.Context(), refs["app"])
	require.NoError(t, err)
	require.Len(t, stands.RootFS.Layers, len(layers)+1)
}
