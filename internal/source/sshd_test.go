package source_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-dev/slipway/internal/source"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// sshd is OpenSSH's server with a configuration of its own: one process a connection, so that it needs no port of its
// choice and leaves nothing running.
type sshd struct {
	t        *testing.T
	addr     string
	login    string // the only user that a server not run by root can let in: ours
	dir      string
	hostKeys map[string]ssh.PublicKey // by type
}

// sshKey makes a key with ssh-keygen and returns the private half and the public one.
func sshKey(t *testing.T, args ...string) (private string, public ssh.PublicKey) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	args = append([]string{"-q", "-f", file, "-C", "test", "-N", ""}, args...)
	out, err := exec.CommandContext(t.Context(), "ssh-keygen", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	line, err := os.ReadFile(file + ".pub")
	require.NoError(t, err)
	public, _, _, _, err = ssh.ParseAuthorizedKey(line)
	require.NoError(t, err)
	return string(data), public
}

// newSSHD starts a server that lets the owners of keys in. command, when given, is a shell script that is run for every
// request, which it finds in $SSH_ORIGINAL_COMMAND.
func newSSHD(t *testing.T, command string, settings []string, allowed ...ssh.PublicKey) *sshd {
	t.Helper()
	me, err := user.Current()
	require.NoError(t, err)
	s := &sshd{t: t, login: me.Username, dir: t.TempDir(), hostKeys: map[string]ssh.PublicKey{}}
	if os.Getuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // where the server locks its unprivileged half in, as its init script makes it
	}
	config := []string{"UsePAM no", "StrictModes no", "PasswordAuthentication no", "PermitRootLogin prohibit-password", "AuthorizedKeysFile " + s.dir + "/authorized"}
	for kind, args := range map[string][]string{"ed25519": {"-t", "ed25519"}, "rsa": {"-t", "rsa", "-b", "2048"}} {
		private, public := sshKey(t, args...)
		s.hostKeys[kind] = public
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, kind), []byte(private), 0o600))
		config = append(config, "HostKey "+filepath.Join(s.dir, kind))
	}
	if command != "" {
		script := filepath.Join(s.dir, "command")
		require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"+command+"\n"), 0o700))
		config = append(config, "ForceCommand "+script)
	}
	var keys strings.Builder
	for _, key := range allowed {
		keys.Write(ssh.MarshalAuthorizedKey(key))
	}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "authorized"), []byte(keys.String()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "config"), []byte(strings.Join(append(config, settings...), "\n")+"\n"), 0o600))
	s.serve()
	return s
}

func (s *sshd) serve() {
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd" // which is not on everybody's PATH
		require.FileExists(s.t, program, "deploy/dev/deps.sh installs it")
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = listener.Close() })
	s.addr = listener.Addr().String()
	ctx := s.t.Context()
	go func() {
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			socket, err := conn.File()
			_ = conn.Close() // socket is a copy
			if err != nil {
				return
			}
			server := exec.CommandContext(ctx, program, "-i", "-e", "-f", filepath.Join(s.dir, "config"))
			server.Stdin, server.Stdout = socket, socket
			if log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
				server.Stderr = log
			}
			if server.Start() == nil { // it does not once the test has ended
				go func() { _ = server.Wait() }()
			}
			_ = socket.Close()
		}
	}()
}

// url is the address of a repository on disk.
func (s *sshd) url(path string) string { return fmt.Sprintf("ssh://%s@%s%s", s.login, s.addr, path) }

// knownHosts is a known_hosts with the host's keys of the given types.
func (s *sshd) knownHosts(kinds ...string) string {
	var lines []string
	for _, kind := range kinds {
		lines = append(lines, knownhosts.Line([]string{s.addr}, s.hostKeys[kind]))
	}
	return strings.Join(lines, "\n")
}

// log is what the server said, for messages.
func (s *sshd) log() string {
	data, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(data)
}

// newSSHClient returns a client that reaches loopback and knows no host by itself.
func newSSHClient(t *testing.T, options ...func(*source.Options)) *source.Client {
	t.Helper()
	o := source.Options{AllowNets: loopback, KnownHosts: []string{"/nowhere"}, SSHAgent: "/nowhere"}
	for _, option := range options {
		option(&o)
	}
	client, err := source.New(o)
	require.NoError(t, err)
	return client
}

// knowing lets a client know hosts by itself.
func knowing(t *testing.T, lines string) func(*source.Options) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	require.NoError(t, os.WriteFile(file, []byte(lines+"\n"), 0o600))
	return func(o *source.Options) { o.KnownHosts = []string{file} }
}

// trusting lets origins pass a client's guard.
func trusting(origins ...string) func(*source.Options) {
	return func(o *source.Options) { o.TrustedOrigins = origins }
}
