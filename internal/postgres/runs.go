package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// BeginRun makes runID the deployment's current run: from then on writes of any other are refused. A deployment that has
// ended under another run answers deployment.ErrStaleRun.
func (s *Store) BeginRun(ctx context.Context, deploymentID, runID string) error {
	return at(s.locked(ctx, deploymentID, func(q *db.Queries, row db.LockDeploymentRow) error {
		if deployment.Status(row.Status).Ended() {
			if row.RunID != runID {
				return deployment.ErrStaleRun
			}
			return nil
		}
		return q.BeginRun(ctx, db.BeginRunParams{ID: deploymentID, RunID: runID})
	}), "begin run %s of deployment %s", runID, deploymentID)
}

// SetCommit stores what the ref was resolved to, unless a commit is stored already.
func (s *Store) SetCommit(ctx context.Context, deploymentID, runID, commit, branch string) error {
	return at(s.write(ctx, deploymentID, runID, func(q *db.Queries) error {
		return q.SetCommit(ctx, db.SetCommitParams{ID: deploymentID, Commit: commit, Branch: asText(branch)})
	}), "set commit of deployment %s", deploymentID)
}

// SetPlan stores what is built, and the plan's warnings on the deployment.
func (s *Store) SetPlan(ctx context.Context, deploymentID, runID string, plan *deployment.Plan, digest, dockerfile string) error {
	data, err := json.Marshal(plan)
	if err != nil {
		return fmt.Errorf("set plan of deployment %s: encode: %w", deploymentID, err)
	}
	warnings, err := json.Marshal(plan.Warnings)
	if err != nil {
		return fmt.Errorf("set plan of deployment %s: encode warnings: %w", deploymentID, err)
	}
	return at(s.write(ctx, deploymentID, runID, func(q *db.Queries) error {
		return q.SetPlan(ctx, db.SetPlanParams{
			ID: deploymentID, Plan: data, PlanDigest: digest, Dockerfile: asText(dockerfile), Warnings: warnings,
		})
	}), "set plan of deployment %s", deploymentID)
}

// SetImage stores what was built.
func (s *Store) SetImage(ctx context.Context, deploymentID, runID, image, digest string) error {
	return at(s.write(ctx, deploymentID, runID, func(q *db.Queries) error {
		return q.SetImage(ctx, db.SetImageParams{ID: deploymentID, Image: image, ImageDigest: digest})
	}), "set image of deployment %s", deploymentID)
}

// locked runs do in a transaction that holds the deployment's row.
func (s *Store) locked(ctx context.Context, deploymentID string, do func(*db.Queries, db.LockDeploymentRow) error) error {
	if !isID(deploymentID) {
		return deployment.ErrNotFound
	}
	return s.inTx(ctx, func(q *db.Queries) error {
		row, err := q.LockDeployment(ctx, deploymentID)
		if err != nil {
			return err
		}
		return do(q, row)
	})
}

// write runs do when runID is the deployment's current run and the deployment has not ended, else it answers
// deployment.ErrStaleRun.
func (s *Store) write(ctx context.Context, deploymentID, runID string, do func(*db.Queries) error) error {
	return s.locked(ctx, deploymentID, func(q *db.Queries, row db.LockDeploymentRow) error {
		if row.RunID != runID || deployment.Status(row.Status).Ended() {
			return deployment.ErrStaleRun
		}
		return do(q)
	})
}
