package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
				ExpiresAt: utc(r.ExpiresAt), WakeRequestedAt: utc(r.WakeRequestedAt), Failure: failure,
			},
			Now: r.ReadAt.UTC(), Project: r.Project, Environment: r.Environment, Kind: deployment.EnvironmentKind(r.Kind),
			Number: int(r.Number), Preview: toPreview(r.Preview), Since: r.Preview.UpdatedAt.UTC(), LastRequestAt: utc(r.LastRequestAt),
			HostSeenAt: utc(r.LastSeenAt), HostLives: r.HostLives, AnotherHost: r.Another,
			HealthTimeout: time.Duration(r.HealthTimeoutSeconds) * time.Second,
		}
	}
	return leases, nil
}

// FallAsleep lets the preview of a deployment be asleep, if it is live on the host and may sleep, and nobody has asked for it for
// idle. What gateways have seen counts as far as they have told.
func (s *Store) FallAsleep(ctx context.Context, deploymentID, host string, idle time.Duration) (bool, error) {
	n, err := s.q.FallAsleep(ctx, db.FallAsleepParams{DeploymentID: deploymentID, Host: host, Idle: idle})
	return n > 0, at(err, "put preview of deployment %s to sleep", deploymentID)
}

// StayAwake makes a preview live again that has fallen asleep and whose container runs still, if somebody has asked for it since.
func (s *Store) StayAwake(ctx context.Context, deploymentID, host string) (bool, error) {
	n, err := s.q.StayAwake(ctx, db.StayAwakeParams{DeploymentID: deploymentID, Host: host})
	return n > 0, at(err, "keep preview of deployment %s awake", deploymentID)
}

// AsleepAs returns the container of a preview that is asleep on a host, "" when it is not.
func (s *Store) AsleepAs(ctx context.Context, deploymentID, host string) (container string, err error) {
	container, err = s.q.AsleepAs(ctx, db.AsleepAsParams{DeploymentID: deploymentID, Host: host})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return container, at(err, "look at preview of deployment %s", deploymentID)
}

// PreviewsAsleep returns the previews that fell asleep on a host longer than age ago.
func (s *Store) PreviewsAsleep(ctx context.Context, host string, age time.Duration) ([]deployment.Preview, error) {
	rows, err := s.q.PreviewsAsleep(ctx, db.PreviewsAsleepParams{Host: host, Age: age})
	return toPreviews(rows), at(err, "previews asleep on host %q", host)
}

// BeginStart notes that the live deployment of an environment is about to be started again as at, whose host and names alone
// count, these where it moves, and returns the preview as it stands then: live when it is so there already. It keeps its address where it had one.
// What is not to run answers deployment.ErrSuperseded.
func (s *Store) BeginStart(ctx context.Context, where deployment.Preview) (p deployment.Preview, err error) {
	err = s.keepingLease(ctx, where.DeploymentID, func(q *db.Queries, lease wish, row db.Preview) error {
		if !lease.running {
			return fmt.Errorf("it is to be stopped: %w", deployment.ErrSuperseded)
		}
		if row.State == string(deployment.PreviewLive) && row.Host == where.Host {
			p = toPreview(row)
			return nil
		}
		begin := db.BeginStartParams{DeploymentID: where.DeploymentID, Host: where.Host, Container: where.Container, Network: where.Network}
		if err := q.BeginStart(ctx, begin); err != nil {
			return err
		}
		if err := q.TimeBegins(ctx, db.TimeBeginsParams{EnvironmentID: lease.environment, Ttl: s.options.PreviewTTL}); err != nil {
			return err
		}
		row, err = q.LockPreview(ctx, where.DeploymentID)
		p = toPreview(row)
		return err
	})
	return p, at(err, "begin to start preview of deployment %s", where.DeploymentID)
}

// Started makes a preview live that BeginStart has begun to start on its host. One that is no longer to run there, since it was
// replaced, stopped or begun elsewhere, answers deployment.ErrSuperseded.
func (s *Store) Started(ctx context.Context, p deployment.Preview) error {
	return at(s.keepingLease(ctx, p.DeploymentID, func(q *db.Queries, lease wish, row db.Preview) error {
		switch state := deployment.PreviewState(row.State); {
		case row.Host != p.Host || !lease.running:
			return deployment.ErrSuperseded
		case state == deployment.PreviewLive:
			return nil // another attempt was quicker
		case state != deployment.PreviewStarting:
			return fmt.Errorf("it is %s: %w", state, deployment.ErrSuperseded)
		}
		p.State = deployment.PreviewLive
		if err := q.SetPreview(ctx, previewParams(p)); err != nil {
			return err
		}
		return q.WakeServed(ctx, db.WakeServedParams{EnvironmentID: lease.environment})
	}), "preview of deployment %s is started", p.DeploymentID)
}

// StartFailed notes why a preview that is being started on a host cannot run: it has failed, and is not tried again unasked.
func (s *Store) StartFailed(ctx context.Context, deploymentID, host string, f *deployment.Failure) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode failure: %w", err)
	}
	err = s.keepingLease(ctx, deploymentID, func(q *db.Queries, lease wish, row db.Preview) error {
		if row.Host != host || row.State != string(deployment.PreviewStarting) {
			return nil
		}
		if _, err := q.SetPreviewState(ctx, db.SetPreviewStateParams{DeploymentID: deploymentID, State: string(deployment.PreviewFailed)}); err != nil {
			return err
		}
		return q.WakeServed(ctx, db.WakeServedParams{EnvironmentID: lease.environment, Failure: data})
	})
	if errors.Is(err, deployment.ErrSuperseded) { // nobody waits for it
		return nil
	}
	return at(err, "note that preview of deployment %s cannot be started", deploymentID)
}

// StartTrouble notes why a preview has not been started yet.
func (s *Store) StartTrouble(ctx context.Context, deploymentID string, f *deployment.Failure) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode failure: %w", err)
	}
	return at(s.q.StartTrouble(ctx, db.StartTroubleParams{DeploymentID: deploymentID, Failure: data}), "note trouble with preview of deployment %s", deploymentID)
}

// EndPreview lets a preview whose time is over, or that is to be stopped, be stopped, and reports whether it is: its container is to
// go then. What was replaced is left to who replaced it.
func (s *Store) EndPreview(ctx context.Context, deploymentID string) (stopped bool, err error) {
	err = s.keepingLease(ctx, deploymentID, func(q *db.Queries, lease wish, row db.Preview) error {
		if stopped = row.State == string(deployment.PreviewStopped); stopped {
			return nil
		}
		if lease.running && !lease.over {
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
		environment, err := q.LockWhereLive(ctx, deploymentID)
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
		lease, err := q.LeaseWish(ctx, environment)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) { // without a row it has no end
			return err
		}
		return do(q, wish{environment: environment, running: lease.Wanted || err != nil, over: lease.Ended}, row)
	})
}

// wish is what is wanted of a preview.
type wish struct {
	environment string // its id
	running     bool
	over        bool // its time
}

// ListenLeases tells until ctx ends of which environments the leases have changed: changed with an id, all when notifications may
// have been missed.
func (s *Store) ListenLeases(ctx context.Context, log *slog.Logger, all func(), changed func(environmentID string)) {
	notify.Listen(ctx, s.pool.Config().ConnConfig, ChannelLeases, all, changed, log)
}
