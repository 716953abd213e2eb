package postgres

import (
	"context"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// SetOrderPolicy changes what a new deployment of an environment does with those that have not ended. An environment that is
// deleted is deployment.ErrNotFound.
func (s *Store) SetOrderPolicy(ctx context.Context, id string, policy deployment.OrderPolicy) (deployment.Environment, error) {
	if !isID(id) {
		return deployment.Environment{}, at(deployment.ErrNotFound, "set order policy of environment %q", id)
	}
	n, err := s.q.SetOrderPolicy(ctx, db.SetOrderPolicyParams{ID: id, OrderPolicy: string(policy)})
	if err == nil && n == 0 {
		err = deployment.ErrNotFound
	}
	if err != nil {
		return deployment.Environment{}, at(err, "set order policy of environment %s", id)
	}
	return s.EnvironmentByID(ctx, id)
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

// takePlace lets a deployment that begins take the place of older ones that have not ended, where the environment's policy
// says so. The environment is locked.
func takePlace(ctx context.Context, q *db.Queries, policy, id string) error {
	if deployment.OrderPolicy(policy) != deployment.OrderSupersede {
		return nil
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
