package buildkit_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// A registry that wants a password lets in who has logged in with docker, and only who asks for that.
func TestDockerLogin(t *testing.T) {
	target, err := url.Parse("http://" + stack.Registry)
	require.NoError(t, err)
	behind := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	guarded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "open" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	defer guarded.Close()
	host := strings.TrimPrefix(guarded.URL, "http://")
	config := t.TempDir()
	login := `{"auths": {"` + host + `": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("me:open")) + `"}}}`
	require.NoError(t, os.WriteFile(filepath.Join(config, "config.json"), []byte(login), 0o600))
	t.Setenv("DOCKER_CONFIG", config)

	for _, asked := range []bool{true, false} {
		b, err := buildkit.New(t.Context(), buildkit.Options{Address: stack.Address, RegistryInsecure: true, DockerLogin: asked})
		require.NoError(t, err)
		defer func() { require.NoError(t, b.Close()) }()
		r := request(t, from+"LABEL mark="+uuid.NewString()+"\n", nil)
		r.Image = strings.Replace(r.Image, stack.Registry, host, 1)
		out, err := b.Solve(t.Context(), r, &transcript{})
		if !asked {
			var f *deployment.Failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, "build.push_denied", f.Code)
			continue
		}
		require.NoError(t, err)
		digest, err := stack.Client().Digest(t.Context(), strings.Replace(r.Image, host, stack.Registry, 1))
		require.NoError(t, err)
		require.Equal(t, digest, out.Digest)
	}
}
