package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// SwitchRoute makes p the live preview of its deployment's environment and the deployment ready, renews the environment's lease, and
// admits the next of the environment, in one transaction. It answers deployment.ErrSuperseded when a newer generation is live,
// deployment.ErrCancelRequested when a cancel came first, deployment.ErrStaleRun when another run took over. replaced are
// the previews that lost the route and still run; a switch that was made already answers them again.
func (s *Store) SwitchRoute(ctx context.Context, runID string, p deployment.Preview) (replaced []deployment.Preview, err error) {
	err = s.inOrder(ctx, p.DeploymentID, func(q *db.Queries, environment db.LockEnvironmentOfRow, row db.LockDeploymentRow) error {
		if row.RunID != runID {
			return deployment.ErrStaleRun
		}
		if deployment.Status(row.Status) != deployment.StatusReady {
			if err := maySwitch(ctx, q, row, environment.LiveDeploymentID); err != nil {
				return err
			}
			if err := switchRoute(ctx, q, environment, p); err != nil {
				return err
			}
			if err := q.RenewPreviewLease(ctx, db.RenewPreviewLeaseParams{EnvironmentID: environment.ID, Ttl: s.options.PreviewTTL}); err != nil {
				return err
			}
		}
		rows, err := q.ReplacedPreviews(ctx, p.DeploymentID)
		replaced = toPreviews(rows)
		return err
	})
	return replaced, at(err, "switch route to deployment %s", p.DeploymentID)
}

func maySwitch(ctx context.Context, q *db.Queries, row db.LockDeploymentRow, live *string) error {
	switch status := deployment.Status(row.Status); {
	case status == deployment.StatusSuperseded:
		return deployment.ErrSuperseded
	case row.CancelRequestedAt != nil || status == deployment.StatusCanceled:
		return deployment.ErrCancelRequested
	case status.Ended():
		return deployment.ErrStaleRun
	case status != deployment.StatusReleasing:
		return fmt.Errorf("%s is not releasing: %w", status, deployment.ErrInvalidMove)
	case live == nil:
		return nil
	}
	generation, err := q.GenerationOf(ctx, *live)
	if err == nil && generation > row.Generation {
		err = deployment.ErrSuperseded
	}
	return err
}

func switchRoute(ctx context.Context, q *db.Queries, environment db.LockEnvironmentOfRow, p deployment.Preview) error {
	p.State = deployment.PreviewLive
	if err := q.SetPreview(ctx, previewParams(p)); err != nil {
		return err
	}
	if err := q.MarkReady(ctx, p.DeploymentID); err != nil {
		return err
	}
	if environment.LiveDeploymentID != nil {
		former := db.SupersedeParams{ID: *environment.LiveDeploymentID, SupersededBy: &p.DeploymentID}
		if err := q.Supersede(ctx, former); err != nil {
			return err
		}
	}
	if err := q.SetLive(ctx, db.SetLiveParams{ID: environment.ID, LiveDeploymentID: &p.DeploymentID}); err != nil {
		return err
	}
	if err := q.EndOlder(ctx, p.DeploymentID); err != nil { // retries that wait: they could never be live again
		return err
	}
	return q.AdmitNext(ctx, environment.ID)
}

// SetPreview stores how the deployment's container stands before the switch. Of a deployment that is ready it changes
// nothing, since a slower attempt must not take the preview back; one that has ended otherwise, or that another run has
// taken over, answers deployment.ErrStaleRun.
func (s *Store) SetPreview(ctx context.Context, runID string, p deployment.Preview) error {
	return at(s.locked(ctx, p.DeploymentID, func(q *db.Queries, row db.LockDeploymentRow) error {
		switch status := deployment.Status(row.Status); {
		case status == deployment.StatusReady:
			return nil
		case status.Ended() || row.RunID != runID:
			return deployment.ErrStaleRun
		default:
			return q.SetPreview(ctx, previewParams(p))
		}
	}), "set preview of deployment %s", p.DeploymentID)
}

// SetPreviewState changes the state alone; a deployment that never had a preview has nothing to change.
func (s *Store) SetPreviewState(ctx context.Context, deploymentID string, state deployment.PreviewState) error {
	_, err := s.q.SetPreviewState(ctx, db.SetPreviewStateParams{DeploymentID: deploymentID, State: string(state)})
	return at(err, "set preview of deployment %s %s", deploymentID, state)
}

// ReplacedFor returns how long ago another deployment took the route from this one; of one that lost it otherwise, forever.
func (s *Store) ReplacedFor(ctx context.Context, deploymentID string) (time.Duration, error) {
	since, err := s.q.ReplacedFor(ctx, deploymentID)
	if errors.Is(err, pgx.ErrNoRows) {
		return math.MaxInt64, nil
	}
	return seconds(since), at(err, "when deployment %s was replaced", deploymentID)
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// ReplacedPreviews lists the previews of a ready deployment's environment that lost the route and still run, oldest first.
func (s *Store) ReplacedPreviews(ctx context.Context, deploymentID string) ([]deployment.Preview, error) {
	rows, err := s.q.ReplacedPreviews(ctx, deploymentID)
	return toPreviews(rows), at(err, "list previews that deployment %s replaced", deploymentID)
}

// LivePreviews returns the previews that should be running on a host, on every host when it is empty.
func (s *Store) LivePreviews(ctx context.Context, host string) ([]deployment.Preview, error) {
	rows, err := s.q.LivePreviews(ctx, host)
	return toPreviews(rows), at(err, "live previews of host %q", host)
}

// PreviewsOn returns the previews that went live on a host and were not stopped since.
func (s *Store) PreviewsOn(ctx context.Context, host string) ([]deployment.Preview, error) {
	rows, err := s.q.PreviewsOn(ctx, host)
	return toPreviews(rows), at(err, "previews on host %q", host)
}

func previewParams(p deployment.Preview) db.SetPreviewParams {
	return db.SetPreviewParams{
		DeploymentID: p.DeploymentID, Host: p.Host, ContainerID: p.ContainerID, Container: p.Container,
		Network: p.Network, Address: p.Address, State: string(p.State),
	}
}

func toPreviews(rows []db.Preview) []deployment.Preview {
	previews := make([]deployment.Preview, len(rows))
	for i, r := range rows {
		previews[i] = toPreview(r)
	}
	return previews
}

func toPreview(r db.Preview) deployment.Preview {
	return deployment.Preview{
		DeploymentID: r.DeploymentID, Host: r.Host, ContainerID: r.ContainerID, Container: r.Container,
		Network: r.Network, Address: r.Address, State: deployment.PreviewState(r.State),
	}
}
