package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// origin is how a visitor came: by which address, scheme and host name.
type origin struct {
	client netip.Addr // the visitor's, as far as the gateway can believe it
	chain  string     // X-Forwarded-For: the visitor and the trusted proxies up to the one that is connected
	scheme string
	host   string
}

// own are the headers by which apps learn where a request came from. ReverseProxy clears the first four; taken from a
// visitor all of them would be lies.
var own = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
	"X-Real-Ip", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Prefix", requestIDHeader,
}

// originOf believes what a request says of itself only if it comes from a trusted proxy.
func (g *Gateway) originOf(r *http.Request) origin {
	o := origin{scheme: "http", host: r.Host}
	if r.TLS != nil {
		o.scheme = "https"
	}
	if g.scheme != "" {
		o.scheme = g.scheme
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return o
	}
	o.client = peer.Addr().Unmap().WithZone("")
	o.chain = o.client.String()
	if !g.trusts(o.client) {
		return o
	}
	o.walk(r.Header.Values("X-Forwarded-For"), g.trusts)
	if scheme := strings.ToLower(r.Header.Get("X-Forwarded-Proto")); scheme == "http" || scheme == "https" {
		o.scheme = scheme
	}
	if host := r.Header.Get("X-Forwarded-Host"); host != "" {
		o.host = host
	}
	return o
}

// walk goes from the connected proxy back to the first address that is no trusted proxy: the visitor. What stands before
// that is what the visitor has made up.
func (o *origin) walk(forwardedFor []string, trusts func(netip.Addr) bool) {
	hops := strings.Split(strings.Join(forwardedFor, ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return
		}
		o.client = addr.Unmap().WithZone("")
		o.chain = o.client.String() + ", " + o.chain
		if !trusts(o.client) {
			return
		}
	}
}

func (g *Gateway) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(g.trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// clientName is the visitor's address for the log; empty for one that has none.
func (o *origin) clientName() string {
	if !o.client.IsValid() {
		return ""
	}
	return o.client.String()
}

// tell writes the origin into a request to an app. Frameworks that follow CGI take X_Real_Ip for X-Real-Ip.
func (o *origin) tell(h http.Header) {
	for name := range h {
		if slices.Contains(own, http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))) {
			delete(h, name)
		}
	}
	if o.chain != "" {
		h.Set("X-Forwarded-For", o.chain)
	}
	h.Set("X-Forwarded-Host", o.host)
	h.Set("X-Forwarded-Proto", o.scheme)
}
