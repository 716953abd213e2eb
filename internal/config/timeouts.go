package config

import (
	"fmt"
	"time"
)

// Timeouts are all the times that slipway waits. A deploy keeps those it was started with.
type Timeouts struct {
	Line      time.Duration // waiting for a build slot
	Deploy    time.Duration // a whole deploy from then on
	Resolve   time.Duration // one attempt, likewise below
	Fetch     time.Duration
	Plan      time.Duration
	Release   time.Duration // pull, start and switch, on top of the health check's time-out and the release command's
	Drain     time.Duration // stopping a container that lost its route
	CleanUp   time.Duration // of what a failed deploy left
	Short     time.Duration // steps that only talk to Postgres
	DrainWait time.Duration // from the switch to the SIGTERM of the preview that was replaced
	StopWait  time.Duration // from SIGTERM to SIGKILL of a preview
	WakeWait  time.Duration // of a request to a preview that is asleep

	ProbeInterval     time.Duration // between two tries of a health check
	Heartbeat         time.Duration // silence after which a step's worker counts as dead
	HeartbeatInterval time.Duration // between two heartbeats
	ScheduleToStart   time.Duration // wait on a host's own queue after which the host counts as gone
	HostSeen          time.Duration // between two notes of a host that it lives
	Reconcile         time.Duration // between two runs of the reconciler
	Shutdown          time.Duration // for running requests and steps when a process stops

	RetryInitial time.Duration // before the second attempt at a step; doubled for each further one
	RetryMaximum time.Duration // the longest wait between two attempts
	Attempts     int32         // at a step that fails for no fault of the user's
	Hosts        int           // tried before a deploy fails because they are gone
}

func (t *Timeouts) keys() []key {
	after := func(env, path, initial string, into *time.Duration, doc string) key {
		return key{env: env, path: "timeouts." + path, initial: initial, value: duration(into), doc: doc}
	}
	return []key{
		after("SLIPWAY_LINE_TIMEOUT", "line", "24h", &t.Line, "Waiting in line for a build slot."),
		after("SLIPWAY_DEPLOY_TIMEOUT", "deploy", "2h", &t.Deploy, "A whole deploy from its build slot on."),
		after("SLIPWAY_RESOLVE_TIMEOUT", "resolve", "1m", &t.Resolve, "One attempt to turn a ref into a commit."),
		after("SLIPWAY_FETCH_TIMEOUT", "fetch", "10m", &t.Fetch, "One attempt to fetch a commit."),
		after("SLIPWAY_PLAN_TIMEOUT", "plan", "2m", &t.Plan, "One attempt to plan a build. Building has the project's `build_timeout_seconds`."),
		after("SLIPWAY_RELEASE_TIMEOUT", "release", "10m", &t.Release, "One attempt to pull, start and switch, on top of the project's health check time-out and `release_timeout_seconds`."),
		after("SLIPWAY_DRAIN_TIMEOUT", "drain", "2m", &t.Drain, "One attempt to stop a preview that was replaced."),
		after("SLIPWAY_CLEANUP_TIMEOUT", "clean_up", "2m", &t.CleanUp, "One attempt to remove what a deploy leaves."),
		after("SLIPWAY_SHORT_TIMEOUT", "short", "10s", &t.Short, "One attempt at a step that only talks to Postgres."),
		after("SLIPWAY_DRAIN_WAIT", "drain_wait", "30s", &t.DrainWait, "How long requests to a preview that was replaced may go on; its WebSockets are closed then with code 1001, and it is told to end a second later."),
		after("SLIPWAY_STOP_WAIT", "stop_wait", "10s", &t.StopWait, "How long a preview may take to end after SIGTERM."),
		after("SLIPWAY_WAKE_WAIT", "wake_wait", "30s", &t.WakeWait, "How long a gateway holds a request to a preview that is asleep until that is woken; beyond it answers 503. A browser is shown a page after 5 s."),
		after("SLIPWAY_PROBE_INTERVAL", "probe_interval", "250ms", &t.ProbeInterval, "Between two tries of a preview's health check."),
		after("SLIPWAY_HEARTBEAT_TIMEOUT", "heartbeat", "15s", &t.Heartbeat, "Silence after which a step's worker counts as dead."),
		after("SLIPWAY_HEARTBEAT_INTERVAL", "heartbeat_interval", "1s", &t.HeartbeatInterval, "Between two heartbeats of a step: how fast a cancel is seen on a server that does not push it."),
		after("SLIPWAY_SCHEDULE_TO_START", "schedule_to_start", "60s", &t.ScheduleToStart, "Wait on a host's own queue after which the host counts as gone."),
		after("SLIPWAY_HOST_SEEN_INTERVAL", "host_seen", "10s", &t.HostSeen, "How often a host notes that it lives."),
		after("SLIPWAY_RECONCILE_INTERVAL", "reconcile", "20s", &t.Reconcile, "How often what is gets compared with what should be: a workflow that was terminated is found and what it left is removed within three times this."),
		after("SLIPWAY_SHUTDOWN_TIMEOUT", "shutdown", "20s", &t.Shutdown, "How long running requests and steps may take when a process stops."),
		after("SLIPWAY_RETRY_INITIAL", "retry_initial", "1s", &t.RetryInitial, "Wait before the second attempt at a step; it doubles with each further one."),
		after("SLIPWAY_RETRY_MAXIMUM", "retry_maximum", "30s", &t.RetryMaximum, "Longest wait between two attempts at a step, or at starting a preview that does not come up."),
		{
			env: "SLIPWAY_RETRY_ATTEMPTS", path: "timeouts.retry_attempts", initial: "8", value: number(&t.Attempts, 1, 1000),
			doc: "Attempts at a step that fails for no fault of the user's; 8 wait for 91 s in all, which outlasts a component that is away for a minute. A preview whose app does not come up when it is woken or started is tried as often, production's for as long as it is wanted.",
		},
		{
			env: "SLIPWAY_HOSTS_TRIED", path: "timeouts.hosts_tried", initial: "3", value: number(&t.Hosts, 1, 100),
			doc: "Build or preview hosts that a deploy tries when one after the other is gone.",
		},
	}
}

// drainRoom is what stopping a container takes besides its waits.
const drainRoom = 5 * time.Second

// check reports times that contradict each other.
func (t *Timeouts) check() Faults {
	var faults Faults
	if 2*t.HeartbeatInterval > t.Heartbeat {
		faults = append(faults, Fault{
			Key:     "SLIPWAY_HEARTBEAT_INTERVAL",
			Problem: fmt.Sprintf("%s leaves no room in a heartbeat time-out of %s", t.HeartbeatInterval, t.Heartbeat),
			Fix:     "give at most half of SLIPWAY_HEARTBEAT_TIMEOUT",
		})
	}
	if least := t.DrainWait + t.StopWait + drainRoom; t.Drain < least {
		faults = append(faults, Fault{
			Key:     "SLIPWAY_DRAIN_TIMEOUT",
			Problem: fmt.Sprintf("%s leaves no room for SLIPWAY_DRAIN_WAIT and SLIPWAY_STOP_WAIT, %s and %s", t.Drain, t.DrainWait, t.StopWait),
			Fix:     fmt.Sprintf("give at least %s", least),
		})
	}
	if t.RetryInitial > t.RetryMaximum {
		faults = append(faults, Fault{
			Key:     "SLIPWAY_RETRY_INITIAL",
			Problem: fmt.Sprintf("%s is longer than the longest wait of %s", t.RetryInitial, t.RetryMaximum),
			Fix:     "give at most SLIPWAY_RETRY_MAXIMUM",
		})
	}
	return faults
}
