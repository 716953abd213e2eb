package worker

import (
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/workflows"
)

// RegisterWorkflows registers every workflow under the name that histories store.
func RegisterWorkflows(r sdkworker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(workflows.Deploy, workflow.RegisterOptions{Name: temporal.WorkflowDeploy})
	r.RegisterWorkflowWithOptions(workflows.Reconcile, workflow.RegisterOptions{Name: temporal.WorkflowReconcile})
	r.RegisterWorkflowWithOptions(workflows.Teardown, workflow.RegisterOptions{Name: temporal.WorkflowTeardown})
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
}
