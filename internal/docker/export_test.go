package docker

import (
	"context"
	"net/netip"
)

// ListenersInside is what a container says that it listens on.
func (e *Engine) ListenersInside(ctx context.Context, id string) ([]netip.AddrPort, error) {
	return e.listenersInside(ctx, id)
}
