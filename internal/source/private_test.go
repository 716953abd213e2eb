package source_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
)

const goodToken = "tok-0123456789"

// onlyWith lets one user and token in.
func onlyWith(user, token string) func(string, string) bool {
	return func(u, p string) bool { return u == user && p == token }
}

// withToken is a repository with a token that was checked for it.
func withToken(t *testing.T, client *source.Client, url, user, token string) deployment.Repository {
	t.Helper()
	return with(t, client, url, deployment.GitCredential{
		Secret: token, CredentialSummary: deployment.CredentialSummary{Kind: deployment.CredentialToken, Username: user},
	})
}

func withKey(t *testing.T, client *source.Client, url, key, knownHosts string) deployment.Repository {
	t.Helper()
	return with(t, client, url, deployment.GitCredential{
		Secret: key, KnownHosts: knownHosts, CredentialSummary: deployment.CredentialSummary{Kind: deployment.CredentialSSHKey},
	})
}

func with(t *testing.T, client *source.Client, url string, given deployment.GitCredential) deployment.Repository {
	t.Helper()
	credential, faults := client.CheckCredential(url, given)
	for _, fault := range faults {
		require.Nil(t, fault)
	}
	return deployment.Repository{URL: url, Credential: &credential}
}

func TestATokenOpensAPrivateRepository(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{Auth: onlyWith("x-token-auth", goodToken)})
	h := newHistory(t, server)
	client := newClient(t, server.URL)
	repo := withToken(t, client, h.repo.URL, "", goodToken)
	commit, branch, err := client.Resolve(t.Context(), repo, deployment.Ref{})
	require.NoError(t, err)
	require.Equal(t, h.third, commit)
	require.Equal(t, "main", branch)
	for _, commit := range []string{h.third, h.first} {
		dir := t.TempDir()
		require.NoError(t, client.Fetch(t.Context(), repo, commit, deployment.Ref{}, dir, nil))
		require.Contains(t, listing(t, dir), "n")
	}
	named := withToken(t, client, h.repo.URL, "me", goodToken)
	_, _, err = client.Resolve(t.Context(), named, deployment.Ref{})
	require.Contains(t, requireFailure(t, err, deployment.ClassUser, "source.credential_refused").Message, "user me")
}

func TestWithoutTheRightTokenThereIsAFix(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{Auth: onlyWith("x-token-auth", goodToken)})
	h := newHistory(t, server)
	client := newClient(t, server.URL)
	_, _, err := client.Resolve(t.Context(), at(h.repo.URL), deployment.Ref{})
	failure := requireFailure(t, err, deployment.ClassUser, "source.auth_required")
	require.Contains(t, failure.Fix, "slipway credentials set")

	wrong := withToken(t, client, h.repo.URL, "", "hunter2hunter2")
	for name, try := range map[string]func() error{
		"resolve": func() error {
			_, _, err := client.Resolve(t.Context(), wrong, deployment.Ref{})
			return err
		},
		"fetch": func() error {
			return client.Fetch(t.Context(), wrong, h.third, deployment.Ref{}, t.TempDir(), nil)
		},
	} {
		err := try()
		failure = requireFailure(t, err, deployment.ClassUser, "source.credential_refused")
		require.Contains(t, failure.Fix, "slipway credentials set", name)
		for _, secret := range wrong.Credential.Secrets() {
			require.NotContains(t, err.Error()+failure.Fix, secret, name)
		}
	}
	_, _, err = client.Resolve(t.Context(), withToken(t, client, server.URL+"/nope.git", "", goodToken), deployment.Ref{})
	failure = requireFailure(t, err, deployment.ClassUser, "source.repository_not_found")
	require.Contains(t, failure.Fix, "may read it")
}

// listener is an HTTP server that notes the credentials it was sent.
type listener struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newListener(t *testing.T, handle http.HandlerFunc) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		if auth := r.Header.Get("Authorization"); auth != "" {
			l.seen = append(l.seen, auth)
		}
		l.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) credentials() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

