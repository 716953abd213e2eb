package deployment

import "strings"

// RegistryLogin is what a registry asks for.
type RegistryLogin struct{ Username, Password string }

// RegistryLogins are logins by host, as `registry.example.com:5000`; Docker Hub's is DockerHub.
type RegistryLogins map[string]RegistryLogin

// DockerHub is the name of Docker Hub in image names.
const DockerHub = "docker.io"

// For returns the login for a host, whatever Docker Hub is called; empty for none.
func (l RegistryLogins) For(host string) RegistryLogin { return l[RegistryHost(host)] }

// RegistryHost returns the host that a registry's address has in image names: without scheme and path, and docker.io for each of the
// names that Docker Hub has.
func RegistryHost(address string) string {
	address = strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")
	host, _, _ := strings.Cut(address, "/")
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return DockerHub
	}
	return host
}
