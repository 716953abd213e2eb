package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/temporal"
)

// Teardown removes everything that a deleted project or environment owns: it cancels what is under way and waits for its
// end, clears hosts and registry, and deletes the rows last. What a host that does not answer holds keeps the rows, and
// nothing else: the workflow fails, and is begun again until the host is back.
func Teardown(ctx workflow.Context, in temporal.TeardownInput) error {
	ending := untilGone(ctx, in.Limits, temporal.QueueControl, in.Limits.CleanUp, "cancel what is under way")
	workflow.SetCurrentDetails(ctx, "waiting for the end of what is under way")
	if err := workflow.ExecuteActivity(ending, reconciler.EndDeployments, in).Get(ctx, nil); err != nil {
		return fmt.Errorf("end what is under way: %w", err)
	}
	workflow.SetCurrentDetails(ctx, "removing previews, workspaces and images")
	hosts := clearHosts(ctx, in)
	removing := untilGone(ctx, in.Limits, temporal.QueueControl, in.Limits.CleanUp, "remove the images")
	images := workflow.ExecuteActivity(removing, reconciler.RemoveImages, in).Get(ctx, nil)
	if err := errors.Join(hosts, images); err != nil {
		workflow.SetCurrentDetails(ctx, "something is left: "+err.Error())
		return err
	}
	workflow.SetCurrentDetails(ctx, "deleting the rows")
	purging := untilGone(ctx, in.Limits, temporal.QueueControl, in.Limits.CleanUp, "delete the rows")
	return workflow.ExecuteActivity(purging, reconciler.PurgeDeleted, in).Get(ctx, nil)
}

// clearHosts clears all hosts at once: one that is gone keeps no other from it.
func clearHosts(ctx workflow.Context, in temporal.TeardownInput) error {
	var plan temporal.TeardownPlan
	if err := workflow.ExecuteActivity(stubbornly(ctx, in.Limits, "list what is owned"), reconciler.ListTeardown, in).Get(ctx, &plan); err != nil {
		return err
	}
	var clearing []workflow.Future
	for _, queue := range plan.Previews {
		host := untilGone(ctx, in.Limits, queue, in.Limits.Drain, "remove the previews")
		clearing = append(clearing, workflow.ExecuteActivity(host, preview.ClearPreviews, in))
	}
	for _, queue := range plan.Builds {
		host := untilGone(ctx, in.Limits, queue, in.Limits.CleanUp, "remove the workspaces")
		clearing = append(clearing, workflow.ExecuteActivity(host, slots.ClearWorkspaces, in))
	}
	var errs []error
	for i, cleared := range clearing {
		if err := cleared.Get(ctx, nil); err != nil {
			errs = append(errs, fmt.Errorf("clear %s: %w", append(plan.Previews, plan.Builds...)[i], err))
		}
	}
	return errors.Join(errs...)
}