func asksForCredentials(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("WWW-Authenticate", "Basic")
	w.WriteHeader(http.StatusUnauthorized)
}

func TestACredentialIsSentToItsOwnHostOnly(t *testing.T) {
	t.Parallel()
	elsewhere := newListener(t, asksForCredentials)
	home := newListener(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.RequestURI(), http.StatusFound)
	})
	client := newClient(t, home.URL, elsewhere.URL)
	repo := withToken(t, client, home.URL+"/app.git", "", goodToken)

	t.Run("redirect", func(t *testing.T) {
		t.Parallel()
		_, _, err := client.Resolve(t.Context(), repo, deployment.Ref{})
		failure := requireFailure(t, err, deployment.ClassUser, "source.credential_not_sent")
		require.Contains(t, failure.Message, elsewhere.URL)
		require.NotEmpty(t, home.credentials())
		require.Empty(t, elsewhere.credentials())
	})
	t.Run("another host", func(t *testing.T) {
		t.Parallel()
		moved := deployment.Repository{URL: elsewhere.URL + "/app.git", Credential: repo.Credential}
		var lines []string
		err := client.Fetch(t.Context(), moved, strings.Repeat("1", 40), deployment.Ref{}, t.TempDir(), func(line string) { lines = append(lines, line) })
		failure := requireFailure(t, err, deployment.ClassUser, "source.credential_not_sent")
		require.Contains(t, failure.Fix, "slipway credentials set")
		require.Contains(t, strings.Join(lines, "\n"), "is not sent to "+elsewhere.URL)
		require.Empty(t, elsewhere.credentials())
	})
	t.Run("the same host by ssh", func(t *testing.T) {
		t.Parallel()
		moved := deployment.Repository{URL: "ssh://git@" + strings.TrimPrefix(home.URL, "http://") + "/app.git", Credential: repo.Credential}
		_, _, err := newSSHClient(t).Resolve(t.Context(), moved, deployment.Ref{})
		requireFailure(t, err, deployment.ClassUser, "source.credential_not_sent")
	})
}

func TestAnSSHKeyOpensAPrivateRepository(t *testing.T) {
	t.Parallel()
	git := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, git)
	for name, args := range map[string][]string{"ed25519": {"-t", "ed25519"}, "rsa": {"-t", "rsa", "-b", "2048"}, "rsa in PEM": {"-t", "rsa", "-b", "2048", "-m", "PEM"}, "ecdsa": {"-t", "ecdsa"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, public := sshKey(t, args...)
			server := newSSHD(t, "", []string{"PubkeyAcceptedAlgorithms -ssh-rsa"}, public)
			client := newSSHClient(t)
			url := server.url(h.repo.Dir)
			repo := withKey(t, client, url, strings.ReplaceAll(key, "\n", "\r\n"), server.knownHosts("ed25519", "rsa"))
			commit, _, err := client.Resolve(t.Context(), repo, deployment.Ref{})
			require.NoError(t, err, server.log())
			require.Equal(t, h.third, commit)
			dir := t.TempDir()
			require.NoError(t, client.Fetch(t.Context(), repo, h.first, deployment.Ref{}, dir, nil), server.log())
			require.Equal(t, "-rw-r--r-- 1", listing(t, dir)["n"])

			onlyRSA := withKey(t, client, url, key, server.knownHosts("rsa"))
			_, _, err = client.Resolve(t.Context(), onlyRSA, deployment.Ref{})
			require.NoError(t, err, "the host key that is known is the one that is asked for: %s", server.log())
		})
	}
}

