package buildkit

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
)

// login lets the daemon ask for the credentials that `docker login` has stored, host by host; nothing without the option.
func (b *Builder) login() []session.Attachable {
	if !b.dockerLogin {
		return nil
	}
	return []session.Attachable{dockerLogin{}}
}

// dockerLogin answers what a daemon asks a session for. It only hands credentials out; the daemon fetches tokens with them.
type dockerLogin struct{ auth.UnimplementedAuthServer }

// Register makes the session answer.
func (l dockerLogin) Register(server *grpc.Server) { auth.RegisterAuthServer(server, l) }

// dockerHub is the host that Docker Hub's images are fetched from, and what `docker login` calls it.
var dockerHub = map[string]string{"registry-1.docker.io": name.DefaultRegistry, "docker.io": name.DefaultRegistry}

// Credentials returns those for a host, empty ones for a host that nobody has logged in to.
func (dockerLogin) Credentials(ctx context.Context, asked *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	host := asked.Host
	if stored, is := dockerHub[host]; is {
		host = stored
	}
	registry, err := name.NewRegistry(host)
	if err != nil {
		return nil, fmt.Errorf("look up login of registry %s: %w", asked.Host, err)
	}
	found, err := authn.Resolve(ctx, authn.DefaultKeychain, registry)
	if err != nil {
		return nil, fmt.Errorf("look up login of registry %s: %w", asked.Host, err)
	}
	login, err := authn.Authorization(ctx, found)
	if err != nil {
		return nil, fmt.Errorf("look up login of registry %s: %w", asked.Host, err)
	}
	if login.IdentityToken != "" {
		return &auth.CredentialsResponse{Secret: login.IdentityToken}, nil
	}
	return &auth.CredentialsResponse{Username: login.Username, Secret: login.Password}, nil
}
