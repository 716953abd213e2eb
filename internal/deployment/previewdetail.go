package deployment

import "time"

// SampleInterval is how often a host looks at the containers of its previews.
const SampleInterval = 15 * time.Second

// PreviewDetail is a preview as people see it: whose it is, how its container stands, its lease, and what it did lately.
type PreviewDetail struct {
	Preview
	Number                     int // of its deployment
	ProjectID, ProjectName     string
	EnvironmentID, Environment string
	Kind                       EnvironmentKind
	PreviewHost                string // the deployment's own host name
	EnvHost                    string // the environment's
	LiveID                     string // the deployment that is live in the environment; empty for none
	LiveNumber                 int
	Stands                     bool          // its container is in the ledger: it was not verified gone
	Lease                      *PreviewLease // nil when another deployment is live, or none
	Traffic                    *Traffic      // likewise, and when nobody has asked for the environment yet
	Sample                     *Sample       // nil when its host has not looked yet
	ReadyAt                    *time.Time
	CreatedAt, UpdatedAt       time.Time // UpdatedAt: when its state changed last
	Now                        time.Time // by the clock that the other times were taken with
}

// PreviewFilter narrows a list of previews; empty fields do not narrow.
type PreviewFilter struct {
	ProjectID     string
	EnvironmentID string
	Environment   string // its name
	State         PreviewState
}

// PreviewCondition says more of a preview than its state.
type PreviewCondition string

// The conditions of a preview; most have none.
const (
	ConditionCrashLooping PreviewCondition = "crash_looping" // the engine restarts it again and again
	ConditionStarting     PreviewCondition = "starting"      // it was asked to start, and does not run yet
	ConditionRetrying     PreviewCondition = "retrying"      // it did not come up when it was started, and is tried again by itself
	ConditionWaking       PreviewCondition = "waking"        // it is asleep, and was asked to wake
	ConditionStopping     PreviewCondition = "stopping"      // it was asked to stop, or its time is over, and its container is not gone yet
)

// Live reports whether the preview's deployment is the live one of its environment.
func (p PreviewDetail) Live() bool { return p.LiveID == p.DeploymentID }

// Condition returns what is to be said of the preview besides its state, empty for nothing.
func (p PreviewDetail) Condition() PreviewCondition {
	switch {
	case p.Lease == nil:
		return ""
	case !p.wantedNow():
		if p.Stands || p.State != PreviewStopped && p.State != PreviewFailed {
			return ConditionStopping
		}
	case (p.State == PreviewStopped || p.State == PreviewFailed) && p.Lease.Failure == nil:
		return ConditionStarting
	case p.State == PreviewFailed && p.Lease.NextStartAt != nil:
		return ConditionRetrying
	case p.State == PreviewAsleep && p.Lease.WakeRequestedAt != nil:
		return ConditionWaking
	case p.State == PreviewLive && p.SampleIsCurrent() && p.Sample.CrashLooping:
		return ConditionCrashLooping
	}
	return ""
}

// NextAttemptAt returns when one that did not come up is started again by itself; nil for one that is not.
func (p PreviewDetail) NextAttemptAt() *time.Time {
	if p.Condition() != ConditionRetrying {
		return nil
	}
	return p.Lease.NextStartAt
}

// wantedNow reports whether the preview is to be there, asleep or not.
func (p PreviewDetail) wantedNow() bool {
	l := p.Lease
	return l.Wanted == WantedRunning && (l.Pinned || l.ExpiresAt == nil || l.ExpiresAt.After(p.Now))
}

// SampleIsCurrent reports whether the sample says how the container stands, rather than how it stood.
func (p PreviewDetail) SampleIsCurrent() bool {
	return p.Sample != nil && p.State == PreviewLive && p.Now.Sub(p.Sample.At) < 3*SampleInterval
}

// IdleSince returns the time of the last request, or since when there could have been one; nil when it has no traffic of its own.
func (p PreviewDetail) IdleSince() *time.Time {
	if p.Lease == nil || p.ReadyAt == nil {
		return nil
	}
	if p.Traffic != nil && p.Traffic.LastRequestAt.After(*p.ReadyAt) {
		return &p.Traffic.LastRequestAt
	}
	return p.ReadyAt
}

// SleepsAt returns when the preview falls asleep unless a request comes: idle after the last one, or after it became live or awake;
// nil for one that does not run or never sleeps.
func (p PreviewDetail) SleepsAt(idle time.Duration) *time.Time {
	if p.Lease == nil || p.State != PreviewLive || p.Kind == KindProduction || p.Lease.Pinned || !p.wantedNow() || idle == 0 {
		return nil
	}
	since := p.UpdatedAt
	if p.Traffic != nil && p.Traffic.LastRequestAt.After(since) {
		since = p.Traffic.LastRequestAt
	}
	return new(since.Add(idle))
}
