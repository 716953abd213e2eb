package worker

import (
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/workflows"
)

// RegisterWorkflows registers every workflow under the name that histories store. Where builds of the worker are told apart, each
// but a lease's ends on the build that began it: none lasts longer than an old build is kept for the deploys under way.
func RegisterWorkflows(r sdkworker.WorkflowRegistry) {
	register := func(w any, name string) {
		r.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name, VersioningBehavior: workflow.VersioningBehaviorPinned})
	}
	register(workflows.Deploy, temporal.WorkflowDeploy)
	register(workflows.Reconcile, temporal.WorkflowReconcile)
	register(workflows.Teardown, temporal.WorkflowTeardown)
	// A lease is kept for as long as its preview stands, which is longer than any build of the worker is.
	r.RegisterWorkflowWithOptions(workflows.Lease, workflow.RegisterOptions{
		Name: temporal.WorkflowLease, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	})
}

// Activities are the sets of activities that a process can run; a nil set is not run here.
type Activities struct {
	Control    *activities.Control
	Reconciler *activities.Reconciler
	Source     *activities.Source
	Slots      *activities.Slots
	Plan       *activities.Plan
	Build      *activities.Build
	Preview    *activities.Preview
	Sweeper    *activities.Sweeper
}
