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
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// sshSettings say where keys come from: ours from an agent when a project has none of its own, the hosts' from files.
type sshSettings struct {
	agent      string
	knownHosts []string
	acceptNew  HostKeys // nil: a host that is not known is refused
}

// login is a connection to a server that let us in.
type login struct {
	*ssh.Client
	stop func() bool // of what ends the connection with its context
}

// Close ends the connection.
func (l *login) Close() error {
	l.stop()
	return l.Client.Close()
}

// login connects to the server at u and logs in. go-git's own ssh transport is not used: it dials by name, past the guard,
// honours the user's ssh_config, and cannot be canceled while it connects.
func (t *trip) login(ctx context.Context, u *url.URL) (*login, error) {
	hostPort := strings.TrimPrefix(origin(u), "ssh://")
	conn, err := t.guard.dial(ctx, "tcp", hostPort)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	client, err := t.handshake(ctx, conn, hostPort, u)
	if err != nil {
		stop()
		_ = conn.Close() // the first error tells more
		return nil, t.loginFailure(u, err)
	}
	return &login{Client: client, stop: stop}, nil
}

func (t *trip) handshake(ctx context.Context, conn net.Conn, hostPort string, u *url.URL) (*ssh.Client, error) {
	callback, algorithms, err := t.hostKeyRules(ctx, u)
	if err != nil {
		return nil, err
	}
	keys, release, err := t.keys(u)
	if err != nil {
		return nil, err
	}
	defer release()
	clientConn, channels, requests, err := ssh.NewClientConn(conn, hostPort, &ssh.ClientConfig{
		User: t.loginName(u), Auth: []ssh.AuthMethod{keys}, HostKeyCallback: callback, HostKeyAlgorithms: algorithms,
	})
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(clientConn, channels, requests), nil
}

// keys returns the project's key, or those of the agent when it has none.
func (t *trip) keys(u *url.URL) (_ ssh.AuthMethod, release func(), err error) {
	if t.opens(u) {
		signer, fault := parseKey(t.credential.Secret)
		if fault != nil {
			return nil, nil, deployment.UserFailure("source.credential_refused", fault.Fix, "the project's SSH key %s", fault.Fault)
		}
		return ssh.PublicKeys(signer), func() {}, nil
	}
	if t.ssh.agent == "" || t.credential != nil || !t.atHome(u) {
		return nil, nil, t.denied(u)
	}
	conn, err := net.Dial("unix", t.ssh.agent)
	if err != nil {
		return nil, nil, deployment.PlatformFailure("source.ssh_agent", "start the ssh agent again", "reach ssh agent: %w", err)
	}
	return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), func() { _ = conn.Close() }, nil
}

// loginName is the URL's user, else the credential's, else the one that git servers have.
func (t *trip) loginName(u *url.URL) string {
	switch {
	case u.User.Username() != "":
		return u.User.Username()
	case t.opens(u) && t.credential.Username != "":
		return t.credential.Username
	}
	return "git"
}

// loginFailure tells the failures of a login from those of the network.
func (t *trip) loginFailure(u *url.URL, err error) error {
	var key *knownhosts.KeyError
	switch {
	case errors.As(err, &key):
		return hostKeyFailure(u, key)
	case strings.Contains(err.Error(), "unable to authenticate"): // x/crypto has no type for it
		return t.denied(u)
	}
	return err
}

// remoteCommand is a command line of a git server's shell: a program and the repository's path.
func remoteCommand(program string, u *url.URL) string {
	path := u.Path
	if strings.HasPrefix(path, "/~") { // a path from somebody's home, as git writes it
		path = path[1:]
	}
	return program + " '" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// uploadPack logs in to the server at u and starts git-upload-pack.
func (t *trip) uploadPack(ctx context.Context, u *url.URL) (*sshSession, error) {
	l, err := t.login(ctx, u)
	if err != nil {
		return nil, err
	}
	session, err := startUploadPack(l, u, t.budget, t.said)
	if err != nil {
		_ = l.Close() // the first error tells more
		return nil, err
	}
	return session, nil
}

func startUploadPack(l *login, u *url.URL, b *budget, said io.Writer) (*sshSession, error) {
	shell, err := l.NewSession()
	if err != nil {
		return nil, err
	}
	session := &sshSession{login: l, wait: shell.Wait, stderr: headBuffer{limit: 1 << 10}}
	if session.stdin, err = shell.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := shell.StdoutPipe()
	if err != nil {
		return nil, err
	}
	session.stdout = io.TeeReader(b.reader(stdout), said)
	shell.Stderr = &session.stderr
	return session, shell.Start(remoteCommand(transport.UploadPackServiceName, u))
}

// sshSession is a git-upload-pack that runs on a server. Closing it ends the connection.
type sshSession struct {
	*login
	stdin  io.WriteCloser
	stdout io.Reader
	stderr headBuffer
	wait   func() error
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
	if err := req.UploadHaves.Encode(&message, false); err != nil {
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

// headBuffer keeps the beginning of what is written to it.
type headBuffer struct {
	limit int
	mu    sync.Mutex
	head  []byte
}

// Write implements io.Writer and never fails.
func (b *headBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head = append(b.head, p[:min(len(p), b.limit-len(b.head))]...)
	return len(p), nil
}

// String returns what was kept.
func (b *headBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(string(b.head))
}
