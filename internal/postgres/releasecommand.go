package postgres

import (
	"context"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// ReleaseCommand returns how far a run has come with the release command.
func (s *Store) ReleaseCommand(ctx context.Context, deploymentID, runID string) (deployment.CommandState, error) {
	if !isID(deploymentID) {
		return "", at(deployment.ErrNotFound, "release command of deployment %q", deploymentID)
	}
	state, err := s.q.ReleaseCommand(ctx, db.ReleaseCommandParams{ID: deploymentID, RunID: runID})
	return deployment.CommandState(state), at(err, "release command of deployment %s", deploymentID)
}

// BeginReleaseCommand notes that a run is about to start the release command, and returns how far it had come before: what is
// done stays done. It answers deployment.ErrCancelRequested when a cancel came first, deployment.ErrStaleRun when the deployment
// has ended or another run took over.
func (s *Store) BeginReleaseCommand(ctx context.Context, deploymentID, runID string) (before deployment.CommandState, err error) {
	err = s.locked(ctx, deploymentID, func(q *db.Queries, row db.LockDeploymentRow) error {
		switch {
		case row.RunID != runID || deployment.Status(row.Status).Ended():
			return deployment.ErrStaleRun
		case row.CancelRequestedAt != nil:
			return deployment.ErrCancelRequested
		}
		state, err := q.ReleaseCommand(ctx, db.ReleaseCommandParams{ID: deploymentID, RunID: runID})
		if before = deployment.CommandState(state); err != nil || before != deployment.CommandNone {
			return err
		}
		return q.SetReleaseCommand(ctx, db.SetReleaseCommandParams{ID: deploymentID, RunID: runID, State: string(deployment.CommandBegun)})
	})
	return before, at(err, "begin release command of deployment %s", deploymentID)
}

// EndReleaseCommand notes that the release command of a run has ended well.
func (s *Store) EndReleaseCommand(ctx context.Context, deploymentID, runID string) error {
	return at(s.write(ctx, deploymentID, runID, func(q *db.Queries) error {
		return q.SetReleaseCommand(ctx, db.SetReleaseCommandParams{ID: deploymentID, RunID: runID, State: string(deployment.CommandDone)})
	}), "end release command of deployment %s", deploymentID)
}
