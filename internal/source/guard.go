package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// connectTimeout bounds one attempt to connect to one address.
const connectTimeout = 10 * time.Second

// AddressError says that a host resolves to an address that may not be connected to.
type AddressError struct {
	Host    string
	Address netip.Addr
}

// Error names the host and the address.
func (e *AddressError) Error() string {
	if e.Host == e.Address.String() {
		return fmt.Sprintf("address %s is not a public one", e.Host)
	}
	return fmt.Sprintf("host %s resolves to %s, which is not a public address", e.Host, e.Address)
}

// guard decides which hosts may be connected to, at the moment of connecting: what a name resolved to when the project
// was made says nothing about now.
type guard struct {
	schemes []string
	nets    []netip.Prefix
	trusted map[string]bool // by origin
}

// newGuard takes the guard's part of the options and checks them all.
func newGuard(o Options) (*guard, error) {
	g := &guard{schemes: slices.Clone(o.AllowSchemes), nets: slices.Clone(o.AllowNets), trusted: map[string]bool{}}
	var faults []error
	for _, scheme := range o.AllowSchemes {
		if scheme != "https" && scheme != "ssh" && scheme != "http" {
			faults = append(faults, fmt.Errorf("scheme %q is none of https, ssh, http", scheme))
		}
	}
	for _, raw := range o.TrustedOrigins {
		u, err := url.Parse(raw)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") {
			faults = append(faults, fmt.Errorf("trusted origin %q is not scheme://host:port", raw))
			continue
		}
		g.trusted[origin(u)] = true
	}
	if o.Timeout < 0 || o.MaxBytes < 0 || o.MaxFiles < 0 {
		faults = append(faults, errors.New("timeout and limits must not be negative"))
	}
	return g, errors.Join(faults...)
}

// origin returns scheme, host and port in one spelling.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "ssh": "22"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// trusts reports whether u is on a trusted origin.
func (g *guard) trusts(u *url.URL) bool { return g.trusted[origin(u)] }

// allows reports whether a request may go to u as far as its scheme tells.
func (g *guard) allows(u *url.URL) bool { return g.trusts(u) || slices.Contains(g.schemes, u.Scheme) }

// resolve returns the addresses of a host. One refused address refuses the host: a name that points both inside and
// outside is either a mistake or an attempt.
func (g *guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for i, addr := range found {
		found[i] = addr.Unmap()
		if !public(addr, g.nets) {
			return nil, &AddressError{Host: host, Address: found[i]}
		}
	}
	return found, nil
}

// dial connects to host:port at an address that was checked, so that a second answer of the name server cannot lead
// elsewhere.
func (g *guard) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	addrs, err := g.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: connectTimeout}
	var faults []error
	for _, addr := range addrs {
		conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(addr.String(), port))
		if err == nil {
			return conn, nil
		}
		faults = append(faults, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(faults...)
}
