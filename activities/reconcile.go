package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Stuck is what the reconciler asks the store for.
type Stuck interface {
	Line
	// Stranded lists the environments whose next AdmitStranded would admit.
	Stranded(ctx context.Context) ([]string, error)
	// UnderWay lists the deployments that a run has begun longer ago than the given age and that are neither ended nor
	// canceling.
	UnderWay(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error)
	// CancelingDeployments lists the deployments whose cancel is not over.
	CancelingDeployments(ctx context.Context) ([]deployment.Deployment, error)
	// Needless returns those of the runs whose deployment is not there, or has ended under them without becoming ready longer
	// ago than the given age.
	Needless(ctx context.Context, runs []deployment.Run, age time.Duration) ([]deployment.Run, error)
}

// Workflows is what the reconciler asks Temporal for.
type Workflows interface {
	temporal.Starter // makes no other run when one is open that the deployment does not name
	Cancel(ctx context.Context, deploymentID string) (found bool, err error)
	Runs
	Teardown(ctx context.Context, d deployment.Deletion) error
	// TeardownRuns reports whether the workflow that Teardown starts is there and goes on.
	TeardownRuns(ctx context.Context, d deployment.Deletion) (bool, error)
	LeaseWorkflows
	// OpenRuns lists the open runs of deploy workflows that began longer ago than the given age.
	OpenRuns(ctx context.Context, olderThan time.Duration) ([]deployment.Run, error)
	// Terminate ends a run without a word to it; one that has ended is no error.
	Terminate(ctx context.Context, run deployment.Run, reason string) error
}

// Reconciler compares what should be with what is, and repairs: a row whose workflow never started, a turn that nobody took,
// a retry that was not made, a row whose workflow was terminated or reset, a cancel that never arrived, a teardown that was
// not begun, a lease that nobody keeps, a workflow that no row needs; and it removes what is kept no longer: images, logs, deployments. What hosts hold is
// compared by each host (Sweeper).
type Reconciler struct {
	Store     Store
	Ledger    Ledger
	Stuck     Stuck
	Deleted   Deleted
	Workflows Workflows
	Images    ImageStore
	PushHost  string // the registry as the ledger's tags name it
	Retention Retention
	Tags      Tags
	Known     KnownHosts
	Leases    PreviewLeases
	Policy    deployment.LeasePolicy
	Past      Past
	PastLogs  PastLogs
	Keep      Keep
	Age       time.Duration            // how long a row may wait for its workflow before that counts as lost
	Grace     time.Duration            // how long what no row needs is let be: it may be about to end by itself
	Repaired  func(kind string, n int) // told of what a pass repaired; may be nil
}

// Repair makes one pass. It may run twice at the same time: every repair is idempotent. What cannot be repaired does not
// keep the rest from it.
func (r *Reconciler) Repair(ctx context.Context, in temporal.ReconcileInput) (temporal.ReconcileResult, error) {
	p := passFor(in)
	err := errors.Join(r.beginDue(ctx, p), r.followRuns(ctx, p), r.repeatCancels(ctx, p), r.endNeedless(ctx, p),
		r.tearDown(ctx, p), r.keepLeases(ctx, p), r.removeExpiredImages(ctx, p), r.removePast(ctx, p))
	r.count(p.result)
	return p.result, err
}

func (r *Reconciler) count(result temporal.ReconcileResult) {
	if r.Repaired == nil {
		return
	}
	for kind, n := range map[string]int{
		"started": result.Started, "retried": result.Retried, "moved": result.Moved, "closed": result.Closed, "canceled": result.Canceled,
		"terminated": result.Terminated, "torn_down": result.Torn, "images_removed": result.Images, "tags_matched": result.Tags,
		"logs_removed": result.Logs, "deployments_removed": result.Deployments, "leases_begun": result.Leases,
	} {
		r.Repaired(kind, n)
	}
}

// differenceOf is a difference of a deployment.
func differenceOf(d deployment.Deployment, found, repair string) deployment.Difference {
	return deployment.Difference{Kind: "deployment", Thing: fmt.Sprintf("%s#%d", d.ProjectName, d.Number), Found: found, Repair: repair}
}

