package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Preview returns the preview of a deployment, whatever has become of it; deployment.ErrNotFound when it never had one.
func (s *Store) Preview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error) {
	if !isID(deploymentID) {
		return deployment.PreviewDetail{}, at(deployment.ErrNotFound, "preview of deployment %q", deploymentID)
	}
	rows, err := s.q.PreviewDetails(ctx, db.PreviewDetailsParams{ID: &deploymentID, BeforeID: maxID, Max: 1})
	if err == nil && len(rows) == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return deployment.PreviewDetail{}, at(err, "preview of deployment %s", deploymentID)
	}
	p, err := toPreviewDetail(rows[0])
	return p, at(err, "preview of deployment %s", deploymentID)
}

// Previews returns one page of the previews that are live in their environments, or were replaced and still stand, newest
// deployment first, and the cursor of the next page, empty after the last.
func (s *Store) Previews(ctx context.Context, f deployment.PreviewFilter, page deployment.Page) ([]deployment.PreviewDetail, string, error) {
	before, err := decodePreviewCursor(page.Cursor)
	if err != nil {
		return nil, "", fmt.Errorf("list previews: %w", err)
	}
	if f.ProjectID != "" && !isID(f.ProjectID) || f.EnvironmentID != "" && !isID(f.EnvironmentID) || !isText(f.Environment) {
		return []deployment.PreviewDetail{}, "", nil
	}
	limit := limitOf(page)
	rows, err := s.q.PreviewDetails(ctx, db.PreviewDetailsParams{
		ProjectID: orNull(f.ProjectID), EnvironmentID: orNull(f.EnvironmentID), Environment: orNull(f.Environment),
		State: orNull(string(f.State)), BeforeID: before, Max: int32(limit + 1),
	})
	if err != nil {
		return nil, "", at(err, "list previews")
	}
	items := make([]deployment.PreviewDetail, 0, min(len(rows), limit))
	for i, row := range rows {
		if i == limit {
			return items, encodeCursor(cursorPreviews, items[limit-1].DeploymentID), nil
		}
		p, err := toPreviewDetail(row)
		if err != nil {
			return nil, "", at(err, "list previews")
		}
		items = append(items, p)
	}
	return items, "", nil
}

// StopPreview asks for a preview to be stopped. Like the other requests it changes the lease alone, of which Postgres tells who keeps
// it; asked for what is so already, it changes nothing. Of a deployment that is not the live one it answers deployment.ErrNotLive.
func (s *Store) StopPreview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error) {
	return s.changeLease(ctx, "stop", deploymentID, func(q *db.Queries, environmentID string) error {
		return q.StopPreview(ctx, environmentID)
	})
}

// StartPreview asks for a preview to run: one that was stopped, is asleep, or could not be started before. When its time is over it
// begins anew.
func (s *Store) StartPreview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error) {
	return s.changeLease(ctx, "start", deploymentID, func(q *db.Queries, environmentID string) error {
		return q.StartPreview(ctx, db.StartPreviewParams{EnvironmentID: environmentID, DeploymentID: deploymentID, Ttl: s.options.PreviewTTL})
	})
}

// PinPreview takes sleep and end away from a preview.
func (s *Store) PinPreview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error) {
	return s.changeLease(ctx, "pin", deploymentID, func(q *db.Queries, environmentID string) error {
		return q.PinPreview(ctx, db.PinPreviewParams{EnvironmentID: environmentID, DeploymentID: deploymentID})
	})
}

// UnpinPreview begins the time of a pinned preview anew; production's has no end.
func (s *Store) UnpinPreview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error) {
	return s.changeLease(ctx, "unpin", deploymentID, func(q *db.Queries, environmentID string) error {
		return q.UnpinPreview(ctx, db.UnpinPreviewParams{EnvironmentID: environmentID, Ttl: s.options.PreviewTTL})
	})
}

