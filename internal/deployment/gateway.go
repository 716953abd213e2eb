package deployment

import (
	"net"
	"strconv"
)

// Gateway says how the gateway's host names are reached from outside.
type Gateway struct {
	Scheme string // http or https; empty means http
	Port   int    // 0 means the scheme's own
}

// URL returns the address of one of the gateway's host names, without a slash at the end; of no host name, nothing.
func (g Gateway) URL(host string) string {
	if host == "" {
		return ""
	}
	scheme := g.Scheme
	if scheme == "" {
		scheme = "http"
	}
	own := scheme == "http" && g.Port == 80 || scheme == "https" && g.Port == 443
	if g.Port != 0 && !own {
		host = net.JoinHostPort(host, strconv.Itoa(g.Port))
	}
	return scheme + "://" + host
}

// Preview returns the URL that is a deployment's own for ever.
func (g Gateway) Preview(d Deployment) string { return g.URL(d.PreviewHost) }

// Environment returns the URL that always leads to the live deployment of d's environment.
func (g Gateway) Environment(d Deployment) string { return g.URL(d.EnvHost) }