// followRuns compares the run that a row names with the workflow's. One whose workflow was terminated has nobody left to
// record its end or give its build slot back: it is closed. One whose workflow was reset may wait for the very slot that
// the terminated run holds: its new run is begun here.
func (r *Reconciler) followRuns(ctx context.Context, p *pass) error {
	underWay, err := r.Stuck.UnderWay(ctx, r.Age)
	if err != nil {
		return err
	}
	errs := make([]error, len(underWay))
	repairs := make([]func() error, len(underWay))
	var asking errgroup.Group
	asking.SetLimit(questionsAtOnce)
	for i, d := range underWay {
		asking.Go(func() error {
			repairs[i], errs[i] = r.followRun(ctx, d, p)
			return nil // one that cannot be asked for keeps nobody from the others
		})
	}
	_ = asking.Wait()
	for _, repair := range repairs {
		if repair != nil {
			errs = append(errs, repair())
		}
	}
	return errors.Join(errs...)
}

// questionsAtOnce is how many workflows are asked for at a time: as many deployments as the installation takes are under way at
// once when most of them wait for a build slot.
const questionsAtOnce = 16

// followRun returns what repairs a deployment, nil when its run is the workflow's.
func (r *Reconciler) followRun(ctx context.Context, d deployment.Deployment, p *pass) (repair func() error, err error) {
	run, open, err := r.Workflows.CurrentRun(ctx, d.ID)
	switch {
	case err != nil:
		return nil, err
	case !open:
		return func() error { return r.closeLost(ctx, d, p) }, nil
	case run != d.RunID:
		return func() error {
			return p.mend(&p.result.Moved, differenceOf(d, "its workflow was reset", "moved to the new run"), func() error {
				return r.Store.BeginRun(ctx, d.ID, d.RunID, run)
			})
		}, nil
	}
	return nil, nil
}

// repeatCancels sends lost cancel requests again. Whether one was lost is not to be seen, so that it counts as a difference only
// when it should have been heard by now.
func (r *Reconciler) repeatCancels(ctx context.Context, p *pass) error {
	canceling, err := r.Stuck.CancelingDeployments(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range canceling {
		if p.names && d.CancelRequestedAt != nil && time.Since(*d.CancelRequestedAt) < r.Age {
			continue
		}
		errs = append(errs, p.mend(&p.result.Canceled, differenceOf(d, "its cancel is not over", "canceled once more"), func() error {
			return r.cancel(ctx, d)
		}))
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
func (r *Reconciler) closeLost(ctx context.Context, d deployment.Deployment, p *pass) error {
	return p.mend(&p.result.Closed, differenceOf(d, "its workflow has ended without recording its end", "closed as failed"), func() error {
		return r.close(ctx, d, deployment.StatusFailed, deployment.PlatformFailure("deploy.workflow_lost",
			"retry it; to stop a deploy, cancel it rather than terminate its workflow",
			"workflow %s has ended without recording the end of the deployment", d.WorkflowID))
	})
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

// tearDown begins teardowns that nobody has begun.
func (r *Reconciler) tearDown(ctx context.Context, p *pass) error {
	deletions, err := r.Deleted.Deletions(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range deletions {
		runs, err := r.Workflows.TeardownRuns(ctx, d)
		if err != nil || runs {
			errs = append(errs, err)
			continue
		}
		found := deployment.Difference{Kind: "deletion", Thing: d.Name, Found: "nothing removes what it owned", Repair: "begun"}
		errs = append(errs, p.mend(&p.result.Torn, found, func() error { return r.Workflows.Teardown(ctx, d) }))
	}
	return errors.Join(errs...)
}

// KnownHosts is what the store knows of hosts.
type KnownHosts interface {
	// Hosts lists every host that was seen, or that something is said to be on.
	Hosts(ctx context.Context) ([]deployment.Host, error)
}

// Hosts lists the hosts that there are to compare.
func (r *Reconciler) Hosts(ctx context.Context) ([]deployment.Host, error) { return r.Known.Hosts(ctx) }
