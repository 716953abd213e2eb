package temporal

import (
	"context"
	"fmt"
	"strings"

	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
)

// PokeLease has the lease of an environment looked at: by the workflow that keeps it, or by one that is begun. It may be told as often
// as one likes, and by several at the same time.
func (s *Deploys) PokeLease(ctx context.Context, environmentID string) error {
	options := sdkclient.StartWorkflowOptions{
		ID: LeaseWorkflowID(environmentID), TaskQueue: QueueControl, StaticSummary: "lease of a preview",
		StaticDetails: "Keeps what is live in an environment running, asleep or stopped, as its row in `preview_leases` says. A cancel, or the end of " +
			"this workflow, changes nothing: it is begun again. What is to change is asked for through slipway: stop, start, extend, pin.",
	}
	_, err := s.Client.SignalWithStartWorkflow(ctx, options.ID, SignalChanged, nil, options, WorkflowLease,
		LeaseInput{EnvironmentID: environmentID, Limits: s.Limits})
	return at(err, "signal workflow %s", options.ID)
}

// OpenLeases lists the environments whose leases are kept by an open workflow. It asks the visibility store, which may be a moment
// behind.
func (s *Deploys) OpenLeases(ctx context.Context) (environments map[string]bool, err error) {
	query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", WorkflowLease)
	environments = map[string]bool{}
	for page := []byte(nil); ; {
		answer, err := s.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: s.Namespace, Query: query, PageSize: 1000, NextPageToken: page,
		})
		if err != nil {
			return nil, at(err, "list open leases")
		}
		for _, found := range answer.GetExecutions() {
			environments[strings.TrimPrefix(found.GetExecution().GetWorkflowId(), leasePrefix)] = true
		}
		if page = answer.GetNextPageToken(); len(page) == 0 {
			return environments, nil
		}
	}
}
