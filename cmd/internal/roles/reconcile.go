package roles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// reconcileLook is how often somebody who waits for the reconciler is told what it waits for.
const reconcileLook = 2 * time.Second

// Reconciliation is one pass of the reconciler that a person waits for.
type Reconciliation struct {
	DryRun  bool          // find what differs, and repair nothing
	Timeout time.Duration // for the whole of it
	Tell    func(string)  // told what it waits for when that changes
}

// Run runs the pass on the installation's workers and returns what it found.
func (r Reconciliation) Run(ctx context.Context, m config.Dev, log *slog.Logger) (temporal.ReconcileResult, error) {
	var result temporal.ReconcileResult
	client, err := dialMachine(ctx, m, log)
	if err != nil {
		return result, err
	}
	defer client.Close()
	run, err := client.ExecuteWorkflow(ctx, sdkclient.StartWorkflowOptions{
		ID: temporal.ReconcileWorkflowID(uuid.NewString()), TaskQueue: temporal.QueueControl, WorkflowExecutionTimeout: r.Timeout,
		StaticSummary: "slipway admin reconcile",
	}, temporal.WorkflowReconcile, temporal.ReconcileInput{Limits: Limits(m.Timeouts), List: true, DryRun: r.DryRun})
	if err != nil {
		return result, fmt.Errorf("start the reconciler in temporal at %s: %w", m.Temporal.Addr, err)
	}
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { r.watch(watching, client, run) })
	err = run.Get(ctx, &result)
	stop()
	watch.Wait()
	var late *sdktemporal.TimeoutError
	switch {
	case ctx.Err() != nil: // what is repaired is repaired, the rest is left to the schedule
		_ = client.CancelWorkflow(context.WithoutCancel(ctx), run.GetID(), run.GetRunID())
		return result, context.Cause(ctx)
	case errors.As(err, &late):
		return result, deployment.TransientFailure("reconcile.timeout", "see that a worker runs (`slipway admin hosts list`), or give it more time with --timeout",
			"the reconciler was not through within %s: workflow %s", r.Timeout, run.GetID())
	}
	return result, err
}

// watch tells what the run waits for, whenever that changes.
func (r Reconciliation) watch(ctx context.Context, client sdkclient.Client, run sdkclient.WorkflowRun) {
	tick := time.NewTicker(reconcileLook)
	defer tick.Stop()
	for told := ""; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		seen, err := client.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
		if err != nil {
			continue // Get says so when it lasts
		}
		waiting := waitsFor(seen)
		if waiting != told && waiting != "" {
			r.Tell(waiting)
		}
		told = waiting
	}
}

// waitsFor names the parts of a pass that are under way.
func waitsFor(seen *workflowservice.DescribeWorkflowExecutionResponse) string {
	if seen.GetWorkflowExecutionInfo().GetHistoryLength() <= 2 { // it was started, and its first task waits
		return "a worker: none has taken it yet"
	}
	var parts []string
	for _, a := range seen.GetPendingActivities() {
		part := a.GetActivityType().GetName()
		if queue := a.GetActivityOptions().GetTaskQueue().GetName(); queue != "" && queue != temporal.QueueControl {
			part += " on " + queue
		}
		if failure := a.GetLastFailure().GetMessage(); failure != "" {
			part += fmt.Sprintf(" (attempt %d: %s)", a.GetAttempt(), failure)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// dialMachine connects to the Temporal of the installation on this machine, for a command.
func dialMachine(ctx context.Context, m config.Dev, log *slog.Logger) (sdkclient.Client, error) {
	payloads, err := openCodec(ctx, m.Postgres)
	if err != nil {
		return nil, err
	}
	options := temporalOptions(m.Temporal, log)
	payloads.Use(&options, m.Temporal.Encryption)
	client, err := sdkclient.DialContext(ctx, options)
	if err != nil {
		return nil, deployment.TransientFailure("temporal.unreachable", "start Temporal, or name it with SLIPWAY_TEMPORAL_ADDR",
			"connect to temporal at %s: %w", m.Temporal.Addr, err)
	}
	return client, nil
}
