package temporal

import (
	"context"
	"errors"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Retry makes a new run of a deployment's workflow, from the beginning, and returns its id: the run that the deployment
// names is reset to its first workflow task, the only point that works from every end. A run that Temporal knows no more,
// or that never did anything, is replaced by a new one with the same inputs.
//
// A run that is open and not the one that the deployment names is a retry that was made already: it is returned. Temporal
// does not see that two resets mean the same, so the caller holds the deployment's row meanwhile.
func (s *Deploys) Retry(ctx context.Context, d deployment.Deployment, p deployment.Project) (runID string, err error) {
	current, open, err := s.CurrentRun(ctx, d.ID)
	if err != nil || open && current != d.RunID {
		return current, err
	}
	task, err := s.firstTask(ctx, d)
	if err != nil {
		return "", err
	}
	if task == 0 {
		return s.start(ctx, d, p, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
	}
	reset, err := s.Client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 s.Namespace,
		WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: DeployWorkflowID(d.ID), RunId: d.RunID},
		WorkflowTaskFinishEventId: task,
		Reason:                    "retry of the deployment",
	})
	if err != nil {
		return "", at(err, "reset workflow %s", DeployWorkflowID(d.ID))
	}
	return reset.GetRunId(), nil
}

// firstTask returns the event with which the first workflow task of the deployment's run was completed, 0 for none.
func (s *Deploys) firstTask(ctx context.Context, d deployment.Deployment) (int64, error) {
	if d.RunID == "" {
		return 0, nil
	}
	events := s.Client.GetWorkflowHistory(ctx, DeployWorkflowID(d.ID), d.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
			return 0, nil
		}
		if err != nil {
			return 0, at(err, "read history of workflow %s", DeployWorkflowID(d.ID))
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return event.GetEventId(), nil
		}
	}
	return 0, nil
}

// CurrentRun returns the newest run of a deployment's workflow and whether it goes on; no run when Temporal knows none.
func (s *Deploys) CurrentRun(ctx context.Context, deploymentID string) (runID string, open bool, err error) {
	described, err := s.Client.DescribeWorkflowExecution(ctx, DeployWorkflowID(deploymentID), "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return "", false, nil
	}
	if err != nil {
		return "", false, at(err, "look at workflow %s", DeployWorkflowID(deploymentID))
	}
	info := described.GetWorkflowExecutionInfo()
	return info.GetExecution().GetRunId(), info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// ClaimsSlot reports whether a deployment waits for a build slot.
func (s *Deploys) ClaimsSlot(ctx context.Context, deploymentID string) (bool, error) {
	described, err := s.Client.DescribeWorkflowExecution(ctx, DeployWorkflowID(deploymentID), "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return false, nil
	}
	claims := func(a *workflowpb.PendingActivityInfo) bool {
		return a.GetActivityType().GetName() == ActivityClaimHost
	}
	return slices.ContainsFunc(described.GetPendingActivities(), claims), at(err, "look at workflow %s", DeployWorkflowID(deploymentID))
}
