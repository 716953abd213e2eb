package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// sshSettings say where keys come from: ours from an agent, the hosts' from files.
type sshSettings struct {
	agent      string
	knownHosts []string
}

// connect logs in to a server and starts git-upload-pack. go-git's own ssh transport is not used: it dials by name, past
// the guard, honours the user's ssh_config, and cannot be canceled while it connects.
func (s sshSettings) connect(ctx context.Context, g *guard, u *url.URL, b *budget) (transport.UploadPackSession, error) {
	hostPort := strings.TrimPrefix(origin(u), "ssh://")
	conn, err := g.dial(ctx, "tcp", hostPort)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	session, err := s.start(conn, hostPort, u, b)
	if err != nil {
		stop()
		_ = conn.Close() // the first error tells more
		return nil, sshFailure(err)
	}
	session.stop = stop
	return session, nil
}

func (s sshSettings) start(conn net.Conn, hostPort string, u *url.URL, b *budget) (*sshSession, error) {
	config, closeAgent, err := s.config(hostPort, u.User.Username())
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	clientConn, channels, requests, err := ssh.NewClientConn(conn, hostPort, config)
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(clientConn, channels, requests)
	shell, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	session := &sshSession{client: client}
	if session.stdin, err = shell.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := shell.StdoutPipe()
	if err != nil {
		return nil, err
	}
	session.stdout, session.wait = b.reader(stdout), shell.Wait
	shell.Stderr = &session.stderr
	path := u.Path
	if strings.HasPrefix(path, "/~") { // a path from somebody's home, as git writes it
		path = path[1:]
	}
	return session, shell.Start(transport.UploadPackServiceName + " '" + strings.ReplaceAll(path, "'", `'\''`) + "'")
}

func (s sshSettings) config(hostPort, user string) (_ *ssh.ClientConfig, closeAgent func(), err error) {
	if s.agent == "" {
		return nil, nil, deployment.UserFailure("source.auth_required", "use the repository's https URL, or have the operator run slipway with an ssh agent (SSH_AUTH_SOCK)",
			"an ssh URL needs a key, and slipway has no ssh agent to take one from")
	}
	hosts, err := gitssh.NewKnownHostsDb(s.knownHosts...)
	if err != nil {
		return nil, nil, deployment.UserFailure("source.host_key_refused", "have the operator add the git server to slipway's known_hosts", "read known hosts: %w", err)
	}
	keys, err := net.Dial("unix", s.agent)
	if err != nil {
		return nil, nil, deployment.PlatformFailure("source.ssh_agent", "start the ssh agent again", "reach ssh agent: %w", err)
	}
	if user == "" {
		user = "git"
	}
	return &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(agent.NewClient(keys).Signers)},
		HostKeyCallback:   hosts.HostKeyCallback(),
		HostKeyAlgorithms: hosts.HostKeyAlgorithms(hostPort),
	}, func() { _ = keys.Close() }, nil
}

// sshFailure tells the failures of a login from those of the network.
func sshFailure(err error) error {
	var key *knownhosts.KeyError
	switch {
	case errors.As(err, &key) && len(key.Want) == 0:
		return deployment.UserFailure("source.host_key_refused", "have the operator add the git server to slipway's known_hosts", "%w", err)
	case errors.As(err, &key):
		return deployment.UserFailure("source.host_key_refused", "make sure that nobody stands in between, then have the operator correct slipway's known_hosts", "%w", err)
	case strings.Contains(err.Error(), "unable to authenticate"): // x/crypto has no type for it
		return deployment.UserFailure("source.auth_required", "give a key of slipway's ssh agent access to the repository", "%w", err)
	}
	return err
}

// sshSession is a git-upload-pack that runs on a server.
type sshSession struct {
	client *ssh.Client
	stdin  io.WriteCloser
	stdout io.Reader
	stderr headBuffer
	wait   func() error
	stop   func() bool
}

// AdvertisedReferences is AdvertisedReferencesContext without a context of its own.
func (s *sshSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(context.Background())
}

// AdvertisedReferencesContext reads the refs. The connection ends with the context that it was made with.
func (s *sshSession) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	refs := packp.NewAdvRefs()
	err := refs.Decode(s.stdout)
	switch {
	case errors.Is(err, packp.ErrEmptyInput):
		_ = s.stdin.Close()
		_ = s.wait() // what it ended with is on its standard error
		return nil, fmt.Errorf("%w: %s", transport.ErrRepositoryNotFound, s.stderr.String())
	case errors.Is(err, packp.ErrEmptyAdvRefs), err == nil && refs.IsEmpty():
		return nil, transport.ErrEmptyRemoteRepository
	case err != nil:
		return nil, err
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	return refs, nil
}

// UploadPack sends a request and returns the answer, to be read before Close.
func (s *sshSession) UploadPack(_ context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	var message bytes.Buffer
	if err := req.UploadRequest.Encode(&message); err != nil {
		return nil, err
	}
	message.WriteString("0009done\n") // in git's framing: the length, then the text
	if _, err := s.stdin.Write(message.Bytes()); err != nil {
		return nil, err
	}
	resp := packp.NewUploadPackResponse(req)
	if err := resp.Decode(io.NopCloser(s.stdout)); err != nil {
		return nil, fmt.Errorf("%w: %s", err, s.stderr.String())
	}
	return resp, nil
}

// Close ends the connection.
func (s *sshSession) Close() error {
	s.stop()
	return s.client.Close()
}

// headBuffer keeps the first kilobyte of what is written to it.
type headBuffer struct {
	mu   sync.Mutex
	head []byte
}

// Write implements io.Writer and never fails.
func (b *headBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head = append(b.head, p[:min(len(p), 1<<10-len(b.head))]...)
	return len(p), nil
}

// String returns what was kept.
func (b *headBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(string(b.head))
}
