package postgres

import (
	"context"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// RequestRetry queues a deployment that failed or was canceled again, for one caller only; MakeRetry is the second half. It
// answers deployment.ErrNotRetryable for one that stands otherwise, and deployment.ErrReplaced when a newer deployment of
// its environment is live, or on its way there where a newer one ends what is older.
func (s *Store) RequestRetry(ctx context.Context, id string, maxOpen int) (deployment.Deployment, error) {
	err := s.inOrder(ctx, id, func(q *db.Queries, environment db.LockEnvironmentOfRow, row db.LockDeploymentRow) error {
		if err := mayRetry(ctx, q, id, deployment.Status(row.Status)); err != nil {
			return err
		}
		if err := room(ctx, q, maxOpen); err != nil {
			return err
		}
		return requeue(ctx, q, environment, id)
	})
	if err != nil {
		return deployment.Deployment{}, at(err, "retry deployment %s", id)
	}
	return s.Deployment(ctx, id)
}

// requeue queues a deployment again. It begins as a new one does: what is older may have to give way, or to end first.
func requeue(ctx context.Context, q *db.Queries, environment db.LockEnvironmentOfRow, id string) error {
	if err := q.Requeue(ctx, id); err != nil {
		return err
	}
	return takePlace(ctx, q, environment.OrderPolicy, environment.ID, id)
}

func mayRetry(ctx context.Context, q *db.Queries, id string, status deployment.Status) error {
	found, err := q.Retryable(ctx, id)
	switch {
	case err != nil:
		return err
	case found.Deleted:
		return deployment.ErrNotFound
	case found.Replaced || status == deployment.StatusSuperseded:
		return deployment.ErrReplaced
	case !status.Retryable():
		return deployment.ErrNotRetryable
	}
	return nil
}

// MakeRetry makes the run that a retry asked for, unless it is made or its turn has not come, and stores its id. reset resets
// the run that the row names and returns the new one. The row is locked meanwhile, since Temporal would reset twice for two
// that ask at once.
func (s *Store) MakeRetry(ctx context.Context, id string, reset func(ctx context.Context, runID string) (string, error)) error {
	return at(s.locked(ctx, id, func(q *db.Queries, row db.LockDeploymentRow) error {
		if row.RetryRequestedAt == nil || row.AdmittedAt == nil || deployment.Status(row.Status) != deployment.StatusQueued {
			return nil
		}
		runID, err := reset(ctx, row.RunID)
		if err != nil {
			return err
		}
		if err := forgetOthers(ctx, q, id, runID); err != nil {
			return err
		}
		return q.BeginRun(ctx, db.BeginRunParams{ID: id, RunID: runID})
	}), "make the retry of deployment %s", id)
}
