package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// OpenRuns lists the open runs of deploy workflows that began longer ago than olderThan. It asks the visibility store, which may
// be a moment behind.
func (s *Deploys) OpenRuns(ctx context.Context, olderThan time.Duration) ([]deployment.Run, error) {
	query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running' AND StartTime <= '%s'",
		WorkflowDeploy, time.Now().Add(-olderThan).UTC().Format(time.RFC3339Nano))
	var runs []deployment.Run
	for page := []byte(nil); ; {
		answer, err := s.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: s.Namespace, Query: query, PageSize: 1000, NextPageToken: page,
		})
		if err != nil {
			return nil, at(err, "list open workflows")
		}
		for _, found := range answer.GetExecutions() {
			if id := found.GetExecution().GetWorkflowId(); IsDeployWorkflow(id) {
				runs = append(runs, deployment.Run{DeploymentID: DeploymentOf(id), RunID: found.GetExecution().GetRunId()})
			}
		}
		if page = answer.GetNextPageToken(); len(page) == 0 {
			return runs, nil
		}
	}
}

// Terminate ends a run without a word to it; one that has ended is no error.
func (s *Deploys) Terminate(ctx context.Context, run deployment.Run, reason string) error {
	err := s.Client.TerminateWorkflow(ctx, DeployWorkflowID(run.DeploymentID), run.RunID, reason)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return nil
	}
	return at(err, "terminate workflow %s", DeployWorkflowID(run.DeploymentID))
}

// TeardownRuns reports whether the workflow that Teardown starts is there and goes on.
func (s *Deploys) TeardownRuns(ctx context.Context, d deployment.Deletion) (bool, error) {
	described, err := s.Client.DescribeWorkflowExecution(ctx, TeardownWorkflowID(d.ID()), "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return false, nil
	}
	return described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		at(err, "look at workflow %s", TeardownWorkflowID(d.ID()))
}
