package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/moby/buildkit/session/sshforward"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// sshAgent is an SSH agent with one key, for steps with RUN --mount=type=ssh. It lives in this process alone, as long as the solve:
// BuildKit's own provider wants a file or a socket. Steps may have things signed, and do not get the key.
type sshAgent struct {
	sshforward.UnimplementedSSHServer

	keys agent.Agent
}

func newSSHAgent(privateKey string) (*sshAgent, error) {
	key, err := ssh.ParseRawPrivateKey([]byte(privateKey))
	if err != nil {
		return nil, deployment.UserFailure("build.ssh_key_invalid", "set the project's git credential anew, with a key without a passphrase",
			"the project's SSH key cannot be read")
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: key, Comment: "slipway deploy key"}); err != nil {
		return nil, fmt.Errorf("start SSH agent: %w", err)
	}
	return &sshAgent{keys: readOnly{keys}}, nil
}

// Register implements session.Attachable.
func (a *sshAgent) Register(server *grpc.Server) { sshforward.RegisterSSHServer(server, a) }

// CheckAgent is asked before a step.
func (a *sshAgent) CheckAgent(_ context.Context, r *sshforward.CheckAgentRequest) (*sshforward.CheckAgentResponse, error) {
	return &sshforward.CheckAgentResponse{}, known(r.ID)
}

// ForwardAgent serves one connection of a step.
func (a *sshAgent) ForwardAgent(stream sshforward.SSH_ForwardAgentServer) error {
	given, _ := metadata.FromIncomingContext(stream.Context())
	for _, id := range given.Get(sshforward.KeySSHID) {
		if err := known(id); err != nil {
			return err
		}
	}
	here, there := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = agent.ServeAgent(a.keys, there) // ends with the connection
		_ = there.Close()
	}()
	err := sshforward.Copy(stream.Context(), here, stream, nil)
	<-served
	return err
}

// known refuses other ids than that of RUN --mount=type=ssh without one.
func known(id string) error {
	if id != "" && id != sshforward.DefaultID {
		return fmt.Errorf("unset ssh forward key %s: a project has one, named %s", id, sshforward.DefaultID)
	}
	return nil
}

// readOnly is an agent that steps change nothing of.
type readOnly struct{ agent.Agent }

var errReadOnly = errors.New("the keys of a build are as they are")

// Add implements agent.Agent.
func (readOnly) Add(agent.AddedKey) error { return errReadOnly }

// Remove implements agent.Agent.
func (readOnly) Remove(ssh.PublicKey) error { return errReadOnly }

// RemoveAll implements agent.Agent.
func (readOnly) RemoveAll() error { return errReadOnly }

// Lock implements agent.Agent.
func (readOnly) Lock([]byte) error { return errReadOnly }

// Unlock implements agent.Agent.
func (readOnly) Unlock([]byte) error { return errReadOnly }
