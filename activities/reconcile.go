package activities

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Stuck is what the reconciler asks the store for.
type Stuck interface {
	// QueuedUnstarted lists queued deployments that no run has begun, older than the given age.
	QueuedUnstarted(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error)
	// UnmadeRetries lists the deployments whose retry was asked for longer ago than the given age and has no run yet.
	UnmadeRetries(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error)
	temporal.RetryRows
	// UnderWay lists the deployments that a run has begun longer ago than the given age and that are neither ended nor
	// canceling.
	UnderWay(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error)
	// CancelingDeployments lists the deployments whose cancel is not over.
	CancelingDeployments(ctx context.Context) ([]deployment.Deployment, error)
}

// Workflows is what the reconciler asks Temporal for.
type Workflows interface {
	Start(ctx context.Context, d deployment.Deployment, p deployment.Project) error
	Cancel(ctx context.Context, deploymentID string) (found bool, err error)
	temporal.Retrier // makes none when one is open that the deployment does not name
	Runs
	Teardown(ctx context.Context, d deployment.Deletion) error
}

// Reconciler compares what should be with what is, and repairs: a row whose workflow never started, a retry that was not
// made, a row whose workflow was terminated or reset, a cancel that never arrived, a teardown that was not begun; and it removes images that nothing needs any more. What hosts
// hold is swept by each host (Sweeper).
type Reconciler struct {
	Store     Store
	Ledger    Ledger
	Stuck     Stuck
	Deleted   Deleted
	Workflows Workflows
	Images    ImageStore
	Retention Retention
	Keep      Keep
	Age       time.Duration            // how long a row may wait for its workflow before that counts as lost
	Repaired  func(kind string, n int) // told of what a pass repaired; may be nil
}

// Repair makes one pass. It may run twice at the same time: every repair is idempotent. What cannot be repaired does not
// keep the rest from it.
func (r *Reconciler) Repair(ctx context.Context) (temporal.ReconcileResult, error) {
	var result temporal.ReconcileResult
	err := errors.Join(r.startQueued(ctx, &result), r.makeRetries(ctx, &result), r.followRuns(ctx, &result),
		r.repeatCancels(ctx, &result), r.tearDown(ctx, &result), r.removeExpiredImages(ctx, &result))
	if r.Repaired != nil {
		for kind, n := range map[string]int{
			"started": result.Started, "retried": result.Retried, "moved": result.Moved, "closed": result.Closed, "canceled": result.Canceled, "torn_down": result.Torn, "images_removed": result.Images,
		} {
			r.Repaired(kind, n)
		}
	}
	return result, err
}

func (r *Reconciler) startQueued(ctx context.Context, result *temporal.ReconcileResult) error {
	queued, err := r.Stuck.QueuedUnstarted(ctx, r.Age)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range queued {
		err := r.start(ctx, d, result)
		if errors.Is(err, deployment.ErrStaleRun) || errors.Is(err, deployment.ErrConflict) {
			continue // it has moved on since it was listed
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// start starts a workflow that is not there. One that was terminated before it could begin is there, and will never run.
func (r *Reconciler) start(ctx context.Context, d deployment.Deployment, result *temporal.ReconcileResult) error {
	p, err := r.Store.Project(ctx, d.ProjectID)
	if err != nil {
		return err
	}
	if err := r.Workflows.Start(ctx, d, p); err != nil {
		return err
	}
	_, open, err := r.Workflows.CurrentRun(ctx, d.ID)
	if err != nil {
		return err
	}
	if !open {
		return r.closeLost(ctx, d, result)
	}
	result.Started++
	return nil
}

// makeRetries makes the second half of retries whose first half stands in the row alone.
func (r *Reconciler) makeRetries(ctx context.Context, result *temporal.ReconcileResult) error {
	unmade, err := r.Stuck.UnmadeRetries(ctx, r.Age)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range unmade {
		if err := temporal.MakeRetry(ctx, r.Stuck, r.Workflows, d); err != nil {
			errs = append(errs, err)
			continue
		}
		result.Retried++
	}
	return errors.Join(errs...)
}

// followRuns compares the run that a row names with the workflow's. One whose workflow was terminated has nobody left to
// record its end or give its build slot back: it is closed. One whose workflow was reset may wait for the very slot that
// the terminated run holds: its new run is begun here.
func (r *Reconciler) followRuns(ctx context.Context, result *temporal.ReconcileResult) error {
	underWay, err := r.Stuck.UnderWay(ctx, r.Age)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range underWay {
		err := r.followRun(ctx, d, result)
		if errors.Is(err, deployment.ErrStaleRun) || errors.Is(err, deployment.ErrConflict) {
			continue // it has moved on since it was listed
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// followRun counts a repair once it is made.
func (r *Reconciler) followRun(ctx context.Context, d deployment.Deployment, result *temporal.ReconcileResult) error {
	run, open, err := r.Workflows.CurrentRun(ctx, d.ID)
	switch {
	case err != nil:
		return err
	case !open:
		return r.closeLost(ctx, d, result)
	case run != d.RunID:
		err := r.Store.BeginRun(ctx, d.ID, d.RunID, run)
		if err == nil {
			result.Moved++
		}
		return err
	}
	return nil
}

// repeatCancels sends lost cancel requests again.
func (r *Reconciler) repeatCancels(ctx context.Context, result *temporal.ReconcileResult) error {
	canceling, err := r.Stuck.CancelingDeployments(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range canceling {
		if err := r.cancel(ctx, d); err != nil {
			errs = append(errs, err)
			continue
		}
		result.Canceled++
	}
	return errors.Join(errs...)
}

// cancel sends a cancel. A deployment without an open workflow has nothing left that could clean up or record its end, and
// nothing made that is not in the ledger: it is closed here.
func (r *Reconciler) cancel(ctx context.Context, d deployment.Deployment) error {
	found, err := r.Workflows.Cancel(ctx, d.ID)
	if err == nil && !found {
		err = r.close(ctx, d, deployment.StatusCanceled, nil)
	}
	return err
}

// closeLost ends a deployment whose workflow has ended without a word.
func (r *Reconciler) closeLost(ctx context.Context, d deployment.Deployment, result *temporal.ReconcileResult) error {
	err := r.close(ctx, d, deployment.StatusFailed, deployment.PlatformFailure("deploy.workflow_lost",
		"retry it; to stop a deploy, cancel it rather than terminate its workflow",
		"workflow %s has ended without recording the end of the deployment", d.WorkflowID))
	if err == nil {
		result.Closed++
	}
	return err
}

func (r *Reconciler) close(ctx context.Context, d deployment.Deployment, outcome deployment.Status, f *deployment.Failure) error {
	if _, err := r.Store.Finish(ctx, d.ID, d.RunID, outcome, f); err != nil {
		return err
	}
	return giveUpLeases(ctx, r.Ledger, d.ID)
}

func (r *Reconciler) tearDown(ctx context.Context, result *temporal.ReconcileResult) error {
	deletions, err := r.Deleted.Deletions(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range deletions {
		if err := r.Workflows.Teardown(ctx, d); err != nil {
			errs = append(errs, err)
			continue
		}
		result.Torn++
	}
	return errors.Join(errs...)
}
