package deployment

import (
	"fmt"
	"time"
)

// StandingLease is a lease with what a decision about it goes by, as of one moment of Postgres' clock.
type StandingLease struct {
	PreviewLease
	Now                  time.Time
	Project, Environment string // names
	Kind                 EnvironmentKind
	Number               int     // of the live deployment
	Preview              Preview // its
	Since                time.Time
	FailedStarts         int // in a row
	LastRequestAt        *time.Time
	HostSeenAt           *time.Time // nil for a host that was forgotten
	HostLives            bool       // it was seen lately
	AnotherHost          bool       // that runs previews was seen lately
	HealthTimeout        time.Duration
}

// LeasePolicy says how long previews may run, and when they are given up or put to sleep.
type LeasePolicy struct {
	TTL      time.Duration // from a deploy, but for production; 0 for ever
	Idle     time.Duration // without a request until it sleeps, but for production; 0 for never
	HostLost time.Duration // silence of a host after which its previews are started elsewhere; 0 for never

	RetryInitial, RetryMaximum time.Duration // waits after a start that failed: the first, and the longest
	Starts                     int           // that may fail in a row, but for production, until it is not tried again
}

// NextStart returns how long after a start that failed, the failed-th in a row, the next is made unasked; false for never. Production is
// tried for as long as it is wanted.
func (p LeasePolicy) NextStart(kind EnvironmentKind, failed int) (time.Duration, bool) {
	if kind != KindProduction && failed >= p.Starts {
		return 0, false
	}
	wait := p.RetryInitial
	for n := 1; n < failed && wait < p.RetryMaximum; n++ {
		wait *= 2
	}
	return min(wait, p.RetryMaximum), true
}

// LeaseAct is what is to be done about a lease.
type LeaseAct string

// The acts. Sleep keeps the container, stop removes it, start makes the preview live in whichever way is the shortest.
const (
	LeaseSleep LeaseAct = "sleep"
	LeaseStart LeaseAct = "start"
	LeaseStop  LeaseAct = "stop"
)

// Duty is what is due about a lease, or when something may be.
type Duty struct {
	Act   LeaseAct  // empty while nothing is due
	Why   string    // it is, or what is waited for
	Since time.Time // it is due
	Next  time.Time // when something may be due, while nothing is; zero for never
}

// Duty decides what is due. A wish to stop comes before everything; a wish to run before the end of the time, which begins anew then.
func (l StandingLease) Duty(p LeasePolicy) Duty {
	state := l.Preview.State
	switch {
	case l.Wanted == WantedStopped:
		return l.ifStands(Duty{Act: LeaseStop, Why: "it is to be stopped", Since: l.Since})
	case state == PreviewStopped || state == PreviewFailed:
		return l.startAgain()
	case l.over():
		return Duty{Act: LeaseStop, Why: "its time is over", Since: *l.ExpiresAt}
	case state == PreviewStarting:
		return Duty{Act: LeaseStart, Why: "it has not been started yet", Since: l.Since}
	case state == PreviewAsleep && l.WakeRequestedAt != nil:
		return Duty{Act: LeaseStart, Why: "somebody has asked for it", Since: *l.WakeRequestedAt}
	case state == PreviewAsleep && l.Pinned:
		return Duty{Act: LeaseStart, Why: "it was pinned while it slept", Since: l.Since}
	case state == PreviewAsleep:
		return l.untilEnd()
	case l.lost(p):
		return Duty{Act: LeaseStart, Why: fmt.Sprintf("its host %s is gone", l.Preview.Host), Since: l.hostSilentSince().Add(p.HostLost)}
	default:
		return l.untilAsleep(p)
	}
}

// ifStands is a duty towards what has a container still.
func (l StandingLease) ifStands(d Duty) Duty {
	if s := l.Preview.State; s == PreviewStopped || s == PreviewFailed {
		return Duty{}
	}
	return d
}

// startAgain is the duty towards what is to run and has no container. What could not be started is tried again at its time, but not
// beyond the preview's own.
func (l StandingLease) startAgain() Duty {
	switch {
	case l.WakeRequestedAt != nil:
		return Duty{Act: LeaseStart, Why: "somebody has asked for it", Since: *l.WakeRequestedAt}
	case l.Failure == nil || l.Failure.Class != ClassUser: // it may tell only of what was away meanwhile
		return Duty{Act: LeaseStart, Why: "it is to run", Since: l.Since}
	case l.NextStartAt == nil || l.over():
		return Duty{}
	case l.NextStartAt.After(l.Now):
		return Duty{Why: fmt.Sprintf("until it is tried again (starts that failed: %d)", l.FailedStarts), Next: *l.NextStartAt}
	default:
		return Duty{Act: LeaseStart, Why: fmt.Sprintf("it did not come up (starts that failed: %d)", l.FailedStarts), Since: *l.NextStartAt}
	}
}

// over reports whether the preview's time is.
func (l StandingLease) over() bool {
	return !l.Pinned && l.ExpiresAt != nil && !l.ExpiresAt.After(l.Now)
}

// lost reports whether the host was silent for too long while another could take its previews over.
func (l StandingLease) lost(p LeasePolicy) bool {
	return p.HostLost > 0 && l.AnotherHost && l.Now.Sub(l.hostSilentSince()) >= p.HostLost
}

func (l StandingLease) hostSilentSince() time.Time {
	if l.HostSeenAt == nil {
		return time.Time{}
	}
	return *l.HostSeenAt
}

func (l StandingLease) untilEnd() Duty {
	if l.Pinned || l.ExpiresAt == nil {
		return Duty{}
	}
	return Duty{Why: "until its time is over", Next: *l.ExpiresAt}
}

func (l StandingLease) untilAsleep(p LeasePolicy) Duty {
	end := l.untilEnd()
	if l.Kind == KindProduction || l.Pinned || p.Idle == 0 {
		return end
	}
	idle := l.IdleSince()
	sleepy := idle.Add(p.Idle)
	switch {
	case !sleepy.After(l.Now) && !l.HostLives:
		return Duty{Why: "until its host is back", Next: l.Now.Add(p.HostLost)}
	case !sleepy.After(l.Now):
		return Duty{Act: LeaseSleep, Why: fmt.Sprintf("nobody has asked for it for %s", l.Now.Sub(idle).Round(time.Second)), Since: sleepy}
	case end.Next.IsZero() || sleepy.Before(end.Next):
		return Duty{Why: "until it may sleep", Next: sleepy}
	default:
		return end
	}
}

// IdleSince is when somebody has asked for the preview for the last time, or when it began to be there.
func (l StandingLease) IdleSince() time.Time {
	if l.LastRequestAt != nil && l.LastRequestAt.After(l.Since) {
		return *l.LastRequestAt
	}
	return l.Since
}
