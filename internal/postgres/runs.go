package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// errWaits says that a run was begun before its turn.
var errWaits = fmt.Errorf("it waits for an earlier deployment of its environment and is reset again when its turn comes: %w", deployment.ErrStaleRun)

// BeginRun makes runID the deployment's current run: from then on writes of any other are refused, and the build slots
// that others hold are free. The caller knows from Temporal that runID is the workflow's current run; seen is the run that
// the row named before the caller asked, and deployment.ErrConflict means that it names another by now.
//
// One that has failed or was canceled is queued again: to begin a run is to retry, whoever reset the workflow. One that is
// not begun again, because it is ready or was replaced, answers deployment.ErrEnded; one that has to wait for its turn
// answers deployment.ErrStaleRun, and its retry is due when the turn comes.
func (s *Store) BeginRun(ctx context.Context, deploymentID, seen, runID string) error {
	var refused error
	err := s.inOrder(ctx, deploymentID, func(q *db.Queries, environment db.LockEnvironmentOfRow, row db.LockDeploymentRow) (err error) {
		if row.RunID != seen {
			return deployment.ErrConflict
		}
		if row.RunID != runID {
			if refused, err = startOver(ctx, q, environment, deploymentID, row); err != nil {
				return err
			}
			if err := forgetOthers(ctx, q, deploymentID, runID); err != nil {
				return err
			}
		}
		if kept, err := q.KeepWaiting(ctx, db.KeepWaitingParams{ID: deploymentID, RunID: runID}); err != nil || kept > 0 {
			refused = errWaits
			return err
		}
		return q.BeginRun(ctx, db.BeginRunParams{ID: deploymentID, RunID: runID})
	})
	return at(errors.Join(err, refused), "begin run %s of deployment %s", runID, deploymentID)
}

// startOver queues a deployment for a run that takes over, as far as it may; refused says why it may not.
func startOver(ctx context.Context, q *db.Queries, environment db.LockEnvironmentOfRow, id string, row db.LockDeploymentRow) (refused, err error) {
	status := deployment.Status(row.Status)
	switch {
	case status == deployment.StatusCanceled && row.RunID == "": // nobody has reset anything: there was no run when it was canceled
		return fmt.Errorf("%w: it was canceled before its workflow was started", deployment.ErrEnded), nil
	case status.Ended():
		err := mayRetry(ctx, q, id, status)
		if errors.Is(err, deployment.ErrNotRetryable) || errors.Is(err, deployment.ErrReplaced) || errors.Is(err, deployment.ErrNotFound) {
			return fmt.Errorf("%w: it is %s: %w", deployment.ErrEnded, status, err), nil
		}
		if err != nil {
			return nil, err
		}
		return nil, requeue(ctx, q, environment, id)
	case status.CanBecome(deployment.StatusQueued):
		return nil, q.SetStatus(ctx, db.SetStatusParams{ID: id, Status: string(deployment.StatusQueued)})
	default: // queued already, or canceling, which it stays
		return nil, nil
	}
}

// forgetOthers ends what other runs of the deployment were at. What they made on hosts is theirs by the ledger, and each
// host's sweeper removes it.
func forgetOthers(ctx context.Context, q *db.Queries, id, runID string) error {
	now := time.Now()
	if err := q.LoseSteps(ctx, db.LoseStepsParams{DeploymentID: id, At: &now}); err != nil {
		return err
	}
	return q.GiveUpLeases(ctx, db.GiveUpLeasesParams{DeploymentID: id, RunID: runID})
}

// SetCommit stores what the ref was resolved to, unless a commit is stored already.
func (s *Store) SetCommit(ctx context.Context, deploymentID, runID, commit, branch string) error {
	return at(s.write(ctx, deploymentID, runID, func(q *db.Queries) error {
		return q.SetCommit(ctx, db.SetCommitParams{ID: deploymentID, Commit: commit, Branch: asText(branch)})
	}), "set commit of deployment %s", deploymentID)
}

// SetPlan stores what is built, what it was planned from, and the plan's warnings on the deployment.
func (s *Store) SetPlan(ctx context.Context, deploymentID, runID string, p deployment.Planned) error {
	data, err := json.Marshal(p.Plan)
	if err != nil {
		return fmt.Errorf("set plan of deployment %s: encode: %w", deploymentID, err)
	}
	warnings, err := json.Marshal(p.Warnings())
	if err != nil {
		return fmt.Errorf("set plan of deployment %s: encode warnings: %w", deploymentID, err)
	}
	return at(s.write(ctx, deploymentID, runID, func(q *db.Queries) error {
		return q.SetPlan(ctx, db.SetPlanParams{
			ID: deploymentID, Plan: data, PlanDigest: p.Digest, Dockerfile: asText(p.Dockerfile), Warnings: warnings,
			PlanInput: p.Input, Planner: p.Planner,
		})
	}), "set plan of deployment %s", deploymentID)
}

// AddWarning adds a warning to those of the plan, unless the deployment has one of its code.
func (s *Store) AddWarning(ctx context.Context, deploymentID, runID string, w deployment.Warning) error {
	data, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("add warning to deployment %s: encode: %w", deploymentID, err)
	}
	return at(s.write(ctx, deploymentID, runID, func(q *db.Queries) error {
		return q.AddWarning(ctx, db.AddWarningParams{ID: deploymentID, Code: w.Code, Warning: data})
	}), "add warning to deployment %s", deploymentID)
}

// BaseRuns reports whether a preview that is to run, of whichever project, stands on a base image.
func (s *Store) BaseRuns(ctx context.Context, base string) (bool, error) {
	runs, err := s.q.BaseRuns(ctx, base)
	return runs, at(err, "look for previews on base image %s", base)
}

// PlanBefore returns the plan of the newest deployment of the same environment that became ready before this one was made, nil for
// none.
func (s *Store) PlanBefore(ctx context.Context, deploymentID string) (*deployment.Plan, error) {
	data, err := s.q.PlanBefore(ctx, deploymentID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, at(err, "read the plan before deployment %s", deploymentID)
	}
	return fromJSON[deployment.Plan](data, "plan")
}

// ImageBefore returns the newest deployment of the same environment that became ready before this one was made and whose image was
// not given up, nil for none.
func (s *Store) ImageBefore(ctx context.Context, deploymentID string) (*deployment.Deployment, error) {
	id, err := s.q.ImageBefore(ctx, deploymentID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, at(err, "read the image before deployment %s", deploymentID)
	}
	before, err := s.Deployment(ctx, id)
	return &before, err
}

// SetImage stores what was built, from which input and with which figures; without figures, those of the same image stay.
func (s *Store) SetImage(ctx context.Context, deploymentID, runID string, built deployment.BuiltImage) error {
	var figures []byte
	if built.Figures != nil {
		var err error
		if figures, err = json.Marshal(built.Figures); err != nil {
			return fmt.Errorf("set image of deployment %s: %w", deploymentID, err)
		}
	}
	return at(s.write(ctx, deploymentID, runID, func(q *db.Queries) error {
		return q.SetImage(ctx, db.SetImageParams{
			ID: deploymentID, Image: built.Image, ImageDigest: built.Digest, ImageInput: built.Input, BuildFigures: figures,
		})
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
