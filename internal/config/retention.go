package config

import (
	"fmt"
	"time"
)

// Retention says how much is kept of what has been.
type Retention struct {
	Images int // per environment, the newest that were live
	LogMB  int // of one deployment's log

	Logs        time.Duration // of deployments that are over; 0 for ever, likewise below
	Deployments time.Duration // that are over, themselves
}

func (r *Retention) keys() []key {
	return []key{
		{
			env: "SLIPWAY_KEEP_IMAGES", path: "retention.images", initial: "5", value: number(&r.Images, 1, 1000),
			doc: "Images that are kept per environment: those that were live last, for a rollback. Older ones are deleted from the registry, unless a live preview or a deployment under way needs them.",
		},
		{
			env: "SLIPWAY_LOG_MAX_MB", path: "retention.log_max_mb", initial: "50", value: number(&r.LogMB, 1, 1<<20),
			doc: "How long one deployment's log may become, the output of its live app included, in MiB; a line counts as its text and 100 bytes. The first half stays, what follows is kept newest first, and a line where the others were says how many they were. A change holds for what is written from then on.",
		},
		{
			env: "SLIPWAY_LOG_RETENTION", path: "retention.logs", initial: "720h", value: lasting(&r.Logs),
			doc: "How long the log of a deployment is kept, what its app printed included, from when it ended or, once it was live, from when its preview was stopped; an hour at least, `forever` to keep all. A line that says when it was removed stays.",
		},
		{
			env: "SLIPWAY_DEPLOYMENT_RETENTION", path: "retention.deployments", initial: "8760h", value: lasting(&r.Deployments),
			doc: "How long a deployment itself is kept, counted likewise, with its steps, its plan and its idempotency key; no shorter than its log and its history in Temporal; `forever` to keep all. The newest of each environment, what is live or under way, and what one may go back to (`SLIPWAY_KEEP_IMAGES`) stay however old they are.",
		},
	}
}

// check reports times that contradict each other, and those of the histories in Temporal. What is looked at by way of a deployment
// goes no later than the deployment.
func (r *Retention) check(t Temporal) Faults {
	var faults Faults
	if r.Logs > 0 && r.Logs < time.Hour {
		faults = append(faults, Fault{Key: "SLIPWAY_LOG_RETENTION", Problem: r.Logs.String() + " is too short", Fix: "give at least 1h, or forever"})
	}
	if r.Deployments == 0 {
		return faults
	}
	const fix = "give a longer time, or forever, or shorten the other"
	if r.Logs == 0 || r.Deployments < r.Logs {
		faults = append(faults, Fault{
			Key: "SLIPWAY_DEPLOYMENT_RETENTION", Fix: fix,
			Problem: fmt.Sprintf("%s is shorter than SLIPWAY_LOG_RETENTION, %s", r.Deployments, foreverOr(r.Logs)),
		})
	}
	if r.Deployments < t.Retention {
		faults = append(faults, Fault{
			Key: "SLIPWAY_DEPLOYMENT_RETENTION", Fix: fix,
			Problem: fmt.Sprintf("%s is shorter than SLIPWAY_TEMPORAL_RETENTION, %s: a history would be left that leads nowhere", r.Deployments, t.Retention),
		})
	}
	return faults
}

func foreverOr(d time.Duration) string {
	if d == 0 {
		return forever
	}
	return d.String()
}
