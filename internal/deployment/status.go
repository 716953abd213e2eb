package deployment

import "slices"

// Status says where a deployment stands. The transitions table below is the only statement of what may follow what;
// the Postgres trigger and docs/states.md are generated from it (`make generate`).
type Status string

// The statuses of a deployment, in the order in which a deploy passes through them.
const (
	StatusQueued     Status = "queued"
	StatusFetching   Status = "fetching"
	StatusPlanning   Status = "planning"
	StatusBuilding   Status = "building"
	StatusReleasing  Status = "releasing"
	StatusReady      Status = "ready"
	StatusCanceling  Status = "canceling"
	StatusFailed     Status = "failed"
	StatusCanceled   Status = "canceled"
	StatusSuperseded Status = "superseded"
)

// Statuses lists every status in the order of the constants above.
func Statuses() []Status {
	return []Status{
		StatusQueued, StatusFetching, StatusPlanning, StatusBuilding, StatusReleasing,
		StatusReady, StatusCanceling, StatusFailed, StatusCanceled, StatusSuperseded,
	}
}

// transitions names, for each status, the statuses that may follow it. A step may run again on another host (planning →
// fetching), a finished image skips the build (planning → releasing), and a retry starts over (failed → queued), as does a
// run that was reset while it went on (building → queued).
var transitions = map[Status][]Status{
	StatusQueued:    {StatusFetching, StatusReleasing, StatusCanceling, StatusCanceled, StatusFailed, StatusSuperseded},
	StatusFetching:  {StatusPlanning, StatusQueued, StatusCanceling, StatusCanceled, StatusFailed, StatusSuperseded},
	StatusPlanning:  {StatusBuilding, StatusReleasing, StatusFetching, StatusQueued, StatusCanceling, StatusCanceled, StatusFailed, StatusSuperseded},
	StatusBuilding:  {StatusReleasing, StatusFetching, StatusQueued, StatusCanceling, StatusCanceled, StatusFailed, StatusSuperseded},
	StatusReleasing: {StatusReady, StatusQueued, StatusCanceling, StatusCanceled, StatusFailed, StatusSuperseded},
	StatusCanceling: {StatusCanceled, StatusSuperseded, StatusFailed},
	StatusFailed:    {StatusQueued},
	StatusCanceled:  {StatusQueued},
}

// Next returns the statuses that may follow s, none for an end that cannot be retried.
func (s Status) Next() []Status { return slices.Clone(transitions[s]) }

// CanBecome reports whether a deployment in s may be moved to next.
func (s Status) CanBecome(next Status) bool { return slices.Contains(transitions[s], next) }

// Ended reports whether nothing is being done for the deployment any more.
func (s Status) Ended() bool {
	switch s {
	case StatusReady, StatusFailed, StatusCanceled, StatusSuperseded:
		return true
	default:
		return false
	}
}

// Retryable reports whether a retry may begin the deployment again, as far as its status says.
func (s Status) Retryable() bool { return s == StatusFailed || s == StatusCanceled }

// Cancelable reports whether a cancel request still makes sense: the route has not switched and nobody asked before.
func (s Status) Cancelable() bool { return !s.Ended() && s != StatusCanceling }

// Valid reports whether s is one of Statuses.
func (s Status) Valid() bool { return slices.Contains(Statuses(), s) }
