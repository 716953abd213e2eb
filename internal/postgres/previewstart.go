package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

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
