package docker

import (
	"context"
	"net/netip"
	"time"
)

// lastTries is how long before a check's time-out another port is tried, at most a quarter of it. Not sooner: what listens first may
// be for metrics or a debugger, and an app that migrates or warms up comes to PORT much later.
const lastTries = 5 * time.Second

// otherPort is where an app listens instead of on PORT, if that is one port.
type otherPort struct {
	find func(context.Context) string // "" for none, or more than one
	from time.Time                    // PORT has its time until then
}

func newOtherPort(find func(context.Context) string, timeout time.Duration) *otherPort {
	return &otherPort{find: find, from: time.Now().Add(timeout - min(lastTries, timeout/4))}
}

// findTimeout is how long one search for another port may keep PORT from being tried.
const findTimeout = 2 * time.Second

// due returns the address of the other port once PORT has had its time. After a search PORT has as long as that took.
func (o *otherPort) due(ctx context.Context, now time.Time) string {
	if o == nil || now.Before(o.from) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	found := o.find(ctx)
	o.from = time.Now().Add(time.Since(now))
	return found
}

// onlyOther returns the address of the one port that the app in a container listens on so that it can be reached, when that is not
// the port of address; "" when it is, when there are several, and when it cannot be told.
func (e *Engine) onlyOther(ctx context.Context, id, address string) string {
	meant, err := netip.ParseAddrPort(address)
	if err != nil {
		return ""
	}
	listeners, err := e.listeners(ctx, id)
	if err != nil {
		return ""
	}
	var only uint16
	for _, l := range listeners {
		switch {
		case l.Port() == meant.Port(): // even on loopback: that is what is wrong then
			return ""
		case l.Addr().IsLoopback(), l.Port() == only:
		case only != 0:
			return ""
		default:
			only = l.Port()
		}
	}
	if only == 0 {
		return ""
	}
	return netip.AddrPortFrom(meant.Addr(), only).String()
}
