package temporal

import (
	"slices"
	"strings"

	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Names of workflow types, of an activity that is looked for, and of a signal: what the Web UI shows and what histories store, so they
// never change.
const (
	WorkflowDeploy    = "Deploy"
	WorkflowReconcile = "Reconcile"
	WorkflowTeardown  = "Teardown"
	WorkflowLease     = "Lease"
	ActivityClaimHost = "ClaimHost" // asks for a build slot
	SignalChanged     = "changed"   // the row of the lease is to be looked at again
)

// Task queues that any host may serve.
const (
	QueueControl = "control" // workflows and short activities
	QueueBuild   = "build"   // claims of build slots
)

// WorkerDeployment is the name under which Temporal knows the workers' builds, when they are told apart.
const WorkerDeployment = "slipway"

// QueueBuildHost returns the queue that only the build host with that id serves. It is stable over restarts, so that a
// restarted worker picks up what its predecessor left.
func QueueBuildHost(hostID string) string { return "build@" + hostID }

// QueuePreviewHost returns the queue that only the preview host with that id serves.
func QueuePreviewHost(hostID string) string { return "preview@" + hostID }

// QueueOf returns the queue that a host of whichever roles serves.
func QueueOf(h deployment.Host) string {
	if slices.Contains(h.Roles, "preview") {
		return QueuePreviewHost(h.ID)
	}
	return QueueBuildHost(h.ID)
}

const deployPrefix = "deploy/"

// DeployWorkflowID returns the id of a deployment's workflow; a retry is a new run of the same id.
func DeployWorkflowID(deploymentID string) string { return deployPrefix + deploymentID }

// IsDeployWorkflow reports whether a workflow is that of a deployment.
func IsDeployWorkflow(workflowID string) bool { return strings.HasPrefix(workflowID, deployPrefix) }

// DeploymentOf returns the id of the deployment whose workflow has that id.
func DeploymentOf(workflowID string) string { return strings.TrimPrefix(workflowID, deployPrefix) }

const leasePrefix = "preview/"

// LeaseWorkflowID returns the id of the workflow that keeps the lease of an environment.
func LeaseWorkflowID(environmentID string) string { return leasePrefix + environmentID }

// TeardownWorkflowID returns the id of the workflow that removes everything a deleted project or environment owns.
func TeardownWorkflowID(id string) string { return "teardown/" + id }

// ReconcileWorkflowID returns the id of a reconcile workflow that a person waits for.
func ReconcileWorkflowID(id string) string { return "reconcile/" + id }

// ReconcileScheduleID is the id of the schedule that starts the reconcile workflow.
const ReconcileScheduleID = "reconcile"

// Search attributes of a deploy workflow, all of type Keyword. Other workflows have the first two.
var (
	AttrProject     = sdktemporal.NewSearchAttributeKeyKeyword("SlipwayProject")
	AttrEnvironment = sdktemporal.NewSearchAttributeKeyKeyword("SlipwayEnvironment")
	AttrCommit      = sdktemporal.NewSearchAttributeKeyKeyword("SlipwayCommit")
	AttrStep        = sdktemporal.NewSearchAttributeKeyKeyword("SlipwayStep")
	AttrStatus      = sdktemporal.NewSearchAttributeKeyKeyword("SlipwayStatus")
)

// SearchAttributes lists the names that must be registered in the namespace before a deploy starts.
func SearchAttributes() []string {
	return []string{
		AttrProject.GetName(), AttrEnvironment.GetName(), AttrCommit.GetName(), AttrStep.GetName(), AttrStatus.GetName(),
	}
}
