package roles_test

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// hostKeys counts what is remembered.
type hostKeys struct{ pinned atomic.Int32 }

func (*hostKeys) HostKey(context.Context, string) (string, error) { return "", nil }

func (k *hostKeys) PinHostKey(_ context.Context, _, line string) (string, error) {
	k.pinned.Add(1)
	return line, nil
}

// lockedSSH is a server that shows its host key and lets nobody in.
func lockedSSH(t *testing.T) (addr string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	server := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, net.ErrClosed }}
	server.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _, _, _ = ssh.NewServerConn(conn, server)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func TestNewHostsAreBelievedOnlyWhenConfigured(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	url := "ssh://git@" + lockedSSH(t) + "/app.git"
	for accept, code := range map[bool]string{false: "source.host_key_refused", true: "source.credential_refused"} {
		keys := &hostKeys{}
		git, err := roles.NewGit(config.Git{
			AllowSchemes: []string{"ssh"}, AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AcceptNewHostKeys: accept, MaxMB: 1,
		}, keys)
		require.NoError(t, err)
		credential, _ := git.CheckCredential(url, deployment.GitCredential{
			Secret: string(pem.EncodeToMemory(block)), CredentialSummary: deployment.CredentialSummary{Kind: deployment.CredentialSSHKey},
		})
		_, _, err = git.Resolve(t.Context(), deployment.Repository{URL: url, Credential: &credential}, deployment.Ref{})
		require.Equal(t, code, deployment.AsFailure(err).Code, "%v", err)
		require.Equal(t, accept, keys.pinned.Load() == 1)
	}
}
