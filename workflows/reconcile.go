package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/temporal"
)

var reconciler *activities.Reconciler

// Reconcile makes one pass of repairs; a schedule starts it.
func Reconcile(ctx workflow.Context, in temporal.ReconcileInput) (result temporal.ReconcileResult, err error) {
	ctx = briefly(ctx, in.Limits, "repair what does not match")
	err = workflow.ExecuteActivity(ctx, reconciler.Repair).Get(ctx, &result)
	return result, err
}

// Teardown removes everything that a deleted project owns: first what stands on hosts, then the rows.
func Teardown(ctx workflow.Context, in temporal.TeardownInput) error {
	var plan temporal.TeardownPlan
	listing := stubbornly(ctx, in.Limits, "list what the project owns")
	if err := workflow.ExecuteActivity(listing, reconciler.ListTeardown, in).Get(ctx, &plan); err != nil {
		return err
	}
	for _, p := range plan.Previews {
		stopping := working(ctx, in.Limits, p.Queue, in.Limits.Drain, "stop the preview of "+p.DeploymentID)
		step := temporal.StepInput{DeploymentID: p.DeploymentID}
		if err := workflow.ExecuteActivity(stopping, preview.DrainPreview, step).Get(ctx, nil); err != nil {
			return err // the reconciler starts the teardown again
		}
	}
	purging := stubbornly(ctx, in.Limits, "remove the project's rows")
	return workflow.ExecuteActivity(purging, reconciler.PurgeProject, in).Get(ctx, nil)
}
