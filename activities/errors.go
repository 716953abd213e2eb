package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	sdktemporal "go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Types of application errors that the workflow decides on. Any other type is the code of a deployment.Failure, which
// then stands in the error's details.
const (
	ErrTypeStaleRun      = "stale_run"        // another run of the workflow has taken over
	ErrTypeEnded         = "ended"            // the deployment is ready or was replaced: a reset does not begin it again
	ErrTypeSuperseded    = "superseded"       // a newer deployment of the environment is live
	ErrTypeCancelAsked   = "cancel_requested" // the row says so; the workflow's own cancel is on its way, or was lost
	ErrTypeWorkspaceGone = "workspace_gone"   // the checkout is not on this host; the segment starts again
)

// errWorkspaceGone says that the host has no complete checkout of the commit.
var errWorkspaceGone = errors.New("workspace is gone")

// verdicts is the one table from what the store says to what the workflow sees. None of them is worth a retry.
var verdicts = []struct {
	err      error
	typeName string
}{
	{deployment.ErrStaleRun, ErrTypeStaleRun},
	{deployment.ErrEnded, ErrTypeEnded},
	{deployment.ErrSuperseded, ErrTypeSuperseded},
	{deployment.ErrCancelRequested, ErrTypeCancelAsked},
	{errWorkspaceGone, ErrTypeWorkspaceGone},
	{deployment.ErrNotFound, ErrTypeStaleRun}, // purged with its project or environment: nobody is left to work for
}

// atEdge translates an activity's error once, where it leaves for Temporal, which keeps only what it knows. ctx is the
// activity's context: its cause tells a cancel from a worker's shutdown, whatever the error's text says.
func atEdge(ctx context.Context, err error, step deployment.StepName) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		if sdktemporal.IsCanceledError(context.Cause(ctx)) {
			return sdktemporal.NewCanceledError()
		}
		if errors.Is(context.Cause(ctx), sdkworker.ErrWorkerShutdown) {
			err = deployment.AwayFailure(deployment.ComponentWorker, "worker.shutdown", "nothing: the next attempt runs when a worker is back", "worker is shutting down: %w", err)
		}
	}
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return sdktemporal.NewNonRetryableApplicationError(err.Error(), v.typeName, nil)
		}
	}
	return failureError(failureOf(err, step))
}

// failureOf returns the deployment.Failure that err stands for, with its step.
func failureOf(err error, step deployment.StepName) *deployment.Failure {
	f := deployment.AsFailure(err)
	if errors.Is(err, context.DeadlineExceeded) && f.Code == "internal" {
		f = deployment.TransientFailure("timeout", "", "%w", err)
	}
	if f.Class != deployment.ClassUser && f.Component != deployment.ComponentDisk && outOfSpace(err) {
		f = deployment.DiskFailure("host.disk_full",
			"free space on the disk of SLIPWAY_WORKSPACE_DIR on the step's host, or give it another; slipway tries again by itself", "the host's disk is full: %w", err)
	}
	if f.Step == "" {
		f.Step = step
	}
	return f
}

// outOfSpace reports whether err is that of a full disk, or of a quota. Whoever met it may have taken it for something else: a
// transport that cannot store what it receives says that the server broke off. Programs that are run have words alone for it.
func outOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(strings.ToLower(err.Error()), syscall.ENOSPC.Error())
}

// failureError wraps a failure for the wire: its code is the error's type, the whole of it the details. The message is what
// Temporal shows beside the attempt and the time of the next one, so there it names the component that is waited for.
func failureError(f *deployment.Failure) error {
	options := sdktemporal.ApplicationErrorOptions{
		Details: []any{*f}, NonRetryable: f.Class == deployment.ClassUser, NextRetryDelay: f.RetryAfter,
	}
	if f.Class == deployment.ClassUser || f.RetryAfter > 0 { // their build failed, or has to wait: no fault of the worker's
		options.Category = sdktemporal.ApplicationErrorCategoryBenign
	}
	message := f.Message
	if f.Component != "" {
		message = "needs " + f.WaitsFor() + ": " + message
	}
	return sdktemporal.NewApplicationErrorWithOptions(message, f.Code, options)
}

// Failure returns the failure inside an error that came back over the wire, or one of class platform or transient made
// from a time-out or from an error that no activity of ours returned.
func Failure(err error, step deployment.StepName) *deployment.Failure {
	if app, ok := errors.AsType[*sdktemporal.ApplicationError](err); ok {
		var f deployment.Failure
		if app.HasDetails() && app.Details(&f) == nil && f.Code != "" {
			return &f
		}
		return &deployment.Failure{Class: deployment.ClassPlatform, Code: app.Type(), Step: step, Message: app.Message()}
	}
	if timeout, ok := errors.AsType[*sdktemporal.TimeoutError](err); ok {
		f := &deployment.Failure{
			Class: deployment.ClassPlatform, Code: "timeout", Step: step,
			Message: fmt.Sprintf("no answer in time (%s)", timeout.TimeoutType()), Fix: "look whether the worker of the host runs",
		}
		if step != "" {
			f.Message, f.Fix = fmt.Sprintf("step %s: %s", step, f.Message), f.Fix+", then deploy again"
		}
		return f
	}
	return &deployment.Failure{Class: deployment.ClassPlatform, Code: "internal", Step: step, Message: err.Error(), Fix: deployment.InternalFix}
}

// IsType reports whether err is an application error of the given type.
func IsType(err error, typeName string) bool {
	app, ok := errors.AsType[*sdktemporal.ApplicationError](err)
	return ok && app.Type() == typeName
}
