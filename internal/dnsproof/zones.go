package dnsproof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// DNS answers from DNS servers; no such name or record is no error.
type DNS interface {
	TXT(ctx context.Context, name string) ([]string, error)
	NS(ctx context.Context, zone string) ([]*net.NS, error)
	Addresses(ctx context.Context, host string) ([]string, error)
}

// zones knows which servers have the last word on a name. Those are asked, as the CA does: any other may remember for long that there was nothing.
type zones struct {
	dns      func(servers []string) DNS
	resolver DNS    // that knows where those servers are
	port     string // that they answer at
}

func newZones(o Options) *zones {
	return &zones{dns: o.DNS, resolver: o.DNS(o.Servers), port: cmp.Or(o.ZonePort, "53")}
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
			silent = append(silent, fmt.Errorf("%s does not answer: %w", server, err))
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
		found, err := z.resolver.NS(ctx, zone)
		if err != nil {
			return nil, fmt.Errorf("find the servers of %s: %w", zone, err)
		}
		if len(found) > 0 {
			var names []string
			for _, ns := range found {
				names = append(names, strings.TrimSuffix(ns.Host, "."))
			}
			return names, nil
		}
		var more bool
		if _, zone, more = strings.Cut(zone, "."); !more {
			return nil, fmt.Errorf("DNS knows of no zone that %s is in", name)
		}
	}
}

// ask returns the TXT records that a server has, at the first of its addresses that answers.
func (z *zones) ask(ctx context.Context, server, name string) ([]string, error) {
	addresses, err := z.resolver.Addresses(ctx, server)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, errors.New("DNS knows of no address of it")
	}
	var all []string
	for _, address := range addresses {
		all = append(all, net.JoinHostPort(address, z.port))
	}
	return z.dns(all).TXT(ctx, name)
}
