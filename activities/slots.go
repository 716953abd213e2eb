package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Slots hands out the build slots of one host. A lease is a row of the ledger: it holds from the claim until the
// segment fetch → plan → build has left the host, so that a host never claims more deploys than it can build.
type Slots struct {
	Store      Store
	Steps      StepRecorder
	Ledger     Ledger
	Workspaces Workspaces
	HostID     string
	Freed      func() // wakes the worker that waits for a free lease; may be nil
}

// ClaimHost takes a slot of this host for a deployment and names the queue that only this host serves.
func (s *Slots) ClaimHost(ctx context.Context, in temporal.StepInput) (temporal.ClaimResult, error) {
	run := activity.GetInfo(ctx).WorkflowExecution.RunID
	if err := s.Ledger.Own(ctx, s.lease(in.DeploymentID, run)); err != nil {
		return temporal.ClaimResult{}, err
	}
	return temporal.ClaimResult{HostID: s.HostID, Queue: temporal.QueueBuildHost(s.HostID)}, nil
}

// VacateHost removes a deployment's workspace from this host and gives the slot back.
func (s *Slots) VacateHost(ctx context.Context, in temporal.CleanUpInput) error {
	run := activity.GetInfo(ctx).WorkflowExecution.RunID
	if in.Canceled {
		if err := s.Steps.Canceling(ctx, in.DeploymentID, run); err != nil {
			return err
		}
	}
	begun := time.Now()
	if err := s.Workspaces.Remove(in.DeploymentID); err != nil {
		return err
	}
	workspace := deployment.Resource{Kind: deployment.ResourceWorkspace, Name: in.DeploymentID, Host: s.HostID, DeploymentID: in.DeploymentID}
	if err := s.Ledger.Gone(ctx, workspace, time.Since(begun)); err != nil {
		return err
	}
	if err := s.Ledger.Gone(ctx, s.lease(in.DeploymentID, run), 0); err != nil { // a lease is its row and nothing else
		return err
	}
	if s.Freed != nil {
		s.Freed()
	}
	return nil
}

func (s *Slots) lease(deploymentID, run string) deployment.Resource {
	return deployment.Resource{Kind: deployment.ResourceLease, Name: deploymentID, Host: s.HostID, DeploymentID: deploymentID, RunID: run}
}

// SweepWorkspaces removes what a worker that died left on this host: workspaces and leases of deployments that have
// ended. leases are those of this host; what lies on its disk is found there, since a deployment may have closed without
// this host. Called once at a worker's start, before it claims anything.
func (s *Slots) SweepWorkspaces(ctx context.Context, leases []deployment.Resource) error {
	ids, err := s.Workspaces.List()
	if err != nil {
		return err
	}
	for _, lease := range leases {
		ids = append(ids, lease.DeploymentID)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if err := s.sweep(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what a deployment has on this host, unless it is under way.
func (s *Slots) sweep(ctx context.Context, deploymentID string) error {
	d, err := s.Store.Deployment(ctx, deploymentID)
	purged := errors.Is(err, deployment.ErrNotFound) // with its project
	if err != nil && !purged {
		return err
	}
	if !purged && !d.Status.Ended() {
		return nil
	}
	begun := time.Now()
	if err := s.Workspaces.Remove(deploymentID); err != nil || purged {
		return err
	}
	owned, err := s.Ledger.Owned(ctx, deploymentID, s.HostID, deployment.ResourceLease, deployment.ResourceWorkspace)
	if err != nil {
		return err
	}
	for _, r := range owned {
		if err := s.Ledger.Gone(ctx, r, time.Since(begun)); err != nil {
			return err
		}
	}
	return nil
}