func TestAKeyThatTheServerDoesNotKnow(t *testing.T) {
	t.Parallel()
	git := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, git)
	_, public := sshKey(t, "-t", "ed25519")
	stranger, strange := sshKey(t, "-t", "ed25519")
	server := newSSHD(t, "", nil, public)
	client := newSSHClient(t)
	repo := withKey(t, client, server.url(h.repo.Dir), stranger, server.knownHosts("ed25519"))
	_, _, err := client.Resolve(t.Context(), repo, deployment.Ref{})
	failure := requireFailure(t, err, deployment.ClassUser, "source.credential_refused")
	require.Contains(t, failure.Message, repo.Credential.Fingerprint)
	require.Contains(t, failure.Fix, "deploy key")
	require.NotEqual(t, public, strange)

	elsewhere := deployment.Repository{URL: server.url(h.repo.Dir), Credential: &deployment.GitCredential{
		Secret: stranger, KnownHosts: server.knownHosts("ed25519"),
		CredentialSummary: deployment.CredentialSummary{Kind: deployment.CredentialSSHKey, Origin: "ssh://git.example.com"},
	}}
	_, _, err = client.Resolve(t.Context(), elsewhere, deployment.Ref{})
	requireFailure(t, err, deployment.ClassUser, "source.credential_not_sent")
}

// pinned is source.HostKeys in memory.
type pinned struct {
	mu    sync.Mutex
	lines map[string]string
}

func (p *pinned) HostKey(_ context.Context, host string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[host], nil
}

func (p *pinned) PinHostKey(_ context.Context, host, line string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines[host] == "" {
		p.lines[host] = line
	}
	return p.lines[host], nil
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	git := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, git)
	key, public := sshKey(t, "-t", "ed25519")
	server, other := newSSHD(t, "", nil, public), newSSHD(t, "", nil, public)
	url := server.url(h.repo.Dir)
	resolve := func(client *source.Client, knownHosts string) error {
		credential := withKey(t, client, url, key, "").Credential
		credential.KnownHosts = knownHosts
		_, _, err := client.Resolve(t.Context(), deployment.Repository{URL: url, Credential: credential}, deployment.Ref{})
		return err
	}
	foreign := strings.ReplaceAll(other.knownHosts("ed25519"), port(other.addr), port(server.addr))

	failure := requireFailure(t, resolve(newSSHClient(t), ""), deployment.ClassUser, "source.host_key_refused")
	require.Contains(t, failure.Message, "not known")
	require.Contains(t, failure.Fix, "ssh-keyscan -p "+port(server.addr)+" 127.0.0.1")
	failure = requireFailure(t, resolve(newSSHClient(t), foreign), deployment.ClassUser, "source.host_key_refused")
	require.Contains(t, failure.Message, "not the one that is known")

	keys := &pinned{lines: map[string]string{}}
	trusting := newSSHClient(t, func(o *source.Options) { o.AcceptNewHostKeys = keys })
	requireFailure(t, resolve(trusting, foreign), deployment.ClassUser, "source.host_key_refused")
	require.Empty(t, keys.lines, "a host whose keys were given is not new")
	require.NoError(t, resolve(trusting, ""))
	require.Contains(t, keys.lines[server.addr], "ssh-")
	require.NoError(t, resolve(trusting, ""), "it is remembered")

	keys.lines[server.addr] = foreign
	requireFailure(t, resolve(trusting, ""), deployment.ClassUser, "source.host_key_refused")
	require.NoError(t, resolve(trusting, server.knownHosts("ed25519")), "what is given with the credential counts")

	late := &latePin{pinned{lines: map[string]string{}}, foreign}
	requireFailure(t, resolve(newSSHClient(t, func(o *source.Options) { o.AcceptNewHostKeys = late }), ""), deployment.ClassUser, "source.host_key_refused")
}

// latePin is HostKeys of which another process is quicker.
type latePin struct {
	pinned
	first string
}

func (p *latePin) PinHostKey(ctx context.Context, host, _ string) (string, error) {
	return p.pinned.PinHostKey(ctx, host, p.first)
}

func port(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

func TestAWrongTokenIsTriedOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := newListener(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		asksForCredentials(w, r)
	})
	client := newClient(t, server.URL)
	_, _, err := client.Resolve(t.Context(), withToken(t, client, server.URL+"/app.git", "", goodToken), deployment.Ref{})
	requireFailure(t, err, deployment.ClassUser, "source.credential_refused")
	require.EqualValues(t, 1, asked.Load())
}
