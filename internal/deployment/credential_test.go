package deployment_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestACredentialPrintsWithoutItsSecret(t *testing.T) {
	t.Parallel()
	c := deployment.GitCredential{Secret: "hunter2", CredentialSummary: deployment.CredentialSummary{
		Kind: deployment.CredentialToken, Origin: "https://git.example.com:8443", Username: "me",
	}}
	for _, format := range []string{"%v", "%+v", "%s", "%q", "%#v"} {
		require.NotContains(t, fmt.Sprintf(format, c), "hunter2", format)
		require.NotContains(t, fmt.Sprintf(format, &c), "hunter2", format)
	}
	data, err := json.Marshal(deployment.Repository{URL: "https://git.example.com", Credential: &c})
	require.NoError(t, err)
	require.NotContains(t, string(data), "hunter2")
	require.Equal(t, "git.example.com:8443", c.Host())
	require.Equal(t, []string{"hunter2", "bWU6aHVudGVyMg=="}, c.Secrets())
}

func TestACredentialOpensOneOrigin(t *testing.T) {
	t.Parallel()
	for origin, urls := range map[string]map[string]bool{
		"https://git.example.com": {
			"https://git.example.com/a.git": true, "https://GIT.example.com:443/b": true, "http://git.example.com/a.git": false,
			"https://git.example.com:8443/a.git": false, "https://example.com/a.git": false, "https://git.example.com.evil.com/a.git": false,
			"ssh://git@git.example.com/a.git": false, "%": false,
		},
		"ssh://git.example.com": {"git@git.example.com:a.git": true, "ssh://x@git.example.com:22/a": true, "git@example.com:a.git": false},
		"ssh://[::1]:2222":      {"ssh://git@[::1]:2222/a": true, "ssh://git@[::1]/a": false},
	} {
		for url, want := range urls {
			require.Equal(t, want, deployment.CredentialSummary{Origin: origin}.Opens(url), "%s at %s", origin, url)
		}
	}
}

func TestParseRepoURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://git.example.com/team/app.git":   "https git.example.com /team/app.git",
		"ssh://git@git.example.com:22/~/app.git": "ssh git.example.com:22 /~/app.git",
		"git@git.example.com:team/app.git":       "ssh git.example.com team/app.git",
		"deploy@git.example.com:/srv/app.git":    "ssh git.example.com /srv/app.git",
	} {
		u, err := deployment.ParseRepoURL(raw)
		require.NoError(t, err)
		require.Equal(t, want, u.Scheme+" "+u.Host+" "+u.Path)
	}
}
