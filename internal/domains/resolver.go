package domains

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// serverTimeout bounds what one server is waited for, with all attempts: somebody waits for the answer.
const serverTimeout = 5 * time.Second

// Resolver asks DNS servers.
type Resolver struct {
	servers []*net.Resolver
}

// NewResolver returns a Resolver that asks the given servers (host:port) in this order until one answers; without any, the
// system's own resolver.
func NewResolver(servers []string) *Resolver {
	r := &Resolver{}
	for _, server := range servers {
		r.servers = append(r.servers, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}})
	}
	if len(servers) == 0 {
		r.servers = []*net.Resolver{{PreferGo: true}}
	}
	return r
}

// TXT returns the values of the TXT records of a name; none when there is no such name or record.
func (r *Resolver) TXT(ctx context.Context, name string) ([]string, error) {
	return ask(ctx, r, name, (*net.Resolver).LookupTXT)
}

// NS returns the servers of a zone; none when no zone has this name.
func (r *Resolver) NS(ctx context.Context, zone string) ([]*net.NS, error) {
	return ask(ctx, r, zone, (*net.Resolver).LookupNS)
}

// Addresses returns the IP addresses of a host; none when there is no such host.
func (r *Resolver) Addresses(ctx context.Context, host string) ([]string, error) {
	return ask(ctx, r, host, (*net.Resolver).LookupHost)
}

// ask puts a question to one server after the other until one answers.
func ask[T any](ctx context.Context, r *Resolver, name string, lookup func(*net.Resolver, context.Context, string) ([]T, error)) ([]T, error) {
	var err error
	for _, server := range r.servers {
		var found []T
		asking, cancel := context.WithTimeout(ctx, serverTimeout)
		found, err = lookup(server, asking, name+".") // the dot keeps the system's search domains out
		cancel()
		if err == nil {
			return found, nil
		}
		if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("ask DNS for %s: %w", name, plain(err))
}

// plain leaves out which server was asked: with a server of ours the standard library names another one.
func plain(err error) error {
	failed, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return err
	case failed.IsTimeout:
		return errors.New("no DNS server answered in time")
	default:
		return errors.New(failed.Err)
	}
}
