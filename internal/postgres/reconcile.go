package postgres

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
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

// Needless returns those of the runs whose deployment is not there, or has ended under them without becoming ready longer than
// age ago. A run with another id than a deployment's is none of slipway's.
func (s *Store) Needless(ctx context.Context, runs []deployment.Run, age time.Duration) ([]deployment.Run, error) {
	in := db.NeedlessParams{Age: age}
	for _, run := range runs {
		if isID(run.DeploymentID) {
			in.Ids, in.RunIds = append(in.Ids, run.DeploymentID), append(in.RunIds, run.RunID)
		}
	}
	rows, err := s.q.Needless(ctx, in)
	needless := make([]deployment.Run, len(rows))
	for i, row := range rows {
		needless[i] = deployment.Run{DeploymentID: row.ID, RunID: row.RunID}
	}
	return needless, at(err, "list workflows that nothing needs")
}
