package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Twin finds the newest other deployment whose image was built from the same commit for the same environment, from a plan that
// every living build host would make again; planInput is what that plan is made from. deployment.ErrNotFound when there is none.
func (s *Store) Twin(ctx context.Context, deploymentID, planInput string) (deployment.Deployment, error) {
	id, err := s.q.Twin(ctx, db.TwinParams{ID: deploymentID, PlanInput: planInput})
	if err != nil {
		return deployment.Deployment{}, at(err, "find what was built like deployment %s", deploymentID)
	}
	return s.Deployment(ctx, id)
}

// TakeOver gives a deployment the plan and the image of its twin. It answers deployment.ErrImageRemoved when that was given up
// meanwhile.
func (s *Store) TakeOver(ctx context.Context, deploymentID, runID string, twin deployment.Deployment) error {
	warnings, err := json.Marshal(twin.Plan.Warnings)
	if err != nil {
		return fmt.Errorf("take over the image of deployment %s: encode warnings: %w", twin.ID, err)
	}
	err = s.inOrder(ctx, deploymentID, func(q *db.Queries, _ db.LockEnvironmentOfRow, row db.LockDeploymentRow) error {
		if row.RunID != runID || deployment.Status(row.Status).Ended() {
			return deployment.ErrStaleRun
		}
		n, err := q.TakeOver(ctx, db.TakeOverParams{ID: deploymentID, Twin: twin.ID, ImageDigest: twin.ImageDigest, Warnings: warnings})
		if err == nil && n == 0 {
			err = deployment.ErrImageRemoved
		}
		return err
	})
	return at(err, "take over the image of deployment %s", twin.ID)
}