// ExtendPreview lets a preview run until a time, or longer when it may already. One that has no end answers deployment.ErrPinned or
// deployment.ErrNoEnd.
func (s *Store) ExtendPreview(ctx context.Context, deploymentID string, until time.Time) (deployment.PreviewDetail, error) {
	return s.changeLease(ctx, "extend", deploymentID, func(q *db.Queries, environmentID string) error {
		lease, err := q.LockLease(ctx, environmentID)
		switch {
		case err != nil:
			return err
		case lease.Pinned:
			return deployment.ErrPinned
		case lease.ExpiresAt == nil:
			return deployment.ErrNoEnd
		}
		return q.ExtendPreview(ctx, db.ExtendPreviewParams{EnvironmentID: environmentID, Until: until})
	})
}

// changeLease changes the lease of the environment in which the deployment is live, while no other one can take its place.
func (s *Store) changeLease(ctx context.Context, verb, deploymentID string, change func(q *db.Queries, environmentID string) error) (deployment.PreviewDetail, error) {
	if _, err := s.Preview(ctx, deploymentID); err != nil {
		return deployment.PreviewDetail{}, fmt.Errorf("%s: %w", verb, err)
	}
	err := s.inTx(ctx, func(q *db.Queries) error {
		environment, err := q.LockEnvironmentOf(ctx, deploymentID)
		switch {
		case err != nil:
			return err
		case environment.LiveDeploymentID == nil || *environment.LiveDeploymentID != deploymentID:
			return deployment.ErrNotLive
		}
		if err := q.EnsureLease(ctx, environment.ID); err != nil {
			return err
		}
		return change(q, environment.ID)
	})
	if err != nil {
		return deployment.PreviewDetail{}, at(err, "%s preview of deployment %s", verb, deploymentID)
	}
	return s.Preview(ctx, deploymentID)
}

func toPreviewDetail(r db.PreviewDetailsRow) (deployment.PreviewDetail, error) {
	p := deployment.PreviewDetail{
		Preview: deployment.Preview{
			DeploymentID: r.DeploymentID, Host: r.Host, ContainerID: r.ContainerID, Container: r.Container,
			Network: r.Network, Address: r.Address, State: deployment.PreviewState(r.State),
		},
		Number: int(r.Number), ProjectID: r.ProjectID, ProjectName: r.Project, EnvironmentID: r.EnvironmentID, Environment: r.Environment,
		Kind: deployment.EnvironmentKind(r.Kind), PreviewHost: r.PreviewHost, EnvHost: r.EnvHost, LiveID: r.LiveID, LiveNumber: int(r.LiveNumber),
		Stands:  r.Stands,
		ReadyAt: utc(r.ReadyAt), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), Now: r.ReadAt.UTC(),
	}
	if r.LastRequestAt != nil {
		p.Traffic = &deployment.Traffic{
			EnvironmentID: r.EnvironmentID, LastRequestAt: r.LastRequestAt.UTC(),
			Answered: [5]int64{*r.Answered1xx, *r.Answered2xx, *r.Answered3xx, *r.Answered4xx, *r.Answered5xx},
		}
	}
	if r.SampledAt != nil {
		p.Sample = &deployment.Sample{
			DeploymentID: r.DeploymentID, At: r.SampledAt.UTC(), CPUCores: *r.CpuCores, MemoryBytes: *r.MemoryBytes, MemoryLimit: *r.MemoryLimit,
			PIDs: *r.Pids, Restarts: int(*r.Restarts), StartedAt: utc(r.StartedAt), CrashLooping: *r.CrashLooping,
		}
		if r.ExitCode != nil {
			p.Sample.ExitCode = new(int(*r.ExitCode))
		}
	}
	if !p.Live() {
		return p, nil
	}
	p.Lease = &deployment.PreviewLease{EnvironmentID: r.EnvironmentID, Wanted: deployment.WantedRunning}
	if r.Wanted == nil { // one that is missing is as EnsureLease makes it
		return p, nil
	}
	failure, err := fromJSON[deployment.Failure](r.Failure, "failure")
	p.Lease = &deployment.PreviewLease{
		EnvironmentID: r.EnvironmentID, Wanted: deployment.Wanted(*r.Wanted), Pinned: *r.Pinned, ExpiresAt: utc(r.ExpiresAt),
		WakeRequestedAt: utc(r.WakeRequestedAt), Failure: failure, NextStartAt: utc(r.NextStartAt),
	}
	return p, err
}
