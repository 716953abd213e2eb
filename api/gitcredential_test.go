package api_test

import (
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

const goodToken = "tok-0123456789"

// newPrivateWorld is a world with a project of a private repository that goodToken opens.
func newPrivateWorld(t *testing.T) *world {
	t.Helper()
	git := gitservetest.New(t, gitserve.Options{Auth: func(_, token string) bool { return token == goodToken }})
	repo := git.Repo(t, "app")
	gitservetest.Commit(t, repo, "main", map[string]string{"a": "a"})
	return newWorldOf(t, git.URL, map[string]string{"shop": repo.URL})
}

func credentialBody(t *testing.T, fields map[string]string) string {
	t.Helper()
	body, err := json.Marshal(fields)
	require.NoError(t, err)
	return string(body)
}

func (w *world) gitCredential(project string) *oapi.GitCredential {
	w.t.Helper()
	a := w.call("GET", "/v1/projects/"+project, "")
	require.NotContains(w.t, string(a.body), goodToken)
	var p oapi.Project
	a.into(&p)
	return p.GitCredential
}

func TestGitCredential(t *testing.T) {
	t.Parallel()
	w := newPrivateWorld(t)
	require.Nil(t, w.gitCredential("shop"))
	w.call("DELETE", "/v1/projects/shop/git-credential", "").problem(404)

	a := w.call("PUT", "/v1/projects/shop/git-credential", credentialBody(t, map[string]string{"kind": "token", "secret": goodToken}))
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	var set oapi.GitCredentialAnswer
	a.into(&set)
	require.Nil(t, set.Warning)
	require.Equal(t, oapi.GitCredentialKindToken, set.GitCredential.Kind)
	require.Equal(t, "x-token-auth", *set.GitCredential.Username)
	require.True(t, set.GitCredential.Active)
	require.NotContains(t, string(a.body), goodToken)
	require.Equal(t, set.GitCredential, w.gitCredential("shop"))
	require.Equal(t, "main", w.productionBranch("shop"), "asked with the credential while it was at hand")
	require.Equal(t, "branch/x", w.deploy("shop", `{"branch":"x"}`).Environment.Name)

	a = w.call("PATCH", "/v1/projects/shop", `{"repo_url":"http://127.0.0.1:1/x.git"}`)
	a.problem(422)
	require.NotContains(t, w.log.String(), goodToken)
	require.Equal(t, http.StatusNoContent, w.call("DELETE", "/v1/projects/shop/git-credential", "").status)
	require.Nil(t, w.gitCredential("shop"))
}

func TestGitCredential_ThatTheServerRefusesIsSetWithAWarning(t *testing.T) {
	t.Parallel()
	w := newPrivateWorld(t)
	var set oapi.GitCredentialAnswer
	w.call("PUT", "/v1/projects/shop/git-credential", credentialBody(t, map[string]string{"kind": "token", "secret": "hunter2hunter2", "username": "me"})).into(&set)
	require.Equal(t, "source.credential_refused", set.Warning.Code)
	require.NotEmpty(t, *set.Warning.Fix)
	require.NotContains(t, set.Warning.Message, "hunter2")
	require.Equal(t, "me", *set.GitCredential.Username)

	p := w.call("POST", "/v1/projects/shop/deployments", `{"branch":"main"}`).problem(422)
	require.Equal(t, "environment", *p.Field)
	require.Contains(t, *p.Fix, "production_branch")
	require.Equal(t, "production", w.deploy("shop", `{}`).Environment.Name)
}

func TestGitCredential_OfAServerThatIsAway(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(away.Close)
	w := newWorldOf(t, away.URL, map[string]string{"shop": away.URL + "/app.git"})
	var set oapi.GitCredentialAnswer
	w.call("PUT", "/v1/projects/shop/git-credential", credentialBody(t, map[string]string{"kind": "token", "secret": goodToken})).into(&set)
	require.Equal(t, "source.unreachable", set.Warning.Code)
	require.Equal(t, "repository_unreachable", w.call("POST", "/v1/projects/shop/deployments", `{"branch":"main"}`).problem(503).Code)
}

func TestGitCredential_DoesNotFollowTheProjectElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	set := w.call("PUT", "/v1/projects/shop/git-credential", credentialBody(t, map[string]string{"kind": "token", "secret": goodToken}))
	require.Equal(t, http.StatusOK, set.status, "%s", set.body)
	require.Equal(t, "git.example.com", w.gitCredential("shop").Host)
	require.True(t, w.gitCredential("shop").Active)
	require.Equal(t, http.StatusOK, w.call("PATCH", "/v1/projects/shop", `{"repo_url":"https://other.example.com/app.git"}`).status)
	require.Equal(t, "git.example.com", w.gitCredential("shop").Host)
	require.False(t, w.gitCredential("shop").Active)
}

func TestGitCredential_BadInput(t *testing.T) {
	t.Parallel()
	w := newPrivateWorld(t)
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("hunter2"))
	require.NoError(t, err)
	const path = "/v1/projects/shop/git-credential"
	for name, test := range map[string]struct {
		fields map[string]string
		field  string
	}{
		"kind":                    {map[string]string{"kind": "password", "secret": "hunter2"}, "kind"},
		"no kind":                 {map[string]string{"secret": "hunter2"}, "kind"},
		"no secret":               {map[string]string{"kind": "token"}, "secret"},
		"empty secret":            {map[string]string{"kind": "token", "secret": ""}, "secret"},
		"long secret":             {map[string]string{"kind": "token", "secret": string(make([]byte, 20<<10))}, "secret"},
		"line break":              {map[string]string{"kind": "token", "secret": "hunter2\nhunter2"}, "secret"},
		"unknown field":           {map[string]string{"kind": "token", "secret": "hunter2", "password": "hunter2"}, "password"},
		"key for an http URL":     {map[string]string{"kind": "ssh_key", "secret": "hunter2"}, "kind"},
		"known hosts and a token": {map[string]string{"kind": "token", "secret": "hunter2", "known_hosts": "x"}, "known_hosts"},
		"user name":               {map[string]string{"kind": "token", "secret": "hunter2", "username": "a:b"}, "username"},
	} {
		p := w.call("PUT", path, credentialBody(t, test.fields)).problem(422)
		require.Equal(t, test.field, *p.Field, name)
		require.NotEmpty(t, *p.Fix, name)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.NotContains(t, string(text), "hunter2", name)
	}
	p := w.call("PUT", path, credentialBody(t, map[string]string{"kind": "ssh_key", "secret": string(pem.EncodeToMemory(block)), "known_hosts": "?"})).problem(422)
	require.Len(t, p.Errors, 2, "every fault is named")
	require.Equal(t, "secret", p.Errors[1].Field)
	require.Contains(t, p.Errors[1].Detail, "passphrase")
	w.call("PUT", "/v1/projects/nope/git-credential", `{"kind":"token","secret":"hunter2"}`).problem(404)
	require.Nil(t, w.gitCredential("shop"))
	require.NotContains(t, w.log.String(), "hunter2")
}
