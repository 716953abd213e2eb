package registry_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/registry"
)

func TestReadLogins(t *testing.T) {
	t.Parallel()
	auth := base64.StdEncoding.EncodeToString([]byte("me:se:cret"))
	file := filepath.Join(t.TempDir(), "config.json")
	for name, c := range map[string]struct {
		content string
		want    deployment.RegistryLogins
		err     string
	}{
		"as docker login writes it": {
			content: `{"auths": {"https://index.docker.io/v1/": {"auth": "` + auth + `"}, "r.example.com:5000": {"username": "a", "password": "b"}}, "detachKeys": "x"}`,
			want:    deployment.RegistryLogins{"docker.io": {Username: "me", Password: "se:cret"}, "r.example.com:5000": {Username: "a", Password: "b"}},
		},
		"none":            {content: `{}`, want: deployment.RegistryLogins{}},
		"a helper":        {content: `{"credsStore": "pass"}`, err: "no program is run"},
		"helpers":         {content: `{"credHelpers": {"r": "ecr"}}`, err: "no program is run"},
		"not JSON":        {content: `secret`, err: "is no config.json"},
		"not base64":      {content: `{"auths": {"r": {"auth": "se:cret"}}}`, err: "auths of r"},
		"without a name":  {content: `{"auths": {"r": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("secret")) + `"}}}`, err: "not the base64 of user:password"},
		"nothing for one": {content: `{"auths": {"r": {"identitytoken": "secret"}}}`, err: "give auth, or username and password"},
	} {
		require.NoError(t, os.WriteFile(file, []byte(c.content), 0o600))
		got, err := registry.ReadLogins(file)
		if c.err == "" {
			require.NoError(t, err, name)
			require.Equal(t, c.want, got, name)
			continue
		}
		require.ErrorContains(t, err, c.err, name)
		require.NotContains(t, err.Error(), "cret", name)
	}
	_, err := registry.ReadLogins(file + ".none")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, "p", deployment.RegistryLogins{deployment.DockerHub: {Username: "u", Password: "p"}}.For("registry-1.docker.io").Password)
}
