package docker

import (
	"context"
	"net/netip"
)

// ListenersInside is what a container says that it listens on.
func (e *Engine) ListenersInside(ctx context.Context, id string) ([]netip.AddrPort, error) {
	return e.listenersInside(ctx, id)
}

// LastLinesLimit is how long a removal waits for followers.
const LastLinesLimit = lastLinesLimit

// Join follows the output of a container until done is called.
func (e *Engine) Join(name string) (done func()) { return e.followers.join(name) }
