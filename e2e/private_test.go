package e2e_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

// privateNet is where the tests' own git servers listen; slipway-dev is told that it may go there.
const privateNet = "127.77.0.0/16"

// privateRepositories serves an app and the submodule that it is built from to those who know the token.
func privateRepositories(t *testing.T, token string) (url string) {
	t.Helper()
	git := gitservetest.New(t, gitserve.Options{}) // for its repositories
	assets, app := git.Repo(t, "assets"), git.Repo(t, "app")
	at := gitservetest.Commit(t, assets, "main", map[string]string{"motto.txt": "from a private submodule"})
	gitservetest.Commit(t, app, "main", map[string]string{
		"index.html":  "from a private repository",
		".gitmodules": "[submodule \"assets\"]\n\tpath = assets\n\turl = ../assets.git\n",
	}, gitservetest.Submodule("assets", at))
	handler, err := gitserve.Handler(gitserve.Options{Root: git.Root, Auth: func(_, given string) bool { return given == token }})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.77.0.1:0")
	require.NoError(t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}} //nolint:gosec // serves this test alone
	server.Start()
	t.Cleanup(server.Close)
	return server.URL + "/app.git"
}

// A private repository and its submodule deploy with the project's credential. Without it, and with a wrong one, the deploy
// ends at once and says what to do.
func TestPrivateRepository(t *testing.T) {
	t.Parallel()
	const token, wrong = "e2e-good-token-0123456789", "e2e-wrong-token-0123456789"
	project := createProject(t, "private", privateRepositories(t, token), nil)
	put := func(secret string) (answer client.GitCredentialAnswer) {
		response := dev.call(t, http.MethodPut, "/v1/projects/"+project+"/git-credential", map[string]any{"kind": "token", "secret": secret}, &answer)
		require.Equal(t, http.StatusOK, response.status)
		return answer
	}
	failsWith := func(code string) {
		d := waitEnd(t, deploy(t, project, nil), "failed")
		require.Equal(t, code, d.Failure.Code, explain(d))
		require.Equal(t, "user", string(d.Failure.Class))
		require.Contains(t, *d.Failure.Fix, "slipway credentials set")
		require.Len(t, stepsOf(t, d.ID), 1, "it is not tried again")
	}
	failsWith("source.auth_required")
	require.Equal(t, "source.credential_refused", put(wrong).Warning.Code)
	failsWith("source.credential_refused")

	require.Nil(t, put(token).Warning)
	d := waitEnd(t, deploy(t, project, nil), "ready")
	status, body := dev.get(t, d.PreviewURL)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "from a private repository")
	_, body = dev.get(t, strings.TrimSuffix(d.PreviewURL, "/")+"/assets/motto.txt")
	require.Contains(t, body, "from a private submodule")

	own, err := os.ReadFile(dev.data + ".log")
	require.NoError(t, err)
	for _, secret := range []string{token, wrong} {
		require.NotContains(t, text(logs(t, d.ID)), secret)
		require.NotContains(t, string(own), secret, "slipway-dev's own log")
	}
}
