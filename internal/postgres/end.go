package postgres

import (
	"context"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// RequestCancel moves a deployment to canceling, and one that waits for its turn to canceled; deployment.ErrNotCancelable when
// it has ended. A deployment that is canceling already is returned as it stands.
func (s *Store) RequestCancel(ctx context.Context, id string) (deployment.Deployment, error) {
	if !isID(id) {
		return deployment.Deployment{}, at(deployment.ErrNotFound, "cancel deployment %q", id)
	}
	n, err := s.q.CancelWaiting(ctx, id)
	if err == nil && n == 0 {
		n, err = s.q.RequestCancel(ctx, id)
	}
	if err != nil {
		return deployment.Deployment{}, at(err, "cancel deployment %s", id)
	}
	d, err := s.Deployment(ctx, id)
	if err != nil {
		return deployment.Deployment{}, at(err, "cancel")
	}
	if n == 0 && d.Status.Ended() {
		return d, at(deployment.ErrNotCancelable, "cancel deployment %s, which is %s", id, d.Status)
	}
	return d, nil
}

// Canceling notes that the run was asked to cancel, whoever asked; nothing when the deployment has ended.
func (s *Store) Canceling(ctx context.Context, deploymentID, runID string) error {
	return at(s.locked(ctx, deploymentID, func(q *db.Queries, row db.LockDeploymentRow) error {
		if row.RunID != runID {
			return deployment.ErrStaleRun
		}
		_, err := q.RequestCancel(ctx, deploymentID)
		return err
	}), "move deployment %s to canceling", deploymentID)
}

// Finish ends a deployment as failed, canceled or superseded, admits the next of its environment if one waits, and returns
// its status as it stands then. One that has ended stays as it is; one that is canceling ends canceled instead of failed, or
// superseded when a newer one of its environment is why; one that lost the route ends superseded and names what is live
// instead. runID is the current run; a deployment whose run never began can be ended by anybody.
func (s *Store) Finish(ctx context.Context, deploymentID, runID string, outcome deployment.Status, f *deployment.Failure) (deployment.Status, error) {
	var stands deployment.Status
	err := s.inOrder(ctx, deploymentID, func(q *db.Queries, environment db.LockEnvironmentOfRow, row db.LockDeploymentRow) error {
		stands = deployment.Status(row.Status)
		// A retry that was asked for makes another run: the former one is nobody's end any more.
		retried := row.RetryRequestedAt != nil && outcome == deployment.StatusFailed
		if row.RunID != "" && row.RunID != runID || retried {
			return deployment.ErrStaleRun
		}
		if stands.Ended() {
			return nil
		}
		if outcome == deployment.StatusFailed && row.CancelRequestedAt != nil {
			outcome = deployment.StatusCanceled
		}
		if outcome == deployment.StatusCanceled && row.SupersededBy != nil {
			outcome = deployment.StatusSuperseded
		}
		if !outcome.Ended() || !stands.CanBecome(outcome) || outcome == deployment.StatusReady {
			return deployment.ErrInvalidMove
		}
		stands = outcome
		if err := endDeployment(ctx, q, deploymentID, outcome, f); err != nil {
			return err
		}
		return q.AdmitNext(ctx, environment.ID)
	})
	return stands, at(err, "finish deployment %s as %s", deploymentID, outcome)
}

func endDeployment(ctx context.Context, q *db.Queries, id string, outcome deployment.Status, f *deployment.Failure) error {
	step := deployment.StepCanceled
	if outcome == deployment.StatusFailed {
		step = deployment.StepFailed
	} else {
		f = nil
	}
	failure, err := failureJSON(f)
	if err != nil {
		return err
	}
	if err := q.EndSteps(ctx, db.EndStepsParams{DeploymentID: id, Status: string(step), Failure: failure}); err != nil {
		return err
	}
	return q.EndDeployment(ctx, db.EndDeploymentParams{ID: id, Status: string(outcome), Failure: failure})
}
