package dnsproof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// lookLimit bounds what one server is waited for.
const lookLimit = 5 * time.Second

// zones knows which servers have the last word on a name. Those are asked, as the CA does: any other may remember for long that there was nothing.
type zones struct {
	system *net.Resolver
	port   string
}

func newZones(servers []string, port string) *zones {
	z := &zones{system: &net.Resolver{PreferGo: true}, port: cmp.Or(port, "53")}
	if len(servers) > 0 {
		var turn atomic.Uint64
		z.system = asking(func() string { return servers[(turn.Add(1)-1)%uint64(len(servers))] })
	}
	return z
}

// asking returns a resolver that asks one server at each attempt.
func asking(server func() string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server())
	}}
}

// missing says which server of a name's zone does not have a TXT record, and why not; nil when all have it. One that gives no answer at all is
// left out where another does: the CA asks one of them.
func (z *zones) missing(ctx context.Context, name, value string) error {
	servers, err := z.servers(ctx, name)
	if err != nil {
		return err
	}
	have := false
	var silent []error
	for _, server := range servers {
		values, err := z.ask(ctx, server, name)
		switch {
		case err != nil:
			silent = append(silent, fmt.Errorf("%s does not answer: %w", server, plain(err)))
		case !slices.Contains(values, value):
			return fmt.Errorf("%s does not have it", server)
		default:
			have = true
		}
	}
	if have {
		return nil
	}
	return errors.Join(silent...)
}

// servers returns the names of the servers of the zone that a name is in.
func (z *zones) servers(ctx context.Context, name string) ([]string, error) {
	for zone := name; ; {
		found, err := z.system.LookupNS(ctx, zone+".")
		if err == nil && len(found) > 0 {
			var names []string
			for _, ns := range found {
				names = append(names, strings.TrimSuffix(ns.Host, "."))
			}
			return names, nil
		}
		if err != nil && !notThere(err) {
			return nil, fmt.Errorf("ask DNS for the servers of %s: %w", zone, plain(err))
		}
		var more bool
		if _, zone, more = strings.Cut(zone, "."); !more {
			return nil, fmt.Errorf("DNS knows of no zone that %s is in", name)
		}
	}
}

// ask returns the TXT records that a server has, at the first of its addresses that answers.
func (z *zones) ask(ctx context.Context, server, name string) ([]string, error) {
	addresses, err := z.system.LookupHost(ctx, server+".")
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, address := range addresses {
		looking, cancel := context.WithTimeout(ctx, lookLimit)
		values, err := asking(func() string { return net.JoinHostPort(address, z.port) }).LookupTXT(looking, name+".")
		cancel()
		if err == nil || notThere(err) {
			return values, nil
		}
		failed = append(failed, plain(err))
	}
	return nil, errors.Join(failed...)
}

// plain leaves out which server was asked: the standard library names one of the system's, whichever it was.
func plain(err error) error {
	failed, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return err
	case failed.IsTimeout:
		return errors.New("no answer in time")
	default:
		return errors.New(failed.Err)
	}
}

func notThere(err error) bool {
	unknown, ok := errors.AsType[*net.DNSError](err)
	return ok && unknown.IsNotFound
}
