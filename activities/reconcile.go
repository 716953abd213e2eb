package activities

import (
	"context"
	"errors"
	"slices"
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
	// MakeRetry lets reset make the run of a retry that has none yet, one caller at a time, and stores its id.
	MakeRetry(ctx context.Context, deploymentID string, reset func(ctx context.Context, runID string) (string, error)) error
	// UnderWay lists the deployments that a run has begun longer ago than the given age and that are neither ended nor
	// canceling.
	UnderWay(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error)
	// CancelingDeployments lists the deployments whose cancel is not over.
	CancelingDeployments(ctx context.Context) ([]deployment.Deployment, error)
	// DeletedProjects lists the ids of deleted projects whose rows still stand.
	DeletedProjects(ctx context.Context) ([]string, error)
	// ProjectDeployments lists the ids of a project's deployments, a deleted project's too.
	ProjectDeployments(ctx context.Context, projectID string) ([]string, error)
	// PurgeProject deletes the rows of a deleted project, once nothing is owned any more; deployment.ErrNotFound when they
	// are gone already.
	PurgeProject(ctx context.Context, projectID string) error
}

// Workflows is what the reconciler asks Temporal for.
type Workflows interface {
	Start(ctx context.Context, d deployment.Deployment, p deployment.Project) error
	Cancel(ctx context.Context, deploymentID string) (found bool, err error)
	// Retry makes a new run of a deployment's workflow, unless one is open that the deployment does not name.
	Retry(ctx context.Context, d deployment.Deployment, p deployment.Project) (runID string, err error)
	Runs
	Teardown(ctx context.Context, projectID string) error
}

// Reconciler compares what should be with what is, and repairs: a row whose workflow never started, a retry that was not
// made, a row whose workflow was terminated or reset, a cancel that never arrived, a teardown that was not begun. What hosts
// hold is swept by each host (Sweeper).
type Reconciler struct {
	Store     Store
	Ledger    Ledger
	Stuck     Stuck
	Workflows Workflows
	Images    ImageStore
	Age       time.Duration // how long a row may wait for its workflow before that counts as lost
}

// Repair makes one pass. It may run twice at the same time: every repair is idempotent. What cannot be repaired does not
// keep the rest from it.
func (r *Reconciler) Repair(ctx context.Context) (temporal.ReconcileResult, error) {
	var result temporal.ReconcileResult
	err := errors.Join(r.startQueued(ctx, &result), r.makeRetries(ctx, &result), r.followRuns(ctx, &result),
		r.repeatCancels(ctx, &result), r.tearDown(ctx, &result))
	return result, err
}

