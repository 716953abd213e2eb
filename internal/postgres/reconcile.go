package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// ErrStillOwned means that the ledger still holds rows of a project that was to be purged.
var ErrStillOwned = errors.New("something is still owned")

// QueuedUnstarted returns the deployments that have waited for longer than olderThan without any run: the start of their
// workflow may be lost. Oldest first, without plan and Dockerfile.
func (s *Store) QueuedUnstarted(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error) {
	rows, err := s.q.QueuedUnstarted(ctx, olderThan)
	if err != nil {
		return nil, at(err, "list unstarted deployments")
	}
	items, err := toDeployments(rows)
	return items, at(err, "list unstarted deployments")
}

// UnmadeRetries returns the deployments whose retry was asked for longer than olderThan ago and has no run yet, oldest
// first, without plan and Dockerfile.
func (s *Store) UnmadeRetries(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error) {
	rows, err := s.q.UnmadeRetries(ctx, olderThan)
	if err != nil {
		return nil, at(err, "list retries that were not made")
	}
	items, err := toDeployments(rows)
	return items, at(err, "list retries that were not made")
}

// UnderWay returns the deployments that a run has begun longer than olderThan ago and that are neither ended nor
// canceling, oldest first, without plan and Dockerfile.
func (s *Store) UnderWay(ctx context.Context, olderThan time.Duration) ([]deployment.Deployment, error) {
	rows, err := s.q.UnderWay(ctx, olderThan)
	if err != nil {
		return nil, at(err, "list deployments under way")
	}
	items, err := toDeployments(rows)
	return items, at(err, "list deployments under way")
}

// CancelingDeployments returns the deployments that are canceling, oldest first, without plan and Dockerfile.
func (s *Store) CancelingDeployments(ctx context.Context) ([]deployment.Deployment, error) {
	rows, err := s.q.Canceling(ctx)
	if err != nil {
		return nil, at(err, "list canceling deployments")
	}
	items, err := toDeployments(rows)
	return items, at(err, "list canceling deployments")
}

// DeletedProjects returns the ids of projects that are deleted and not yet purged, in the order of their deletion.
func (s *Store) DeletedProjects(ctx context.Context) ([]string, error) {
	ids, err := s.q.DeletedProjects(ctx)
	return ids, at(err, "list deleted projects")
}

// ProjectDeployments returns the ids of a project's deployments, a deleted project's too, by number.
func (s *Store) ProjectDeployments(ctx context.Context, projectID string) ([]string, error) {
	ids, err := s.q.ProjectDeployments(ctx, projectID)
	return ids, at(err, "list deployments of project %s", projectID)
}

// PurgeProject removes every row of a deleted project, ErrStillOwned while the ledger holds any of its things. A project
// that is not deleted, or is purged already, is deployment.ErrNotFound.
func (s *Store) PurgeProject(ctx context.Context, id string) error {
	return at(s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockDeletedProject(ctx, id); err != nil {
			return err
		}
		owned, err := q.OwnedByProject(ctx, id)
		if err != nil {
			return err
		}
		if owned > 0 {
			return ErrStillOwned
		}
		for _, purge := range []func(context.Context, string) error{
			q.ForgetLive, q.PurgeDeployments, q.PurgeEnvironments, q.DeleteEnvVars, q.PurgeProject,
		} {
			if err := purge(ctx, id); err != nil {
				return err
			}
		}
		return nil
	}), "purge project %s", id)
}
