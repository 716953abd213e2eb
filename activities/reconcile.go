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
	Line
	// UnderWay lists the deployments that a run has begun longer ago than the given age and that are neither ended nor
	// canceling.
	UnderWay(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error)
	// CancelingDeployments lists the deployments whose cancel is not over.
	CancelingDeployments(ctx context.Context) ([]deployment.Deployment, error)
}

// Workflows is what the reconciler asks Temporal for.
type Workflows interface {
	temporal.Starter // makes no other run when one is open that the deployment does not name
	Cancel(ctx context.Context, deploymentID string) (found bool, err error)
	Runs
	Teardown(ctx context.Context, d deployment.Deletion) error
}

// Reconciler compares what should be with what is, and repairs: a row whose workflow never started, a turn that nobody took,
// a retry that was not made, a row whose workflow was terminated or reset, a cancel that never arrived, a teardown that was
// not begun; and it removes images that nothing needs any more. What hosts hold is swept by each host (Sweeper).
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
	err := errors.Join(r.beginDue(ctx, &result), r.followRuns(ctx, &result), r.repeatCancels(ctx, &result),
		r.tearDown(ctx, &result), r.removeExpiredImages(ctx, &result))
	if r.Repaired != nil {
		for kind, n := range map[string]int{
			"started": result.Started, "retried": result.Retried, "moved": result.Moved, "closed": result.Closed, "canceled": result.Canceled, "torn_down": result.Torn, "images_removed": result.Images,
		} {
			r.Repaired(kind, n)
		}
	}
	return result, err
}

// beginDue begins what was accepted, admitted or to be retried while whoever was to begin it died.
func (r *Reconciler) beginDue(ctx context.Context, result *temporal.ReconcileResult) error {
	errs := []error{r.Stuck.AdmitStranded(ctx)}
	due, err := r.Stuck.Due(ctx, "", r.Age)
	errs = append(errs, err)
	for _, d := range due {
		err := r.begin(ctx, d, result)
		if errors.Is(err, deployment.ErrStaleRun) || errors.Is(err, deployment.ErrConflict) {
			continue // it has moved on since it was listed
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// begin makes a run that is not there. A workflow that was terminated before it could begin is there, and will never run.
func (r *Reconciler) begin(ctx context.Context, d deployment.Deployment, result *temporal.ReconcileResult) error {
	if err := temporal.Begin(ctx, r.Stuck, r.Workflows, d); err != nil {
		return err
	}
	if d.RetryRequestedAt != nil {
		result.Retried++
		return nil
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
	if err := giveUpLeases(ctx, r.Ledger, d.ID); err != nil {
		return err
	}
	turns := &Turns{Line: r.Stuck, Workflows: r.Workflows}
	return turns.beginAll(ctx, d.ID) // the end has admitted the next
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
