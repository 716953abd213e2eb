package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

var (
	reconciler *activities.Reconciler
	sweeper    *activities.Sweeper
)

// Reconcile makes one pass of repairs; a schedule starts it. Hosts look after themselves, so that only a pass which a person
// waits for asks them: it names every difference, and what could not be compared is one of them.
func Reconcile(ctx workflow.Context, in temporal.ReconcileInput) (temporal.ReconcileResult, error) {
	c := comparison{in: in}
	repairing := inOneGo(ctx, in.Limits, temporal.QueueControl, in.Limits.CleanUp, "repair what does not match")
	c.add(ctx, "rows", "", workflow.ExecuteActivity(repairing, reconciler.Repair, in))
	matching := inOneGo(ctx, in.Limits, temporal.QueueControl, in.Limits.CleanUp, "compare the registry with the ledger")
	c.add(ctx, "registry", "", workflow.ExecuteActivity(matching, reconciler.CompareTags, in))
	if in.Named() {
		c.askHosts(ctx)
	}
	return c.result, errors.Join(c.errs...)
}

// comparison gathers what the parts of a pass have found.
type comparison struct {
	in     temporal.ReconcileInput
	result temporal.ReconcileResult
	errs   []error
}

// add waits for a part. Where differences are named, a part that failed is one of them, and keeps nobody from the others.
func (c *comparison) add(ctx workflow.Context, kind, thing string, part workflow.Future) {
	var found temporal.ReconcileResult
	err := part.Get(ctx, &found)
	c.result.Add(found)
	switch {
	case err == nil:
	case !c.in.Named() || ctx.Err() != nil:
		c.errs = append(c.errs, fmt.Errorf("compare %s: %w", kind, err))
	default:
		f := activities.Failure(err, "")
		c.result.Name(deployment.Difference{Kind: kind, Thing: thing, Host: thing, Found: "it was not compared", Error: f.Message, Fix: f.Fix})
	}
}

// askHosts asks all hosts at once to compare what they hold with the ledger.
func (c *comparison) askHosts(ctx workflow.Context) {
	var hosts []deployment.Host
	if err := workflow.ExecuteActivity(briefly(ctx, c.in.Limits, "list the hosts"), reconciler.Hosts).Get(ctx, &hosts); err != nil {
		c.errs = append(c.errs, fmt.Errorf("list the hosts: %w", err))
		return
	}
	asked := make([]workflow.Future, len(hosts))
	for i, host := range hosts {
		if host.Alive {
			asking := inOneGo(ctx, c.in.Limits, temporal.QueueOf(host), c.in.Limits.CleanUp, "compare host "+host.ID)
			asked[i] = workflow.ExecuteActivity(asking, sweeper.CompareHost, c.in)
		}
	}
	for i, host := range hosts {
		if asked[i] != nil {
			c.add(ctx, "host", host.ID, asked[i])
			continue
		}
		c.result.Name(deployment.Difference{
			Kind: "host", Thing: host.ID, Host: host.ID, Found: silence(host, workflow.Now(ctx)),
			Fix: fmt.Sprintf("start its worker; when it is gone for good: slipway admin hosts forget %s", host.ID),
		})
	}
}

// silence says for how long a host has not been seen.
func silence(host deployment.Host, now time.Time) string {
	if host.LastSeenAt == nil {
		return "no worker of it was ever seen, and it holds something"
	}
	return fmt.Sprintf("it has not been seen for %s", now.Sub(*host.LastSeenAt).Round(time.Second))
}
