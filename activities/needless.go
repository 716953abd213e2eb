package activities

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// endNeedless terminates deploy workflows that work for nothing: the deployment is not there, as after a database was restored
// from a backup, or it has ended under this very run, which should have closed then. Nobody is left to hear a cancel in order, and
// there is nothing that such a run could still record; what it made is swept like that of any other run that ended.
func (r *Reconciler) endNeedless(ctx context.Context, p *pass) error {
	open, err := r.Workflows.OpenRuns(ctx, r.Grace)
	if err != nil || len(open) == 0 {
		return err
	}
	needless, err := r.Stuck.Needless(ctx, open, r.Grace)
	errs := []error{err}
	for _, run := range needless {
		found := deployment.Difference{
			Kind: "workflow", Thing: temporal.DeployWorkflowID(run.DeploymentID), Found: "its deployment is not there, or has ended", Repair: "terminated",
		}
		errs = append(errs, p.mend(&p.result.Terminated, found, func() error {
			return r.Workflows.Terminate(ctx, run, "the deployment is not there, or has ended")
		}))
	}
	return errors.Join(errs...)
}
