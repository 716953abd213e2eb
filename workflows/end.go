package workflows

import (
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// end is the one place where failure and cancellation end: it removes what the run made, records the end, and returns
// the error that closes the workflow. It returns none when the deployment turns out to be ready: a cancel that lost
// against the route switch changes nothing, and what the deployment replaced is still to be drained.
func (d *deploy) end(ctx workflow.Context, cause error) ([]temporal.Replaced, error) {
	if activities.IsType(cause, activities.ErrTypeStaleRun) {
		return nil, cause // another run owns the deployment now, and everything it made
	}
	outcome, failure := d.verdict(ctx, cause)
	clean, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	d.story.failure = failure
	d.waitFor(clean, "what it made to be removed")
	d.forgetBase(ctx)
	d.letGo(ctx, true) // a host that does not answer at once sweeps when it is back
	d.cleanUp(clean, outcome)
	var closed temporal.CloseResult
	in := temporal.CloseInput{DeploymentID: d.in.DeploymentID, Outcome: outcome, Failure: failure}
	closing := stubbornly(clean, d.limits, "record the end: "+string(outcome))
	if err := workflow.ExecuteActivity(closing, control.CloseDeployment, in).Get(clean, &closed); err != nil {
		return nil, fmt.Errorf("record the end of the deployment: %w", err)
	}
	if d.replayed(ctx, closed) {
		return nil, errEndReplayed
	}
	if closed.Outcome != deployment.StatusFailed {
		d.story.failure = nil // a cancel, or the route switch, was first
	}
	d.story.receipt = closed.Receipt
	d.tell(clean, d.step, closed.Outcome)
	switch closed.Outcome {
	case deployment.StatusReady:
		return closed.Replaced, nil
	case deployment.StatusCanceled:
		return nil, sdktemporal.NewCanceledError()
	case deployment.StatusSuperseded:
		if d.canceled(ctx) { // by a newer deployment, before it could be live
			return nil, sdktemporal.NewCanceledError()
		}
		return nil, sdktemporal.NewNonRetryableApplicationError("a newer deployment is live", activities.ErrTypeSuperseded, nil)
	case deployment.StatusFailed:
		if failure != nil {
			if sdktemporal.IsCanceledError(cause) { // the deadline's: even as a cause it would close the workflow as canceled
				cause = nil
			}
			return nil, sdktemporal.NewNonRetryableApplicationError(failure.Message, failure.Code, cause, *failure)
		}
		return nil, cause
	default:
		return nil, cause
	}
}

// errEndReplayed says that the end was recorded by another run, whose history a reset has replayed up to here.
var errEndReplayed = errors.New("the end was replayed")

// replayed reports whether a reset has replayed the end, as one to the last workflow task does. What can be retried then
// runs again; a run that was canceled stays so, since its context is canceled in the replay too.
func (d *deploy) replayed(ctx workflow.Context, closed temporal.CloseResult) bool {
	return closed.RunID != workflow.GetInfo(ctx).WorkflowExecution.RunID && closed.Outcome.Retryable() && !d.canceled(ctx)
}

// verdict says what the end is called. It goes by the workflow's own state, not by the error's type: an activity whose
// worker is dead answers a cancel with a heartbeat time-out.
func (d *deploy) verdict(ctx workflow.Context, cause error) (deployment.Status, *deployment.Failure) {
	switch {
	case d.canceled(ctx), activities.IsType(cause, activities.ErrTypeCancelAsked):
		return deployment.StatusCanceled, nil
	case activities.IsType(cause, activities.ErrTypeSuperseded):
		return deployment.StatusSuperseded, nil
	case d.late:
		return deployment.StatusFailed, &deployment.Failure{
			Class: deployment.ClassPlatform, Code: "deploy.deadline_exceeded", Step: d.step,
			Message: fmt.Sprintf("deploy was not ready within %s; it was in step %s", d.limits.Deploy, d.step),
			Fix:     "look at what the step waited for, then deploy again",
		}
	}
	return deployment.StatusFailed, activities.Failure(cause, d.step)
}

// cleanUp removes what the run left on preview hosts. What a host that does not answer holds is the reconciler's.
func (d *deploy) cleanUp(ctx workflow.Context, outcome deployment.Status) {
	in := temporal.CleanUpInput{DeploymentID: d.in.DeploymentID, Canceled: outcome == deployment.StatusCanceled}
	for _, engine := range d.engines {
		cleaning := farewell(ctx, d.limits, engine, in.Canceled, "remove the preview")
		if err := workflow.ExecuteActivity(cleaning, preview.RemovePreview, in).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("preview is left to the reconciler", "queue", engine.queue, "error", err)
		}
	}
}

// withDeadline returns a context that is canceled when the deploy takes too long, counted from begin to pause.
func (d *deploy) withDeadline(ctx workflow.Context) (workflow.Context, workflow.CancelFunc) {
	work, cancel := workflow.WithCancel(ctx)
	d.pause = func() {}
	d.begin = func() {
		running, stop := workflow.WithCancel(work)
		d.pause = stop
		timer := workflow.NewTimerWithOptions(running, d.limits.Deploy, workflow.TimerOptions{Summary: "deadline of the deploy"})
		workflow.Go(work, func(ctx workflow.Context) {
			if timer.Get(ctx, nil) == nil {
				d.late = true
				cancel()
			}
		})
	}
	return work, cancel
}

// inLineTooLong says what it means that a claim's time is over.
func (d *deploy) inLineTooLong(err error) error {
	// A claim that was refused ends with what it was refused for, when no further attempt would be in time.
	claim, refused := errors.AsType[*sdktemporal.ActivityError](err)
	if refused && claim.RetryState() == enumspb.RETRY_STATE_TIMEOUT ||
		timedOut(err, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE) {
		return sdktemporal.NewNonRetryableApplicationError("no build slot", "deploy.no_build_slot", err, deployment.Failure{
			Class: deployment.ClassPlatform, Code: "deploy.no_build_slot", Step: d.step,
			Message: fmt.Sprintf("no build slot was free within %s", d.limits.Line),
			Fix:     "look whether the build hosts live and have slots free (`slipway admin hosts list`), then deploy again",
		})
	}
	return err
}

// canceled reports whether the end is a cancel by somebody, as opposed to the deploy's own deadline.
func (d *deploy) canceled(ctx workflow.Context) bool {
	return !d.late && errors.Is(ctx.Err(), workflow.ErrCanceled)
}

// hostGone reports whether err means that the host, and what stood on its disk, cannot be counted on.
func hostGone(err error) bool {
	if activities.IsType(err, activities.ErrTypeWorkspaceGone) {
		return true
	}
	return silent(err)
}

// silent reports whether err means that a host has not answered.
func silent(err error) bool {
	return timedOut(err, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, enumspb.TIMEOUT_TYPE_HEARTBEAT)
}

func timedOut(err error, types ...enumspb.TimeoutType) bool {
	timeout, ok := errors.AsType[*sdktemporal.TimeoutError](err)
	return ok && slices.Contains(types, timeout.TimeoutType())
}
