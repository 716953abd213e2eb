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
