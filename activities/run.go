package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// enter lets an activity begin when its run is the deployment's. A run may begin anywhere, since a reset may lead to any
// point of a history: whichever activity comes first takes the deployment over, if Temporal says that its run is the
// workflow's current one. Every other run is stale from then on.
func (r *Recorder) enter(ctx context.Context, a StepAttempt) (deployment.Deployment, error) {
	for {
		var d deployment.Deployment
		if err := r.persist(ctx, func() (err error) { d, err = r.Store.Deployment(ctx, a.DeploymentID); return err }); err != nil {
			return d, goneIsStale(err)
		}
		if d.RunID == a.RunID {
			return d, nil
		}
		current, _, err := r.Runs.CurrentRun(ctx, a.DeploymentID)
		if err != nil {
			return d, err
		}
		if current != a.RunID {
			return d, fmt.Errorf("run %s began: %w", current, deployment.ErrStaleRun)
		}
		err = r.persist(ctx, func() error { return r.Store.BeginRun(ctx, a.DeploymentID, d.RunID, a.RunID) })
		if !errors.Is(err, deployment.ErrConflict) { // another activity of this run was faster, or a run that has ended by now
			return d, err
		}
	}
}

// goneIsStale makes an end of what would be tried for ever: the rows of a deleted project do not come back.
func goneIsStale(err error) error {
	if errors.Is(err, deployment.ErrNotFound) {
		return fmt.Errorf("%w: %w", deployment.ErrStaleRun, err)
	}
	return err
}
