package config

import (
	"fmt"
	"time"
)

// Leases say how long previews run. Production's neither sleep nor end.
type Leases struct {
	TTL      time.Duration // from the last deploy; 0 for ever
	Idle     time.Duration // without a request until one sleeps; 0 for never
	HostLost time.Duration // silence of a host after which its previews are started elsewhere
}

func (l *Leases) keys() []key {
	return []key{
		{
			env: "SLIPWAY_PREVIEW_TTL", path: "previews.ttl", initial: "168h", value: lasting(&l.TTL),
			doc: "How long the preview of a branch or pull request runs, from its last deploy on; then its container is removed, and starting it brings it back for as long again. " +
				"`forever` for no end, as production's has none. A change holds from the next deploy on.",
		},
		{
			env: "SLIPWAY_PREVIEW_IDLE", path: "previews.idle", initial: "30m", value: lasting(&l.Idle),
			doc: "After how long without a request the container of a preview is stopped, until the next request wakes it; a request or WebSocket under way counts. At least 30s; " +
				"`forever` for never, as production's never sleep. Previews that were deployed with `forever` and `SLIPWAY_TRAEFIK_ENTRYPOINTS` are to be deployed anew after a change to a time: " +
				"gateways see none of their requests, so that they would sleep although they are used.",
		},
		{
			env: "SLIPWAY_PREVIEW_HOST_LOST", path: "previews.host_lost", initial: "2m", value: duration(&l.HostLost),
			doc: "Silence of a host after which the previews that are live on it are started on another; more than three times `SLIPWAY_HOST_SEEN_INTERVAL`.",
		},
	}
}

// shortestIdle is longer than it takes until Postgres hears of what gateways have under way.
const shortestIdle = 30 * time.Second

// check reports a host that would count as lost between two of its words, and previews that would sleep while they are used.
func (l *Leases) check(t Timeouts) (faults Faults) {
	if l.Idle > 0 && l.Idle < shortestIdle {
		faults = append(faults, Fault{
			Key: "SLIPWAY_PREVIEW_IDLE", Problem: fmt.Sprintf("%s is too short: gateways tell every ten seconds what is used", l.Idle),
			Fix: fmt.Sprintf("give at least %s, or forever", shortestIdle),
		})
	}
	if l.HostLost > 3*t.HostSeen {
		return faults
	}
	return append(faults, Fault{
		Key:     "SLIPWAY_PREVIEW_HOST_LOST",
		Problem: fmt.Sprintf("%s is too short: hosts say that they live every %s", l.HostLost, t.HostSeen),
		Fix:     "give more than three times SLIPWAY_HOST_SEEN_INTERVAL",
	})
}
