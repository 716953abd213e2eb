package source_test

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
)

func newKey(t *testing.T) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return key, signer
}

// sshServer serves the repositories under root to the owner of one key and returns its address.
func sshServer(t *testing.T, root string, host ssh.Signer, allowed ssh.PublicKey) string {
	t.Helper()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(allowed.Marshal()) {
			return nil, fmt.Errorf("key is not known")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveSSH(conn, config, root)
		}
	}()
	return listener.Addr().String()
}

func serveSSH(conn net.Conn, config *ssh.ServerConfig, root string) {
	defer func() { _ = conn.Close() }()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for incoming := range channels {
		channel, requests, err := incoming.Accept()
		if err != nil {
			return
		}
		for request := range requests {
			if request.Type != "exec" {
				continue
			}
			_ = request.Reply(true, nil)
			command := strings.Replace(string(request.Payload[4:]), "'/", "'"+root+"/", 1)
			cmd := exec.Command("sh", "-c", command)
			cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
			if stdin, err := cmd.StdinPipe(); err == nil { // not cmd.Stdin: Run would wait for the client to close it
				go func() { _, _ = io.Copy(stdin, channel) }()
			}
			_ = cmd.Run()
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
			_ = channel.Close()
		}
	}
}

// sshAgent serves one key on a socket and returns its path.
func sshAgent(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	keyring := agent.NewKeyring()
	require.NoError(t, keyring.Add(agent.AddedKey{PrivateKey: key}))
	dir, err := os.MkdirTemp("", "agent") //nolint:usetesting // t.TempDir's names are too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keyring, conn) }()
		}
	}()
	return socket
}

func knownHostsFile(t *testing.T, addr string, key ssh.PublicKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	require.NoError(t, os.WriteFile(path, []byte(knownhosts.Line([]string{addr}, key)+"\n"), 0o600))
	return path
}

func TestSSH(t *testing.T) {
	t.Parallel()
	git := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, git)
	_, host := newKey(t)
	_, otherHost := newKey(t)
	key, user := newKey(t)
	strangerKey, _ := newKey(t)
	addr := sshServer(t, git.Root, host, user.PublicKey())
	repoURL := "ssh://git@" + addr + "/app.git"
	known := knownHostsFile(t, addr, host.PublicKey())

	for name, test := range map[string]struct {
		options source.Options
		url     string
		code    string
	}{
		"works":            {source.Options{AllowNets: loopback, SSHAgent: sshAgent(t, key), KnownHosts: []string{known}}, repoURL, ""},
		"guarded":          {source.Options{SSHAgent: sshAgent(t, key), KnownHosts: []string{known}}, repoURL, "source.address_refused"},
		"stranger's key":   {source.Options{AllowNets: loopback, SSHAgent: sshAgent(t, strangerKey), KnownHosts: []string{known}}, repoURL, "source.auth_required"},
		"unknown host":     {source.Options{AllowNets: loopback, SSHAgent: sshAgent(t, key), KnownHosts: []string{knownHostsFile(t, "elsewhere.example", host.PublicKey())}}, repoURL, "source.host_key_refused"},
		"changed host key": {source.Options{AllowNets: loopback, SSHAgent: sshAgent(t, key), KnownHosts: []string{knownHostsFile(t, addr, otherHost.PublicKey())}}, repoURL, "source.host_key_refused"},
		"no known hosts":   {source.Options{AllowNets: loopback, SSHAgent: sshAgent(t, key), KnownHosts: []string{"/nowhere"}}, repoURL, "source.host_key_refused"},
		"no repository":    {source.Options{AllowNets: loopback, SSHAgent: sshAgent(t, key), KnownHosts: []string{known}}, "ssh://git@" + addr + "/no'pe.git", "source.repository_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := source.New(test.options)
			require.NoError(t, err)
			commit, branch, err := client.Resolve(t.Context(), at(test.url), deployment.Ref{})
			if test.code != "" {
				requireFailure(t, err, deployment.ClassUser, test.code)
				return
			}
			require.NoError(t, err)
			require.Equal(t, h.third, commit)
			require.Equal(t, "main", branch)
			for _, c := range []string{h.third, h.first} {
				require.NoError(t, client.Fetch(t.Context(), at(test.url), c, deployment.Ref{}, t.TempDir(), nil))
			}
			err = client.Fetch(t.Context(), at(test.url), strings.Repeat("1", 40), deployment.Ref{}, t.TempDir(), nil)
			requireFailure(t, err, deployment.ClassUser, "source.commit_not_found")
		})
	}
}

func TestSSHWithoutAnAgentSaysSo(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	_, host := newKey(t)
	client, err := source.New(source.Options{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	require.NoError(t, err)
	_, _, err = client.Resolve(t.Context(), at("ssh://git@"+sshServer(t, t.TempDir(), host, host.PublicKey())+"/app.git"), deployment.Ref{})
	failure := requireFailure(t, err, deployment.ClassUser, "source.auth_required")
	require.Contains(t, failure.Message, "ssh agent")
	require.Contains(t, failure.Fix, "SSH_AUTH_SOCK")
}

func TestSSHEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says a word
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	key, host := newKey(t)
	addr := listener.Addr().String()
	client, err := source.New(source.Options{
		AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, SSHAgent: sshAgent(t, key),
		KnownHosts: []string{knownHostsFile(t, addr, host.PublicKey())}, Timeout: 200_000_000,
	})
	require.NoError(t, err)
	_, _, err = client.Resolve(t.Context(), at("ssh://git@"+addr+"/app.git"), deployment.Ref{})
	requireFailure(t, err, deployment.ClassTransient, "source.timeout")
}
