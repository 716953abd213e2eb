package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Control holds the activities that only decide and record; they run on any host.
type Control struct {
	Store  Store
	Ledger Ledger
	Hosts  Hosts
	Turns  *Turns
	Leases PreviewLeases
	Policy deployment.LeasePolicy
	Limits temporal.Limits // of the workflows that keep leases
}

// PlacePreview chooses the host that will run a deployment's container. The build is over by now: the lease of a build
// host that could not be told so is given up here, or it would cost that host a slot for ever.
func (c *Control) PlacePreview(ctx context.Context, in temporal.StepInput) (temporal.PlaceResult, error) {
	if err := giveUpLeases(ctx, c.Ledger, in.DeploymentID); err != nil {
		return temporal.PlaceResult{}, err
	}
	return c.FindPreviewHost(ctx, in)
}

// CloseDeployment records how a deployment that did not become ready ended, and answers how it really stands: a cancel
// that lost against the switch finds it ready. Leases of hosts that are gone are given up here.
func (c *Control) CloseDeployment(ctx context.Context, in temporal.CloseInput) (temporal.CloseResult, error) {
	run := activity.GetInfo(ctx).WorkflowExecution.RunID
	// The end comes first: a run that has lost the deployment to another must not give up the other's leases.
	outcome, err := c.Store.Finish(ctx, in.DeploymentID, run, in.Outcome, in.Failure)
	if err != nil {
		return temporal.CloseResult{}, err
	}
	if err := giveUpLeases(ctx, c.Ledger, in.DeploymentID); err != nil {
		return temporal.CloseResult{}, err
	}
	c.Turns.Next(ctx, in.DeploymentID)
	result := temporal.CloseResult{Outcome: outcome, RunID: run}
	switch outcome {
	case deployment.StatusReady:
		result.Replaced, err = replacedBy(ctx, c.Store, in.DeploymentID)
	case deployment.StatusCanceled, deployment.StatusSuperseded:
		result.Receipt, err = c.Store.Receipt(ctx, in.DeploymentID)
	default:
	}
	return result, err
}

// giveUpLeases frees the build slots that a deployment holds, on whichever hosts.
func giveUpLeases(ctx context.Context, ledger Ledger, deploymentID string) error {
	leases, err := ledger.Owned(ctx, deploymentID, "", deployment.ResourceLease)
	if err != nil {
		return err
	}
	for _, lease := range leases {
		if err := ledger.Gone(ctx, lease, 0); err != nil {
			return err
		}
	}
	return nil
}
