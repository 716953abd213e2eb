package workflows

import (
	"slices"
	"time"

	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/temporal"
)

// Activity options, named by how the activity behaves. Every activity has a StartToClose and a bounded number of
// attempts; what has something to undo waits for its cancellation to be over.

// briefly is for activities that talk to Postgres and its like, and hold nothing.
func briefly(ctx workflow.Context, limits temporal.Limits, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: temporal.QueueControl, StartToCloseTimeout: limits.Short, RetryPolicy: retry(limits), Summary: summary,
	})
}

// patiently is for what stands between a finished build and its release: an outage that a restart ends must not throw the
// build away.
func patiently(ctx workflow.Context, limits temporal.Limits, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: temporal.QueueControl, StartToCloseTimeout: limits.Short, ScheduleToCloseTimeout: limits.Release,
		RetryPolicy: again(limits), Summary: summary,
	})
}

// stubbornly is for the activities that end a deployment: they are tried until the record is right, since nothing else
// would put it right, and a day is longer than any outage that is survived at all.
func stubbornly(ctx workflow.Context, limits temporal.Limits, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: temporal.QueueControl, StartToCloseTimeout: limits.Short, ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy: again(limits), Summary: summary,
	})
}

// inLine is for the claim of a build slot: it waits in the queue as long as deploys may (a deploy's own deadline begins when
// it has its slot), then runs briefly, and again while Postgres is away: who has waited for an hour is not to fail for that. Projects
// take turns: the claims of one that posts many deploys do not make another's wait for all of them. A host's own queue has
// no use for the key, since nothing waits there.
func inLine(ctx workflow.Context, limits temporal.Limits, project, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: temporal.QueueBuild, StartToCloseTimeout: limits.Short, ScheduleToCloseTimeout: limits.Line, WaitForCancellation: true,
		RetryPolicy: again(limits), Priority: sdktemporal.Priority{FairnessKey: project}, Summary: summary,
	})
}

// working is for a step that takes its time: it heartbeats, and a cancel waits until it has undone what it does.
func working(ctx workflow.Context, limits temporal.Limits, queue string, timeout time.Duration, summary string) workflow.Context {
	options := workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: timeout, HeartbeatTimeout: limits.Heartbeat, WaitForCancellation: true,
		RetryPolicy: retry(limits), Summary: summary,
	}
	if queue != temporal.QueueControl { // a host's own queue: nobody polls it when the host is gone
		options.ScheduleToStartTimeout = limits.ScheduleToStart
	}
	return workflow.WithActivityOptions(ctx, options)
}

// inOneGo is for what is done again anyway: one attempt, and a host that is not there ends it.
func inOneGo(ctx workflow.Context, limits temporal.Limits, queue string, timeout time.Duration, summary string) workflow.Context {
	return workflow.WithRetryPolicy(working(ctx, limits, queue, timeout, summary), sdktemporal.RetryPolicy{MaximumAttempts: 1})
}

// untilGone is for what gives back or removes what a host holds: nothing else would, so it outlasts an outage of
// Postgres or of the engine, but it keeps no deployment from ending for ever. A host that is gone ends it sooner.
func untilGone(ctx workflow.Context, limits temporal.Limits, queue string, attempt time.Duration, summary string) workflow.Context {
	ctx = working(ctx, limits, queue, attempt, summary)
	return workflow.WithRetryPolicy(workflow.WithScheduleToCloseTimeout(ctx, 5*attempt), *again(limits))
}

// farewell is untilGone for a host whose work of this deployment is over. Who cancels does not wait for a host that may be gone
// longer than it takes to be sure of it, and of one that has been silent just now nobody expects much: what it holds goes when it
// is back.
func farewell(ctx workflow.Context, limits temporal.Limits, h visited, canceled bool, summary string) workflow.Context {
	ctx = untilGone(ctx, limits, h.queue, limits.CleanUp, summary)
	switch {
	case h.silent:
		return workflow.WithScheduleToStartTimeout(ctx, min(lastCall, limits.ScheduleToStart))
	case canceled:
		return workflow.WithScheduleToStartTimeout(ctx, min(limits.Heartbeat, limits.ScheduleToStart))
	default:
		return ctx
	}
}

// lastCall is how long a host that did not answer is given to show that it was only busy.
const lastCall = 3 * time.Second

// visited is a host that may hold something of this run.
type visited struct {
	queue  string
	silent bool // it did not answer the last time
}

// visits notes that a preview host may hold something, and returns what is known of it.
func (d *deploy) visits(queue string) *visited {
	i := slices.IndexFunc(d.engines, func(v visited) bool { return v.queue == queue })
	if i < 0 {
		i = len(d.engines)
		d.engines = append(d.engines, visited{queue: queue})
	}
	return &d.engines[i]
}

// visited notes how a preview host has answered the last time.
func (d *deploy) visited(queue string, silent bool) { d.visits(queue).silent = silent }

func retry(limits temporal.Limits) *sdktemporal.RetryPolicy {
	return &sdktemporal.RetryPolicy{
		InitialInterval: limits.RetryInitial, BackoffCoefficient: 2, MaximumInterval: limits.RetryMaximum,
		MaximumAttempts: limits.Attempts,
	}
}

// again is retry for what something else ends: a ScheduleToClose, or the deploy's own deadline.
func again(limits temporal.Limits) *sdktemporal.RetryPolicy {
	policy := retry(limits)
	policy.MaximumAttempts = 0
	return policy
}
