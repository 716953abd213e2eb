package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
	"github.com/slipway-dev/slipway/internal/postgres/notify"
)

// StandingLease returns the lease of an environment as it stands; deployment.ErrNotFound when nothing is live in it.
func (s *Store) StandingLease(ctx context.Context, environmentID string) (deployment.StandingLease, error) {
	if !isID(environmentID) {
		return deployment.StandingLease{}, at(deployment.ErrNotFound, "lease of environment %q", environmentID)
	}
	leases, err := s.standingLeases(ctx, &environmentID)
	if err == nil && len(leases) == 0 {
		err = deployment.ErrNotFound
	}
	if err != nil {
		return deployment.StandingLease{}, at(err, "lease of environment %s", environmentID)
	}
	return leases[0], nil
}

// StandingLeases returns those of all environments in which something is live.
func (s *Store) StandingLeases(ctx context.Context) ([]deployment.StandingLease, error) {
	leases, err := s.standingLeases(ctx, nil)
	return leases, at(err, "list leases")
}

func (s *Store) standingLeases(ctx context.Context, environmentID *string) ([]deployment.StandingLease, error) {
	rows, err := s.q.StandingLeases(ctx, db.StandingLeasesParams{Within: hostTimeout, EnvironmentID: environmentID})
	if err != nil {
		return nil, err
	}
	leases := make([]deployment.StandingLease, len(rows))
	for i, r := range rows {
		failure, err := fromJSON[deployment.Failure](r.Failure, "failure")
		if err != nil {
			return nil, err
		}
		leases[i] = deployment.StandingLease{
			PreviewLease: deployment.PreviewLease{
				EnvironmentID: r.EnvironmentID, Wanted: deployment.Wanted(r.Wanted), Pinned: r.Pinned,
				ExpiresAt: utc(r.ExpiresAt), WakeRequestedAt: utc(r.WakeRequestedAt), Failure: failure, NextStartAt: utc(r.NextStartAt),
			},
			Now: r.ReadAt.UTC(), Project: r.Project, Environment: r.Environment, Kind: deployment.EnvironmentKind(r.Kind),
			Number: int(r.Number), Preview: toPreview(r.Preview), Since: r.Preview.UpdatedAt.UTC(), FailedStarts: int(r.FailedStarts), LastRequestAt: utc(r.LastRequestAt),
			HostSeenAt: utc(r.LastSeenAt), HostLives: r.HostLives, AnotherHost: r.Another,
			HealthTimeout: time.Duration(r.HealthTimeoutSeconds) * time.Second,
		}
	}
	return leases, nil
}

// EndPreview lets a preview whose time is over, or that is to be stopped, be stopped, and reports whether it is: its container is to
// go then. What was replaced is left to who replaced it.
func (s *Store) EndPreview(ctx context.Context, deploymentID string) (stopped bool, err error) {
	err = s.keepingLease(ctx, deploymentID, func(q *db.Queries, lease wish, row db.Preview) error {
		if stopped = row.State == string(deployment.PreviewStopped); stopped {
			return nil
		}
		if lease.Wanted && !lease.Ended {
			return nil
		}
		stopped = true
		if _, err := q.SetPreviewState(ctx, db.SetPreviewStateParams{DeploymentID: deploymentID, State: string(deployment.PreviewStopped)}); err != nil {
			return err
		}
		return q.LeaseStopped(ctx, lease.environment)
	})
	if errors.Is(err, deployment.ErrSuperseded) {
		return false, nil
	}
	return stopped, at(err, "stop preview of deployment %s", deploymentID)
}

// LosePreview notes that the container of a preview that is live on a host is gone. Who keeps its lease is told.
func (s *Store) LosePreview(ctx context.Context, deploymentID, host string) error {
	return at(s.q.LosePreview(ctx, db.LosePreviewParams{DeploymentID: deploymentID, Host: host}), "lose preview of deployment %s", deploymentID)
}

// keepingLease runs do in a transaction in which nobody replaces what is live, deletes it, or changes its lease by a request. A
// deployment that is not live in its environment answers deployment.ErrSuperseded.
func (s *Store) keepingLease(ctx context.Context, deploymentID string, do func(*db.Queries, wish, db.Preview) error) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		where, err := q.LockWhereLive(ctx, deploymentID)
		if errors.Is(err, pgx.ErrNoRows) {
			return deployment.ErrSuperseded
		}
		if err != nil {
			return err
		}
		row, err := q.LockPreview(ctx, deploymentID)
		if err != nil {
			return err
		}
		if err := q.EnsureLease(ctx, where.ID); err != nil {
			return err
		}
		lease, err := q.LeaseWish(ctx, where.ID)
		if err != nil {
			return err
		}
		return do(q, wish{environment: where.ID, kind: deployment.EnvironmentKind(where.Kind), LeaseWishRow: lease}, row)
	})
}

// wish is what is wanted of a preview.
type wish struct {
	environment string // its id
	kind        deployment.EnvironmentKind
	db.LeaseWishRow
}

// rests reports whether a preview that did not come up is not to be started yet, or not unasked.
func (w wish) rests(state deployment.PreviewState) bool {
	return state == deployment.PreviewFailed && w.FailedStarts > 0 && w.WakeRequestedAt == nil &&
		(w.NextStartAt == nil || w.NextStartAt.After(w.ReadAt))
}

// ListenLeases tells until ctx ends of which environments the leases have changed: changed with an id, all when notifications may
// have been missed.
func (s *Store) ListenLeases(ctx context.Context, log *slog.Logger, all func(), changed func(environmentID string)) {
	notify.Listen(ctx, s.pool.Config().ConnConfig, ChannelLeases, all, changed, log)
}
