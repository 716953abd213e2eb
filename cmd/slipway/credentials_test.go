package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

const keyText = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg==\n-----END OPENSSH PRIVATE KEY-----"

func TestCredentialsSet(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	p := user(t, api)
	p.stdin = "tok-0123\n"
	code, stdout, stderr := p.run("credentials", "set", "-p", "shop", "--username", "me")
	require.Zero(t, code, stderr)
	require.Equal(t, "shop: token for git.example.com as me\n", stdout)
	require.Empty(t, stderr)

	dir := t.TempDir()
	key, hosts := filepath.Join(dir, "deploy-key"), filepath.Join(dir, "known_hosts")
	require.NoError(t, os.WriteFile(key, []byte(keyText+"\n"), 0o600))
	require.NoError(t, os.WriteFile(hosts, []byte("h ssh-ed25519 AAAA\n"), 0o600))
	api.warning = &oapi.GitCredentialWarning{Code: "source.credential_refused", Message: "no such key", Fix: new("add it")}
	code, stdout, stderr = user(t, api).run("credentials", "set", "-p", "shop", key, "--known-hosts", hosts)
	require.Zero(t, code, stderr)
	require.Equal(t, "shop: SSH key SHA256:x for git.example.com\n", stdout)
	require.Equal(t, "warning: it is set, but the server does not let it in: no such key\nfix: add it\n", stderr)

	p.stdin = keyText
	code, _, stderr = p.run("credentials", "set", "-p", "shop", "--kind", "token", "-")
	require.Zero(t, code, stderr)
	quoted := `"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg==\n-----END OPENSSH PRIVATE KEY-----"`
	require.Equal(t, []string{
		`PUT /v1/projects/shop/git-credential {"kind":"token","secret":"tok-0123","username":"me"}`,
		`PUT /v1/projects/shop/git-credential {"kind":"ssh_key","known_hosts":"h ssh-ed25519 AAAA\n","secret":` + quoted + `}`,
		`PUT /v1/projects/shop/git-credential {"kind":"token","secret":` + quoted + `}`,
	}, api.requests())
}

func TestCredentialsSetNeedsASecret(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	p := user(t, api)
	p.stdin = "\n"
	code, _, stderr := p.run("credentials", "set", "-p", "shop")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: the secret is empty\nfix: give a file with the token or the private key, or pipe it in\n", stderr)
	code, _, stderr = user(t, api).run("credentials", "set", "-p", "shop", "/nowhere/key")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: read the secret: open /nowhere/key")
	code, _, stderr = user(t, api).run("credentials", "set", "-p", "shop", "a", "b")
	require.Equal(t, exitUsage, code, stderr)
	require.Empty(t, api.requests())
}

func TestCredentialsShowAndRemove(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, stdout, stderr := user(t, api).run("credentials", "show")
	require.Zero(t, code, stderr)
	require.Equal(t, "shop: none\n", stdout)
	code, stdout, _ = user(t, api).run("credentials", "show", "-o", "json")
	require.Zero(t, code)
	require.Equal(t, "null\n", stdout)

	api.projects[0].GitCredential = &oapi.GitCredential{Kind: "token", Host: "git.example.com", Username: new("x-token-auth"), UpdatedAt: noon}
	code, stdout, _ = user(t, api).run("credentials", "show", "-p", "shop")
	require.Zero(t, code)
	require.Equal(t, "shop: token for git.example.com as x-token-auth, not sent: the repository is elsewhere now; set it again\n", stdout)
	code, stdout, _ = user(t, api).run("projects", "show", "shop")
	require.Zero(t, code)
	require.Contains(t, stdout, "git credential:")

	code, _, stderr = user(t, api).run("credentials", "remove", "-p", "shop")
	require.Zero(t, code)
	require.Equal(t, "shop has no credential any more\n", stderr)
	require.Contains(t, api.requests(), "DELETE /v1/projects/shop/git-credential")
}
