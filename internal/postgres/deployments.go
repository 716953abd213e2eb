package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Deployment returns a deployment whole, its plan and Dockerfile too.
func (s *Store) Deployment(ctx context.Context, id string) (deployment.Deployment, error) {
	if !isID(id) {
		return deployment.Deployment{}, at(deployment.ErrNotFound, "deployment %q", id)
	}
	row, err := s.q.Deployment(ctx, id)
	if err != nil {
		return deployment.Deployment{}, at(err, "deployment %s", id)
	}
	d, err := toDeployment(row.DeploymentDetail)
	if err != nil {
		return deployment.Deployment{}, at(err, "deployment %s", id)
	}
	d.Dockerfile, d.PlanInput, d.ImageInput, d.BuildAgain = row.Dockerfile, row.PlanInput, row.ImageInput, row.BuildAgain
	if d.Figures, err = fromJSON[deployment.BuildFigures](row.BuildFigures, "build_figures"); err != nil {
		return d, at(err, "deployment %s", id)
	}
	d.Plan, err = fromJSON[deployment.Plan](row.Plan, "plan")
	return d, at(err, "deployment %s", id)
}

// Deployments returns one page of the deployments that match, newest first and without plan and Dockerfile, and the
// cursor of the next page, empty after the last. Those of deleted projects are left out.
func (s *Store) Deployments(ctx context.Context, f deployment.DeploymentFilter, page deployment.Page) ([]deployment.Deployment, string, error) {
	before, beforeID, err := decodeDeploymentCursor(page.Cursor)
	if err != nil {
		return nil, "", fmt.Errorf("list deployments: %w", err)
	}
	if !matchable(f) {
		return []deployment.Deployment{}, "", nil
	}
	limit := limitOf(page)
	rows, err := s.q.Deployments(ctx, db.DeploymentsParams{
		ProjectID: orNull(f.ProjectID), EnvironmentID: orNull(f.EnvironmentID), Environment: orNull(f.Environment),
		Status: orNull(string(f.Status)), BeforeTime: before, BeforeID: beforeID, Max: int32(limit + 1),
	})
	if err != nil {
		return nil, "", at(err, "list deployments")
	}
	items, err := toDeployments(rows[:min(len(rows), limit)])
	if err != nil || len(rows) <= limit {
		return items, "", at(err, "list deployments")
	}
	return items, deploymentCursor(items[limit-1]), nil
}

func matchable(f deployment.DeploymentFilter) bool {
	return (f.ProjectID == "" || isID(f.ProjectID)) && (f.EnvironmentID == "" || isID(f.EnvironmentID)) &&
		isText(f.Environment) && isText(string(f.Status))
}

func toDeployments(rows []db.DeploymentDetail) ([]deployment.Deployment, error) {
	items := make([]deployment.Deployment, len(rows))
	for i, row := range rows {
		d, err := toDeployment(row)
		if err != nil {
			return nil, fmt.Errorf("deployment %s: %w", row.ID, err)
		}
		items[i] = d
	}
	return items, nil
}

func toDeployment(r db.DeploymentDetail) (deployment.Deployment, error) {
	failure, failureErr := fromJSON[deployment.Failure](r.Failure, "failure")
	step, stepErr := fromJSON[deployment.StepNow](r.Step, "step")
	warnings, warningsErr := fromJSON[[]deployment.Warning](r.Warnings, "warnings")
	d := deployment.Deployment{
		ID: r.ID, Number: int(r.Number), ProjectID: r.ProjectID, ProjectName: r.ProjectName,
		EnvironmentID: r.EnvironmentID, Environment: r.Environment, Generation: r.Generation,
		Status: deployment.Status(r.Status), Ref: deployment.Ref{Kind: deployment.RefKind(r.RefKind), Name: r.RefName}, Force: r.Force,
		Branch: r.Branch, Commit: r.Commit, WorkflowID: r.WorkflowID, RunID: r.RunID,
		PreviewHost: r.PreviewHost, EnvHost: r.EnvHost, Image: r.Image, ImageDigest: r.ImageDigest,
		Failure: failure, SupersededBy: orEmpty(r.SupersededBy), ReusedFrom: orEmpty(r.ReusedFrom), Step: step,
		CreatedAt: r.CreatedAt.UTC(), AdmittedAt: utc(r.AdmittedAt), RetryRequestedAt: utc(r.RetryRequestedAt),
		StartedAt: utc(r.StartedAt), ReadyAt: utc(r.ReadyAt), FinishedAt: utc(r.FinishedAt), CancelRequestedAt: utc(r.CancelRequestedAt),
		ImageRemovedAt: utc(r.ImageRemovedAt), LogRemovedAt: utc(r.LogRemovedAt),
	}
	if warnings != nil {
		d.Warnings = *warnings
	}
	switch {
	case d.Waiting():
		d.Step = turnOf(r)
	case step != nil && step.WaitingFor == waitsForSlot:
		step.QueuePosition = int(r.Place)
		if r.SlotWait != "" {
			step.WaitingFor = r.SlotWait
		}
	}
	return d, errors.Join(failureErr, stepErr, warningsErr)
}

// turnOf tells what a deployment waits for before its first step. It may be nothing for a moment: AdmitStranded.
func turnOf(r db.DeploymentDetail) *deployment.StepNow {
	turn := &deployment.StepNow{Name: deployment.StepResolve, Attempt: 1, WaitingFor: "its turn", QueuePosition: int(r.Place)}
	if r.WaitsFor > 0 {
		turn.WaitingFor = fmt.Sprintf("deployment #%d of this environment", r.WaitsFor)
	}
	return turn
}
