package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

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
