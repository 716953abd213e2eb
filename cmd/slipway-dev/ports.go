package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/doctor"
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
	if found, used := doctor.HolderOf(ctx, addr); used && found.PID != 0 {
		return " by " + found.String()
	}
	return ""
}
