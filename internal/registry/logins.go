package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// LoginsIn returns what reads the logins in a file anew each time, for a Client.
func LoginsIn(path string) func() (deployment.RegistryLogins, error) {
	return func() (deployment.RegistryLogins, error) { return ReadLogins(path) }
}

// ReadLogins reads Docker's config.json, as `docker login` writes it without a credential helper. No program is run for a login, and an
// error repeats nothing of the file.
func ReadLogins(path string) (deployment.RegistryLogins, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read registry logins: %w", err)
	}
	var file struct {
		Auths map[string]struct{ Auth, Username, Password, IdentityToken string } `json:"auths"`

		CredsStore  string            `json:"credsStore"`
		CredHelpers map[string]string `json:"credHelpers"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("read registry logins: %s is no config.json of Docker", path)
	}
	if file.CredsStore != "" || len(file.CredHelpers) > 0 {
		return nil, fmt.Errorf("read registry logins: %s names a credential helper, and no program is run for logins: take credsStore and credHelpers out, "+
			"and let whoever renews the passwords write them into auths", path)
	}
	logins := deployment.RegistryLogins{}
	for address, entry := range file.Auths {
		login := deployment.RegistryLogin{Username: entry.Username, Password: entry.Password}
		if entry.Auth != "" {
			if login, err = decode(entry.Auth); err != nil {
				return nil, fmt.Errorf("read registry logins: auths of %s in %s: %w", address, path, err)
			}
		}
		if login.Username == "" || login.Password == "" {
			return nil, fmt.Errorf("read registry logins: auths of %s in %s: give auth, or username and password", address, path)
		}
		logins[deployment.RegistryHost(address)] = login
	}
	return logins, nil
}

func decode(auth string) (deployment.RegistryLogin, error) {
	text, err := base64.StdEncoding.DecodeString(auth)
	name, password, found := strings.Cut(strings.TrimRight(string(text), "\x00"), ":")
	if err != nil || !found {
		return deployment.RegistryLogin{}, errors.New("auth is not the base64 of user:password")
	}
	return deployment.RegistryLogin{Username: name, Password: password}, nil
}

// Resolve implements authn.Keychain.
func (c Client) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if c.Logins == nil {
		return authn.Anonymous, nil
	}
	logins, err := c.Logins()
	if err != nil {
		return nil, err
	}
	login := logins.For(r.RegistryStr())
	if login.Password == "" {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: login.Username, Password: login.Password}, nil
}
