package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// AttemptNumber returns the number under which people see an attempt: a step that the run does in another activity once more,
// as on another host, goes on counting.
func (s *Store) AttemptNumber(ctx context.Context, a deployment.StepAttempt) (int, error) {
	earlier, err := s.q.EarlierAttempts(ctx, db.EarlierAttemptsParams{
		DeploymentID: a.DeploymentID, RunID: a.RunID, Step: string(a.Step), Activity: a.Activity,
	})
	return int(earlier) + a.Attempt, at(err, "number %s", describe(a))
}

// StepStarted inserts the attempt as running, marks what was running lost, unless it is an earlier step of the run, which has
// succeeded then, and moves the deployment to the step's status
// and current step. It answers deployment.ErrCancelRequested when the deployment is canceling and deployment.ErrStaleRun
// when it has ended or runs under another run.
func (s *Store) StepStarted(ctx context.Context, a deployment.StepAttempt, startedAt time.Time) error {
	return at(s.step(ctx, a, func(q *db.Queries, status deployment.Status) error {
		switch {
		case status == deployment.StatusCanceling:
			return deployment.ErrCancelRequested
		case status.Ended() && status != deployment.StatusReady:
			return deployment.ErrStaleRun
		}
		before := db.SucceedStepsParams{DeploymentID: a.DeploymentID, RunID: a.RunID, Earlier: earlier(a.Step), At: &startedAt}
		if err := q.SucceedSteps(ctx, before); err != nil {
			return err
		}
		if err := q.LoseSteps(ctx, db.LoseStepsParams{DeploymentID: a.DeploymentID, At: &startedAt}); err != nil {
			return err
		}
		if err := startStep(ctx, q, a, startedAt); err != nil {
			return err
		}
		if status == deployment.StatusReady { // what a release does after the switch
			return nil
		}
		// A run that was reset in the middle goes through earlier steps again while the status stays where it was.
		if next := a.Step.Status(); status.CanBecome(next) {
			if err := q.SetStatus(ctx, db.SetStatusParams{ID: a.DeploymentID, Status: string(next)}); err != nil {
				return err
			}
		}
		return setStepNow(ctx, q, a.DeploymentID, now(a))
	}), "record start of %s", describe(a))
}

// earlier are the steps before a step.
func earlier(step deployment.StepName) (names []string) {
	for _, s := range deployment.Steps()[:max(0, step.Number()-1)] {
		names = append(names, string(s))
	}
	return names
}

// StepPhase ends the attempt's running row as succeeded and starts one for a.Phase.
func (s *Store) StepPhase(ctx context.Context, a deployment.StepAttempt, startedAt time.Time) error {
	return at(s.step(ctx, a, func(q *db.Queries, status deployment.Status) error {
		ended, err := q.EndStep(ctx, endParams(a, deployment.StepSucceeded, nil, startedAt))
		if err != nil {
			return err
		}
		if ended == 0 { // the attempt was given up as lost, or the deployment has ended
			return nil
		}
		if err := startStep(ctx, q, a, startedAt); err != nil {
			return err
		}
		if status.Ended() {
			return nil
		}
		return setStepNow(ctx, q, a.DeploymentID, now(a))
	}), "record phase %s of %s", a.Phase, describe(a))
}

// StepEnded ends the attempt's running row, whichever phase it is in. next is when the next attempt starts, nil for none.
func (s *Store) StepEnded(ctx context.Context, a deployment.StepAttempt, status deployment.StepStatus, f *deployment.Failure, next *time.Time, endedAt time.Time) error {
	failure, err := failureJSON(f)
	if err != nil {
		return at(err, "record end of %s", describe(a))
	}
	return at(s.step(ctx, a, func(q *db.Queries, _ deployment.Status) error {
		ended, err := q.EndStep(ctx, endParams(a, status, failure, endedAt))
		if err != nil || ended == 0 {
			return err
		}
		if next == nil {
			return nil
		}
		waiting := now(a)
		waiting.WaitingFor, waiting.NextAttemptAt = f.WaitsFor(), next
		return updateStepNow(ctx, q, a, waiting)
	}), "record end of %s", describe(a))
}

// waitsForSlot is what a deployment in line for a build slot waits for; the database knows it by these words (build_place).
const waitsForSlot = "a build slot"

