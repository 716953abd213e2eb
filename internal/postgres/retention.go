package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// ExpiredDeployments lists at most limit deployments that ExpireDeployments would delete, those first that are over longest.
func (s *Store) ExpiredDeployments(ctx context.Context, age time.Duration, keep, limit int) (ids []string, err error) {
	rows, err := s.expiredDeployments(ctx, age, keep, limit)
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids, err
}

func (s *Store) expiredDeployments(ctx context.Context, age time.Duration, keep, limit int) ([]db.ExpiredDeploymentsRow, error) {
	rows, err := s.q.ExpiredDeployments(ctx, db.ExpiredDeploymentsParams{Age: age, Keep: int32(keep), Max: int32(limit)}) //nolint:gosec // small numbers
	return rows, at(err, "list deployments that are past their retention")
}

// ExpireDeployments deletes the rows of at most limit deployments that are over for longer than age, and returns how many. What is
// live, under way, the newest of its environment, owns something, or may be gone back to (the last keep that were live, and the
// newest of every image that is kept) stays, and so does what another deployment names as the origin of its image, and what
// still has its log.
func (s *Store) ExpireDeployments(ctx context.Context, age time.Duration, keep, limit int) (int, error) {
	rows, err := s.expiredDeployments(ctx, age, keep, limit)
	if err != nil {
		return 0, err
	}
	deleted := 0
	for _, row := range rows {
		gone, err := s.expireDeployment(ctx, row, age, keep)
		if err != nil {
			return deleted, at(err, "delete deployment %s, which is past its retention", row.ID)
		}
		if gone {
			deleted++
		}
	}
	return deleted, nil
}

// expireDeployment looks again with everything locked that could begin to need the deployment: a rollback or promotion waits for
// the project's row, a retry for the environment's. The locks are taken in everybody's order.
func (s *Store) expireDeployment(ctx context.Context, row db.ExpiredDeploymentsRow, age time.Duration, keep int) (gone bool, err error) {
	err = s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockProject(ctx, row.ProjectID); err != nil {
			return err
		}
		if _, err := q.LockEnvironmentOf(ctx, row.ID); err != nil {
			return err
		}
		if _, err := q.LockDeployment(ctx, row.ID); err != nil {
			return err
		}
		still, err := q.ExpiredDeployments(ctx, db.ExpiredDeploymentsParams{Age: age, Keep: int32(keep), ID: &row.ID, Max: 1}) //nolint:gosec // a small number
		if err != nil || len(still) == 0 {
			return err
		}
		if err := q.PassSupersessionOn(ctx, row.ID); err != nil {
			return err
		}
		gone = true
		return q.DeleteDeployment(ctx, row.ID)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // somebody else has deleted it, or deletes its project
	}
	return gone && err == nil, err
}
