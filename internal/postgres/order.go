package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// SetOrderPolicy changes what a new deployment of an environment does with those that have not ended, and lets those that are
// there follow it at once: nobody waits on. newest is the one that takes its place by the new policy, empty when nothing is
// under way. An environment that is deleted is deployment.ErrNotFound.
func (s *Store) SetOrderPolicy(ctx context.Context, id string, policy deployment.OrderPolicy) (e deployment.Environment, newest deployment.Deployment, err error) {
	if !isID(id) {
		return e, newest, at(deployment.ErrNotFound, "set order policy of environment %q", id)
	}
	var last string
	err = s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockEnvironmentByID(ctx, id); err != nil {
			return err
		}
		if err := q.SetOrderPolicy(ctx, db.SetOrderPolicyParams{ID: id, OrderPolicy: string(policy)}); err != nil {
			return err
		}
		last, err = q.NewestUnderWay(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return takePlace(ctx, q, string(policy), id, last)
	})
	if err == nil && last != "" {
		newest, err = s.Deployment(ctx, last)
	}
	if err != nil {
		return e, newest, at(err, "set order policy of environment %s", id)
	}
	e, err = s.EnvironmentByID(ctx, id)
	return e, newest, err
}

// inOrder runs do in a transaction that holds the deployment's environment and then its row. What becomes of other
// deployments of the environment, when one begins or ends, is decided by one at a time. Everybody locks in this order.
func (s *Store) inOrder(ctx context.Context, deploymentID string, do func(*db.Queries, db.LockEnvironmentOfRow, db.LockDeploymentRow) error) error {
	if !isID(deploymentID) {
		return deployment.ErrNotFound
	}
	return s.inTx(ctx, func(q *db.Queries) error {
		environment, err := q.LockEnvironmentOf(ctx, deploymentID)
		if err != nil {
			return err
		}
		row, err := q.LockDeployment(ctx, deploymentID)
		if err != nil {
			return err
		}
		return do(q, environment, row)
	})
}

// takePlace lets a deployment begin, as its environment's policy says: it takes the place of older ones that have not ended,
// or it is admitted when its turn comes, which may be now. The environment is locked.
func takePlace(ctx context.Context, q *db.Queries, policy, environment, id string) error {
	if deployment.OrderPolicy(policy) == deployment.OrderQueue {
		return q.AdmitNext(ctx, environment)
	}
	if err := q.Admit(ctx, id); err != nil {
		return err
	}
	if err := q.EndOlder(ctx, id); err != nil {
		return err
	}
	return q.CancelOlder(ctx, id)
}

// CancelingFor lists the deployments whose workflows are to be canceled because this one takes their place.
func (s *Store) CancelingFor(ctx context.Context, id string) ([]string, error) {
	ids, err := s.q.CancelingFor(ctx, &id)
	return ids, at(err, "list what deployment %s supersedes", id)
}

// Due returns the deployments whose turn came longer ago than olderThan and whose workflow is still to be started or, for a
// retry, reset: whoever was to do that may have died. Oldest turn first, without plan and Dockerfile; those of the
// environment of deployment beside, or of all when that is empty.
func (s *Store) Due(ctx context.Context, beside string, olderThan time.Duration) ([]deployment.Deployment, error) {
	rows, err := s.q.Due(ctx, db.DueParams{Beside: orNull(beside), OlderThan: olderThan})
	if err != nil {
		return nil, at(err, "list deployments that are due")
	}
	items, err := toDeployments(rows)
	return items, at(err, "list deployments that are due")
}

// Stranded lists the environments whose next AdmitStranded would admit.
func (s *Store) Stranded(ctx context.Context) ([]string, error) {
	environments, err := s.q.Stranded(ctx)
	return environments, at(err, "list environments in which deployments wait for nothing")
}

// AdmitStranded admits the next of every environment in which something waits and nothing is under way: whoever ended the last
// deployment there was a process of an older slipway, which admits nobody.
func (s *Store) AdmitStranded(ctx context.Context) error {
	environments, err := s.q.Stranded(ctx)
	for _, id := range environments {
		err = errors.Join(err, s.inTx(ctx, func(q *db.Queries) error {
			if _, err := q.LockEnvironmentByID(ctx, id); errors.Is(err, pgx.ErrNoRows) {
				return nil // deleted meanwhile, and what waited there is canceled
			} else if err != nil {
				return err
			}
			return q.AdmitNext(ctx, id)
		}))
	}
	return at(err, "admit deployments that wait for nothing")
}
