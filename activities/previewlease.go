package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// PreviewLeases is what the store knows of the leases of what is live. Each change is guarded: it is made only of the deployment that is
// live in its environment, and only if it is still due.
type PreviewLeases interface {
	// StandingLease returns the lease of an environment; deployment.ErrNotFound when nothing is live in it.
	StandingLease(ctx context.Context, environmentID string) (deployment.StandingLease, error)
	// StandingLeases returns those of all environments in which something is live.
	StandingLeases(ctx context.Context) ([]deployment.StandingLease, error)
	// FallAsleep lets a preview that is live on a host be asleep, unless it may not sleep or somebody has asked for it within idle.
	FallAsleep(ctx context.Context, deploymentID, host string, idle time.Duration) (bool, error)
	// StayAwake makes one that has fallen asleep live again, if somebody has asked for it since.
	StayAwake(ctx context.Context, deploymentID, host string) (bool, error)
	// AsleepAs returns the container of one that is asleep on a host, "" when it is not.
	AsleepAs(ctx context.Context, deploymentID, host string) (container string, err error)
	// BeginStart notes that one is about to be started and returns it as it stands then, live when it is so there already. One that
	// is not to run answers deployment.ErrSuperseded.
	BeginStart(ctx context.Context, where deployment.Preview) (deployment.Preview, error)
	// Started makes it live; deployment.ErrSuperseded when it is no longer to run there.
	Started(ctx context.Context, p deployment.Preview) error
	// StartFailed notes why one did not come up. It has failed, and is tried again after a wait that the policy gives: 0 for one that is not.
	// deployment.ErrSuperseded is for one that is not being started there any more.
	StartFailed(ctx context.Context, deploymentID, host string, f *deployment.Failure, policy deployment.LeasePolicy) (again time.Duration, err error)
	// StartTrouble notes why one has not been started yet.
	StartTrouble(ctx context.Context, deploymentID string, f *deployment.Failure) error
	// EndPreview lets one be stopped whose time is over, or that is to be, and reports whether it is.
	EndPreview(ctx context.Context, deploymentID string) (stopped bool, err error)
}

// soonest is the shortest wait for something to become due: clocks and roundings differ by less.
const soonest = time.Second

// LookAtLease reads the lease of an environment and decides what is due.
func (c *Control) LookAtLease(ctx context.Context, in temporal.LookInput) (temporal.LeaseLook, error) {
	lease, err := c.Leases.StandingLease(ctx, in.EnvironmentID)
	if errors.Is(err, deployment.ErrNotFound) {
		return temporal.LeaseLook{Gone: true}, nil
	}
	if err != nil {
		return temporal.LeaseLook{}, err
	}
	duty := lease.Duty(c.Policy)
	look := temporal.LeaseLook{
		Act: duty.Act, Why: duty.Why, Project: lease.Project, Environment: lease.Environment, Number: lease.Number,
		DeploymentID: lease.Preview.DeploymentID, State: lease.Preview.State, Wanted: lease.Wanted, Pinned: lease.Pinned,
		ExpiresAt: lease.ExpiresAt, IdleSince: lease.IdleSince(), HostID: lease.Preview.Host, HostLives: lease.HostLives, Health: lease.HealthTimeout,
		Limits: c.Limits,
	}
	if !duty.Next.IsZero() {
		look.After = max(soonest, duty.Next.Sub(lease.Now))
	}
	if f := lease.Failure; f != nil {
		brief := *f
		brief.Lines = nil // they stand where it happened
		look.Failure = &brief
	}
	return look, nil
}

// EndPreview lets a preview be stopped whose host does not answer.
func (c *Control) EndPreview(ctx context.Context, in temporal.StepInput) (temporal.LeaseResult, error) {
	stopped, err := c.Leases.EndPreview(ctx, in.DeploymentID)
	return temporal.LeaseResult{Done: stopped}, err
}

// SleepPreview stops the container of a preview that nobody asks for and keeps it. The store says so first, and gateways have a moment to
// hear of it: what they have sent meanwhile keeps the container running, what comes later waits until it is woken.
func (a *Preview) SleepPreview(ctx context.Context, in temporal.StepInput) (temporal.LeaseResult, error) {
	if a.Policy.Idle == 0 {
		return temporal.LeaseResult{}, nil
	}
	fell, err := a.Leases.FallAsleep(ctx, in.DeploymentID, a.HostID, a.Policy.Idle)
	if err != nil {
		return temporal.LeaseResult{}, err
	}
	if fell {
		select {
		case <-time.After(drainMargin):
		case <-activity.GetWorkerStopChannel(ctx): // the host stops it when its worker is back
			return temporal.LeaseResult{}, deployment.TransientFailure("preview.sleep_interrupted", "", "the worker stops while the preview falls asleep")
		case <-ctx.Done():
			return temporal.LeaseResult{}, context.Cause(ctx)
		}
		if awake, err := a.Leases.StayAwake(ctx, in.DeploymentID, a.HostID); err != nil || awake {
			return temporal.LeaseResult{}, err
		}
	}
	if halted, err := a.HaltSleeper(ctx, in.DeploymentID); err != nil || !halted {
		return temporal.LeaseResult{}, err
	}
	if fell {
		a.appLog(in.DeploymentID).say("asleep: nobody has asked for it for %s; the next request wakes it", a.Policy.Idle)
	}
	return temporal.LeaseResult{Done: true}, nil
}

// HaltSleeper stops the container of a preview that is asleep on this host. One that somebody wakes meanwhile waits until it stands.
func (a *Preview) HaltSleeper(ctx context.Context, deploymentID string) (halted bool, err error) {
	release, err := a.Alone(ctx, deploymentID)
	if err != nil {
		return false, err
	}
	defer release()
	container, err := a.Leases.AsleepAs(ctx, deploymentID, a.HostID) // it may be woken by now
	if err != nil || container == "" {
		return false, err
	}
	return true, a.Engine.Halt(ctx, container, a.StopGrace)
}

// StopPreview removes the container and network of a preview whose time is over, or that is to be stopped.
func (a *Preview) StopPreview(ctx context.Context, in temporal.StepInput) (temporal.LeaseResult, error) {
	release, err := a.Alone(ctx, in.DeploymentID) // an attempt that was given up as dead removes nothing that is being started again
	if err != nil {
		return temporal.LeaseResult{}, err
	}
	defer release()
	stopped, err := a.Leases.EndPreview(ctx, in.DeploymentID)
	if err != nil || !stopped {
		return temporal.LeaseResult{}, err
	}
	if err := a.removeThings(ctx, in.DeploymentID, a.StopGrace); err != nil {
		return temporal.LeaseResult{}, err
	}
	a.appLog(in.DeploymentID).say("stopped: its container is removed; its image is kept")
	return temporal.LeaseResult{Done: true}, nil
}

// appLog is where a deployment's log tells of its preview.
func (a *Preview) appLog(deploymentID string) stepLog {
	return logFrom(a.Logs, StepAttempt{DeploymentID: deploymentID, Step: deployment.StepApp})
}
