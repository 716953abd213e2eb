package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// BeginStart notes that the live deployment of an environment is about to be started again as at, whose host and names alone
// count, these where it moves, and returns the preview as it stands then: live when it is so there already. It keeps its address where it had one.
// What is not to run, or not yet, answers deployment.ErrSuperseded.
func (s *Store) BeginStart(ctx context.Context, where deployment.Preview) (p deployment.Preview, err error) {
	err = s.keepingLease(ctx, where.DeploymentID, func(q *db.Queries, lease wish, row db.Preview) error {
		if !lease.Wanted {
			return fmt.Errorf("it is to be stopped: %w", deployment.ErrSuperseded)
		}
		if lease.rests(deployment.PreviewState(row.State)) {
			return fmt.Errorf("its last start has failed: %w", deployment.ErrSuperseded)
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
		case row.Host != p.Host || !lease.Wanted:
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
		return q.WakeServed(ctx, lease.environment)
	}), "preview of deployment %s is started", p.DeploymentID)
}

// StartFailed notes why a preview that is being started on a host did not come up. It has failed, and is tried again after a wait that
// the policy gives; 0 is returned for one that is not. A try that a visitor asked for before that time does not move it, and does not
// count: however many come, what does not come up is given up in the end. One that is not being started there any more answers deployment.ErrSuperseded.
func (s *Store) StartFailed(ctx context.Context, deploymentID, host string, f *deployment.Failure, policy deployment.LeasePolicy) (again time.Duration, err error) {
	data, err := json.Marshal(f)
	if err != nil {
		return 0, fmt.Errorf("encode failure: %w", err)
	}
	err = s.keepingLease(ctx, deploymentID, func(q *db.Queries, lease wish, row db.Preview) error {
		if row.Host != host || row.State != string(deployment.PreviewStarting) {
			return deployment.ErrSuperseded
		}
		if _, err := q.SetPreviewState(ctx, db.SetPreviewStateParams{DeploymentID: deploymentID, State: string(deployment.PreviewFailed)}); err != nil {
			return err
		}
		failed, next := lease.FailedStarts, lease.NextStartAt
		if next == nil || !next.After(lease.ReadAt) {
			failed, next = failed+1, nil
			if wait, ok := policy.NextStart(lease.kind, int(failed)); ok {
				next = new(lease.ReadAt.Add(wait))
			}
		}
		if next != nil {
			again = next.Sub(lease.ReadAt)
		}
		return q.StartFailed(ctx, db.StartFailedParams{EnvironmentID: lease.environment, Failure: data, FailedStarts: failed, NextStartAt: next})
	})
	return again, at(err, "note that preview of deployment %s cannot be started", deploymentID)
}

// StartTrouble notes why a preview has not been started yet.
func (s *Store) StartTrouble(ctx context.Context, deploymentID string, f *deployment.Failure) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode failure: %w", err)
	}
	return at(s.q.StartTrouble(ctx, db.StartTroubleParams{DeploymentID: deploymentID, Failure: data}), "note trouble with preview of deployment %s", deploymentID)
}