// AwaitSlot shows that the deployment waits for a build slot since the attempt has ended, until its next step begins.
func (s *Store) AwaitSlot(ctx context.Context, a deployment.StepAttempt) error {
	waiting := now(a)
	waiting.WaitingFor = waitsForSlot
	return at(s.step(ctx, a, func(q *db.Queries, _ deployment.Status) error {
		return updateStepNow(ctx, q, a, waiting)
	}), "record the wait for a build slot after %s", describe(a))
}

// StepProgress updates the deployment's current step, while it is in that attempt.
func (s *Store) StepProgress(ctx context.Context, a deployment.StepAttempt, p deployment.Progress) error {
	progressing := now(a)
	if p.Phase == deployment.PhaseNone {
		p.Phase = a.Phase
	}
	progressing.Progress = p
	return at(s.step(ctx, a, func(q *db.Queries, _ deployment.Status) error {
		return updateStepNow(ctx, q, a, progressing)
	}), "record progress of %s", describe(a))
}

// Steps returns every attempt at every step of a deployment in the order in which they started.
func (s *Store) Steps(ctx context.Context, deploymentID string) ([]deployment.Step, error) {
	if !isID(deploymentID) {
		return nil, at(deployment.ErrNotFound, "steps of deployment %q", deploymentID)
	}
	rows, err := s.q.Steps(ctx, deploymentID)
	if err != nil {
		return nil, at(err, "steps of deployment %s", deploymentID)
	}
	steps := make([]deployment.Step, len(rows))
	for i, r := range rows {
		failure, err := fromJSON[deployment.Failure](r.Failure, "failure")
		if err != nil {
			return nil, at(err, "steps of deployment %s", deploymentID)
		}
		steps[i] = deployment.Step{
			Name: deployment.StepName(r.Step), Phase: deployment.Phase(r.Phase), Attempt: int(r.Attempt), RunID: r.RunID,
			Host: r.Host, Status: deployment.StepStatus(r.Status), StartedAt: r.StartedAt.UTC(),
			FinishedAt: utc(r.FinishedAt), Failure: failure,
		}
	}
	return steps, nil
}

// step runs do on the locked deployment when the attempt belongs to its current run.
func (s *Store) step(ctx context.Context, a deployment.StepAttempt, do func(*db.Queries, deployment.Status) error) error {
	return s.locked(ctx, a.DeploymentID, func(q *db.Queries, row db.LockDeploymentRow) error {
		if row.RunID != a.RunID {
			return deployment.ErrStaleRun
		}
		return do(q, deployment.Status(row.Status))
	})
}

func startStep(ctx context.Context, q *db.Queries, a deployment.StepAttempt, startedAt time.Time) error {
	return q.StartStep(ctx, db.StartStepParams{
		DeploymentID: a.DeploymentID, RunID: a.RunID, Step: string(a.Step), Phase: string(a.Phase), Activity: a.Activity,
		Attempt: int32(a.Attempt), Host: a.Host, StartedAt: startedAt,
	})
}

func endParams(a deployment.StepAttempt, status deployment.StepStatus, failure []byte, endedAt time.Time) db.EndStepParams {
	return db.EndStepParams{
		DeploymentID: a.DeploymentID, RunID: a.RunID, Step: string(a.Step), Attempt: int32(a.Attempt),
		Status: string(status), Failure: failure, At: &endedAt,
	}
}

func now(a deployment.StepAttempt) deployment.StepNow {
	return deployment.StepNow{Name: a.Step, Attempt: a.Attempt, Progress: deployment.Progress{Phase: a.Phase}}
}

func setStepNow(ctx context.Context, q *db.Queries, id string, step deployment.StepNow) error {
	data, err := json.Marshal(step)
	if err != nil {
		return fmt.Errorf("encode step: %w", err)
	}
	return q.SetStepNow(ctx, db.SetStepNowParams{ID: id, Step: data})
}

func updateStepNow(ctx context.Context, q *db.Queries, a deployment.StepAttempt, step deployment.StepNow) error {
	data, err := json.Marshal(step)
	if err != nil {
		return fmt.Errorf("encode step: %w", err)
	}
	return q.UpdateStepNow(ctx, db.UpdateStepNowParams{
		ID: a.DeploymentID, RunID: a.RunID, Step: string(a.Step), Attempt: int32(a.Attempt), Now: data,
	})
}

func describe(a deployment.StepAttempt) string {
	return fmt.Sprintf("step %s, attempt %d, of deployment %s", a.Step, a.Attempt, a.DeploymentID)
}
