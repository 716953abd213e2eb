package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	psnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/slipway-dev/slipway/internal/config"
)

// checkPorts reports every address of c that somebody has, with its setting and its holder. A part that met it by itself
// could name neither.
func checkPorts(ctx context.Context, c config.Dev) error {
	var errs []error
	for _, server := range c.Servers() {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", server.Addr)
		switch {
		case err == nil:
			errs = append(errs, listener.Close())
		case errors.Is(err, syscall.EADDRINUSE):
			errs = append(errs, fmt.Errorf("%s: %s is in use%s: stop that, or set %s to another address",
				server.Key, server.Addr, holder(ctx, server.Addr), server.Key))
		default:
			errs = append(errs, fmt.Errorf("%s: %w", server.Key, err))
		}
	}
	return errors.Join(errs...)
}

// holder says who listens on an address, as far as that can be seen.
func holder(ctx context.Context, addr string) string {
	_, text, _ := net.SplitHostPort(addr) // configuration has checked it
	port, _ := strconv.ParseUint(text, 10, 16)
	connections, err := psnet.ConnectionsWithoutUidsWithContext(ctx, "tcp")
	if err != nil {
		return ""
	}
	for _, c := range connections {
		if c.Status != "LISTEN" || uint64(c.Laddr.Port) != port || c.Pid == 0 {
			continue
		}
		p, err := process.NewProcessWithContext(ctx, c.Pid)
		if err != nil {
			continue
		}
		name, _ := p.NameWithContext(ctx)
		return fmt.Sprintf(" by process %d (%s)", c.Pid, name)
	}
	return ""
}
