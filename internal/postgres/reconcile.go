package postgres

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// UnderWay returns the deployments that a run has begun longer than olderThan ago and that are neither ended nor
// canceling, oldest first, without plan and Dockerfile.
func (s *Store) UnderWay(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error) {
	rows, err := s.q.UnderWay(ctx, olderThan)
	if err != nil {
		return nil, at(err, "list deployments under way")
	}
	items, err := toDeployments(rows)
	return items, at(err, "list deployments under way")
}

// CancelingDeployments returns the deployments that are canceling, oldest first, without plan and Dockerfile.
func (s *Store) CancelingDeployments(ctx context.Context) ([]deployment.Deployment, error) {
	rows, err := s.q.Canceling(ctx)
	if err != nil {
		return nil, at(err, "list canceling deployments")
	}
	items, err := toDeployments(rows)
	return items, at(err, "list canceling deployments")
}
