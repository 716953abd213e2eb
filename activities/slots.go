package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	sdktemporal "go.temporal.io/sdk/temporal"

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
	Mirrors    Mirrors
	HostID     string
	PerProject int          // slots of all hosts that one project may hold at a time; 0 for any number
	Closed     func() error // why the host gives no slot away now, nil while it does; may be nil
	Freed      func()       // wakes the worker that waits for a free lease; may be nil
}

// ClaimHost takes a slot of this host for a deployment and names the queue that only this host serves. It is refused while the
// deployment's project holds as many slots as it may, or the host has no room for a build, and tried again soon: meanwhile the
// slot is another project's, and the deployment another host's.
func (s *Slots) ClaimHost(ctx context.Context, in temporal.StepInput) (temporal.ClaimResult, error) {
	if s.Closed != nil { // since the claim was asked for
		if err := s.Closed(); err != nil {
			return temporal.ClaimResult{}, err
		}
	}
	info := activity.GetInfo(ctx)
	err := s.Ledger.Lease(ctx, s.lease(in.DeploymentID, info.WorkflowExecution.RunID), s.PerProject)
	if full, ok := errors.AsType[*deployment.ProjectFullError](err); ok {
		err = projectFull(full, info.RetryPolicy)
	}
	if err != nil {
		return temporal.ClaimResult{}, err
	}
	return temporal.ClaimResult{HostID: s.HostID, Queue: temporal.QueueBuildHost(s.HostID)}, nil
}

// projectFull asks for the next attempt when it may be this deployment's turn. The next of its project asks often; were all the
// others to do the same, they would ask for nothing most of the time.
func projectFull(full *deployment.ProjectFullError, policy *sdktemporal.RetryPolicy) error {
	f := deployment.TransientFailure("build.project_slots",
		"nothing: it begins when another build of the project has ended; SLIPWAY_BUILD_SLOTS_PER_PROJECT says how many there may be", "%w", full)
	if policy != nil {
		f.RetryAfter = min(time.Duration(full.Turn)*policy.InitialInterval, max(policy.MaximumInterval, policy.InitialInterval))
	}
	return f
}

// VacateHost removes a deployment's workspace from this host, unless that is needed for longer, and gives the slot back.
func (s *Slots) VacateHost(ctx context.Context, in temporal.CleanUpInput) error {
	run := activity.GetInfo(ctx).WorkflowExecution.RunID
	if in.Canceled {
		if err := s.Steps.Canceling(ctx, in.DeploymentID, run); err != nil {
			return err
		}
	}
	if !in.KeepWorkspace {
		if err := s.removeWorkspace(ctx, in.DeploymentID); err != nil {
			return err
		}
	}
	if err := s.Ledger.Gone(ctx, s.lease(in.DeploymentID, run), 0); err != nil { // a lease is its row and nothing else
		return err
	}
	if s.Freed != nil {
		s.Freed()
	}
	return nil
}

func (s *Slots) removeWorkspace(ctx context.Context, deploymentID string) error {
	begun := time.Now()
	if err := s.Workspaces.Remove(deploymentID); err != nil {
		return err
	}
	workspace := deployment.Resource{Kind: deployment.ResourceWorkspace, Name: deploymentID, Host: s.HostID, DeploymentID: deploymentID}
	return s.Ledger.Gone(ctx, workspace, time.Since(begun))
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

// SweepStrays removes what lies on this host's disk of deployments that are no more. Unlike the others they cannot begin again
// meanwhile.
func (s *Slots) SweepStrays(ctx context.Context) error {
	ids, err := s.Workspaces.List()
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := s.Store.Deployment(ctx, id)
		if errors.Is(err, deployment.ErrNotFound) {
			err = s.Workspaces.Remove(id)
		}
		if err != nil {
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
