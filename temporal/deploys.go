package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Deploys starts and cancels deploy workflows. The API holds one; the reconciler another.
type Deploys struct {
	Client sdkclient.Client
	Limits Limits // of every deploy; the project's own build and health time-outs replace two of them
}

// Start starts the workflow of a queued deployment. A workflow that exists already, open or closed, is what was wanted:
// starting twice is no error and never makes a second one.
func (s *Deploys) Start(ctx context.Context, d deployment.Deployment, p deployment.Project) error {
	options := sdkclient.StartWorkflowOptions{
		ID:                                       DeployWorkflowID(d.ID),
		TaskQueue:                                QueueControl,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(
			AttrProject.ValueSet(p.Name), AttrEnvironment.ValueSet(d.Environment), AttrStatus.ValueSet(string(d.Status))),
		StaticSummary: fmt.Sprintf("%s #%d to %s", p.Name, d.Number, d.Environment),
		Memo:          map[string]any{"repository": p.RepoURL, "ref": d.Ref.String(), "number": d.Number},
	}
	_, err := s.Client.ExecuteWorkflow(ctx, options, WorkflowDeploy, DeployInput{
		DeploymentID: d.ID, Project: p.Name, Environment: d.Environment, Limits: s.limits(p),
	})
	if err != nil && !sdktemporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return fmt.Errorf("start workflow %s: %w", options.ID, err)
	}
	return nil
}

func (s *Deploys) limits(p deployment.Project) Limits {
	limits := s.Limits
	limits.Build = time.Duration(p.BuildTimeoutSeconds) * time.Second
	limits.Release += time.Duration(p.HealthCheck.TimeoutSeconds) * time.Second
	return limits
}

// Cancel asks a deployment's workflow to cancel. found is false when there is no open workflow to ask.
func (s *Deploys) Cancel(ctx context.Context, deploymentID string) (found bool, err error) {
	id := DeployWorkflowID(deploymentID)
	// The server takes a cancel of a closed workflow without a word, so it is asked first.
	described, err := s.Client.DescribeWorkflowExecution(ctx, id, "")
	open := described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	if err == nil && open {
		err = s.Client.CancelWorkflow(ctx, id, "")
	}
	var missing *serviceerror.NotFound
	switch {
	case err == nil:
		return open, nil
	case errors.As(err, &missing):
		return false, nil
	default:
		return false, fmt.Errorf("cancel workflow %s: %w", id, err)
	}
}

// Closed reports whether a deployment's workflow has ended, in whatever way, or is not known any more.
func (s *Deploys) Closed(ctx context.Context, deploymentID string) (bool, error) {
	found, err := s.Client.DescribeWorkflowExecution(ctx, DeployWorkflowID(deploymentID), "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at workflow %s: %w", DeployWorkflowID(deploymentID), err)
	}
	return found.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// Teardown starts the workflow that removes everything a deleted project owns; one that runs already is enough.
func (s *Deploys) Teardown(ctx context.Context, projectID string) error {
	options := sdkclient.StartWorkflowOptions{
		ID: TeardownWorkflowID(projectID), TaskQueue: QueueControl,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
	_, err := s.Client.ExecuteWorkflow(ctx, options, WorkflowTeardown, TeardownInput{ProjectID: projectID, Limits: s.Limits})
	if err != nil && !sdktemporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return fmt.Errorf("start workflow %s: %w", options.ID, err)
	}
	return nil
}

// Ping reports whether the Temporal frontend answers.
func (s *Deploys) Ping(ctx context.Context) error {
	if _, err := s.Client.CheckHealth(ctx, &sdkclient.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	return nil
}
