package docker

import (
	"context"
	"net/netip"
	"time"
)

// portPatience is how long PORT may be refused while the app listens elsewhere: what listens first may be a debugger, and the server
// comes a moment later.
const portPatience = 5 * time.Second

// otherPort is where an app listens instead of on PORT, if that is one port.
type otherPort struct {
	find     func(context.Context) string // asked once a second at most; "" for none, or more than one
	patience time.Duration

	address      string
	since, asked time.Time
}

// newOtherPort gives PORT no more than half of the time that a check has.
func newOtherPort(find func(context.Context) string, timeout time.Duration) *otherPort {
	return &otherPort{find: find, patience: min(portPatience, timeout/2)}
}

// due returns the address of the other port once the app has listened there for long enough.
func (o *otherPort) due(ctx context.Context, now time.Time) string {
	if o == nil {
		return ""
	}
	if now.Sub(o.asked) >= min(time.Second, o.patience/2) {
		o.asked = now
		if found := o.find(ctx); found != o.address {
			o.address, o.since = found, now
		}
	}
	if o.address == "" || now.Sub(o.since) < o.patience {
		return ""
	}
	return o.address
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
