package registry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/registry"
)

// What one repository has is not sent again to another: of an image on a known base only what is its own.
func TestShare_ALayerIsSentOnce(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	var sent atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/blobs/uploads/") {
			sent.Add(1)
		}
		s.server.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	s.Client = registry.Client{Host: strings.TrimPrefix(web.URL, "http://"), Insecure: true}

	base := s.image()
	require.NoError(t, s.push("slipway/base:1", base))
	require.EqualValues(t, 2, sent.Swap(0), "its layer and its configuration")
	layers, err := base.Layers()
	require.NoError(t, err)
	app := s.image(layers...)
	require.NoError(t, s.push("app:1", app))
	require.EqualValues(t, 2, sent.Swap(0), "without the base")
	require.NoError(t, s.push("other:1", app))
	require.Zero(t, sent.Load(), "all of it is there")

	require.NoError(t, s.Delete(t.Context(), "slipway/base:1"))
	require.NoError(t, s.Delete(t.Context(), "other:1"))
	s.age()
	s.sweep()
	require.NoError(t, s.whole("app:1"), "it has the base, whoever brought it")
}

// A layer that is not there, and what the library refuses, are as they would be without.
func TestShare_OnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	base := s.image()
	require.NoError(t, s.push("slipway/base:1", base))
	layers, err := base.Layers()
	require.NoError(t, err)
	known, err := layers[0].Digest()
	require.NoError(t, err)
	unknown := "sha256:" + strings.Repeat("0badc0de", 8)
	for path, want := range map[string]int{
		"app/blobs/" + known.String():                  http.StatusOK,
		"app/blobs/" + unknown:                         http.StatusNotFound,
		"app/blobs/" + known.String() + "0":            http.StatusBadRequest,
		"../" + uuid.NewString() + "/blobs/" + unknown: http.StatusNotFound,
		"App/blobs/" + known.String():                  http.StatusNotFound,
		"%2e%2e/%2e%2e/x/blobs/" + known.String():      http.StatusNotFound,
	} {
		response, err := http.Head("http://" + s.Host + "/v2/" + path)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, want, response.StatusCode, path)
	}
	require.NoDirExists(t, s.dir+"/docker/registry/v2/repositories/App")
	require.NoDirExists(t, s.dir+"/docker/registry/v2/x")
}