func (r *Reconciler) startQueued(ctx context.Context, result *temporal.ReconcileResult) error {
	queued, err := r.Stuck.QueuedUnstarted(ctx, r.Age)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range queued {
		p, err := r.Store.Project(ctx, d.ProjectID)
		if err == nil {
			err = r.Workflows.Start(ctx, d, p)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		result.Started++
	}
	return errors.Join(errs...)
}

// makeRetries makes the second half of retries whose first half stands in the row alone.
func (r *Reconciler) makeRetries(ctx context.Context, result *temporal.ReconcileResult) error {
	unmade, err := r.Stuck.UnmadeRetries(ctx, r.Age)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range unmade {
		err := r.makeRetry(ctx, d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		result.Retried++
	}
	return errors.Join(errs...)
}

func (r *Reconciler) makeRetry(ctx context.Context, d deployment.Deployment) error {
	p, err := r.Store.Project(ctx, d.ProjectID)
	if err != nil {
		return err
	}
	return r.Stuck.MakeRetry(ctx, d.ID, func(ctx context.Context, runID string) (string, error) {
		d.RunID = runID
		return r.Workflows.Retry(ctx, d, p)
	})
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
		run, open, err := r.Workflows.CurrentRun(ctx, d.ID)
		switch {
		case err != nil:
		case !open:
			err = r.close(ctx, d, deployment.StatusFailed, deployment.PlatformFailure("deploy.workflow_lost",
				"retry it; to stop a deploy, cancel it rather than terminate its workflow",
				"workflow %s has ended without recording the end of the deployment", d.WorkflowID))
			result.Closed++
		case run != d.RunID:
			err = r.Store.BeginRun(ctx, d.ID, d.RunID, run)
			result.Moved++
		}
		if errors.Is(err, deployment.ErrStaleRun) || errors.Is(err, deployment.ErrConflict) {
			continue // it has moved on since it was listed
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// repeatCancels sends lost cancel requests again. A deployment without an open workflow has nothing left that could
// clean up or record its end, and nothing made that is not in the ledger: it is closed here.
func (r *Reconciler) repeatCancels(ctx context.Context, result *temporal.ReconcileResult) error {
	canceling, err := r.Stuck.CancelingDeployments(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range canceling {
		found, err := r.Workflows.Cancel(ctx, d.ID)
		if err == nil && !found {
			err = r.close(ctx, d, deployment.StatusCanceled, nil)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		result.Canceled++
	}
	return errors.Join(errs...)
}

func (r *Reconciler) close(ctx context.Context, d deployment.Deployment, outcome deployment.Status, f *deployment.Failure) error {
	if _, err := r.Store.Finish(ctx, d.ID, d.RunID, outcome, f); err != nil {
		return err
	}
	return giveUpLeases(ctx, r.Ledger, d.ID)
}

func (r *Reconciler) tearDown(ctx context.Context, result *temporal.ReconcileResult) error {
	projects, err := r.Stuck.DeletedProjects(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range projects {
		if err := r.Workflows.Teardown(ctx, id); err != nil {
			errs = append(errs, err)
			continue
		}
		result.Torn++
	}
	return errors.Join(errs...)
}

// ListTeardown lists what a deleted project still has on hosts, from the ledger.
func (r *Reconciler) ListTeardown(ctx context.Context, in temporal.TeardownInput) (temporal.TeardownPlan, error) {
	var plan temporal.TeardownPlan
	err := r.eachOwned(ctx, in.ProjectID, func(res deployment.Resource) error {
		item := temporal.Replaced{DeploymentID: res.DeploymentID, Queue: temporal.QueuePreviewHost(res.Host)}
		if !slices.Contains(plan.Previews, item) {
			plan.Previews = append(plan.Previews, item)
		}
		return nil
	}, deployment.ResourceContainer, deployment.ResourceNetwork)
	return plan, err
}

// PurgeProject deletes what the registry and Postgres hold of a deleted project. A lease that is left is of a deployment
// that has ended.
func (r *Reconciler) PurgeProject(ctx context.Context, in temporal.TeardownInput) error {
	err := r.eachOwned(ctx, in.ProjectID, func(res deployment.Resource) error {
		if res.Kind == deployment.ResourceImageTag {
			if err := r.Images.Delete(ctx, res.Name); err != nil {
				return err
			}
		}
		return r.Ledger.Disown(ctx, res)
	}, deployment.ResourceImageTag, deployment.ResourceLease)
	if err != nil {
		return err
	}
	if err := r.Stuck.PurgeProject(ctx, in.ProjectID); !errors.Is(err, deployment.ErrNotFound) {
		return err
	}
	return nil
}

// eachOwned visits what the ledger says that a project's deployments own, of the given kinds.
func (r *Reconciler) eachOwned(ctx context.Context, projectID string, visit func(deployment.Resource) error, kinds ...deployment.ResourceKind) error {
	ids, err := r.Stuck.ProjectDeployments(ctx, projectID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		owned, err := r.Ledger.Owned(ctx, id, "", kinds...)
		if err != nil {
			return err
		}
		for _, res := range owned {
			if err := visit(res); err != nil {
				return err
			}
		}
	}
	return nil
}
