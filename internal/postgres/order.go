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
