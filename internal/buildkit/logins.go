package buildkit

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"
	"golang.org/x/crypto/nacl/sign"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// loginSeed makes the keys by which the daemon tells sessions apart; it knows none of them.
var loginSeed = []byte(rand.Text())

// sessionLogins answers the daemon's questions for logins while a solve runs. Tokens are fetched here, so that the daemon gets passwords
// of those registries only that ask for them directly. For other hosts the daemon stays anonymous.
type sessionLogins struct {
	auth.AuthServer // BuildKit's own, which writes to the user's Docker folder for authorities

	find loginSource
}

func newSessionLogins(find loginSource) (session.Attachable, error) {
	own, ok := authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: func(ctx context.Context, host string, _ []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
			return find(ctx, host)
		},
	}).(auth.AuthServer)
	if !ok {
		return nil, fmt.Errorf("this BuildKit takes no logins")
	}
	return &sessionLogins{AuthServer: own, find: find}, nil
}

// Register implements session.Attachable.
func (s *sessionLogins) Register(server *grpc.Server) { auth.RegisterAuthServer(server, s) }

// GetTokenAuthority says by which key the daemon knows another session with the same login, whose tokens it may use.
func (s *sessionLogins) GetTokenAuthority(ctx context.Context, r *auth.GetTokenAuthorityRequest) (*auth.GetTokenAuthorityResponse, error) {
	key, err := s.key(ctx, r.Host, r.Salt)
	if err != nil {
		return nil, err
	}
	return &auth.GetTokenAuthorityResponse{PublicKey: key[32:]}, nil
}

// VerifyTokenAuthority proves that this session has the key.
func (s *sessionLogins) VerifyTokenAuthority(ctx context.Context, r *auth.VerifyTokenAuthorityRequest) (*auth.VerifyTokenAuthorityResponse, error) {
	key, err := s.key(ctx, r.Host, r.Salt)
	if err != nil {
		return nil, err
	}
	return &auth.VerifyTokenAuthorityResponse{Signed: sign.Sign(nil, r.Payload, (*[64]byte)(key))}, nil
}

func (s *sessionLogins) key(ctx context.Context, host string, salt []byte) (ed25519.PrivateKey, error) {
	login, err := s.find(ctx, host)
	if err != nil {
		return nil, err
	}
	if login.Password+login.IdentityToken == "" {
		return nil, status.Errorf(codes.Unimplemented, "no login for %s", host)
	}
	mac := hmac.New(sha256.New, loginSeed)
	fmt.Fprintf(mac, "%q %q %q %q %q", salt, host, login.Username, login.Password, login.IdentityToken)
	return ed25519.NewKeyFromSeed(mac.Sum(nil)), nil
}
