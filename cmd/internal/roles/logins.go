package roles

import (
	"context"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/registry"
)

// loginsFunc returns the logins of registries as they are now.
type loginsFunc = func() (deployment.RegistryLogins, error)

// registryLogins reads the logins that are configured, nil for none. What is wrong with the file now is an error at once.
func registryLogins(c config.Registry) (loginsFunc, error) {
	if c.AuthFile == "" {
		return nil, nil
	}
	read := registry.LoginsIn(c.AuthFile)
	_, err := read()
	return read, err
}

// credentials is what the Docker engine's adapter asks.
func credentials(logins loginsFunc) func(context.Context, string) (username, password string, err error) {
	if logins == nil {
		return nil
	}
	return func(_ context.Context, host string) (string, string, error) {
		all, err := logins()
		login := all.For(host)
		return login.Username, login.Password, err
	}
}
