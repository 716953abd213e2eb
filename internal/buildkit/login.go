package buildkit

import (
	"context"
	"fmt"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// loginSource says with what somebody logs in to a registry, with nothing to one that has no login.
type loginSource func(ctx context.Context, host string) (types.AuthConfig, error)

// operatorLogins are those that a worker was given.
func operatorLogins(logins deployment.RegistryLogins) loginSource {
	return func(_ context.Context, host string) (types.AuthConfig, error) {
		login := logins.For(host)
		return types.AuthConfig{Username: login.Username, Password: login.Password}, nil
	}
}

// dockerHub is the host that Docker Hub's images are fetched from, and what `docker login` calls it.
var dockerHub = map[string]string{"registry-1.docker.io": name.DefaultRegistry, "docker.io": name.DefaultRegistry}

// dockerLogins are those that `docker login` has stored.
func dockerLogins(ctx context.Context, asked string) (types.AuthConfig, error) {
	host := asked
	if stored, is := dockerHub[host]; is {
		host = stored
	}
	registry, err := name.NewRegistry(host)
	if err != nil {
		return types.AuthConfig{}, fmt.Errorf("look up login of registry %s: %w", asked, err)
	}
	found, err := authn.Resolve(ctx, authn.DefaultKeychain, registry)
	if err != nil {
		return types.AuthConfig{}, fmt.Errorf("look up login of registry %s: %w", asked, err)
	}
	login, err := authn.Authorization(ctx, found)
	if err != nil {
		return types.AuthConfig{}, fmt.Errorf("look up login of registry %s: %w", asked, err)
	}
	return types.AuthConfig{Username: login.Username, Password: login.Password, IdentityToken: login.IdentityToken, RegistryToken: login.RegistryToken}, nil
}
