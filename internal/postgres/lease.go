package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Lease owns a build slot, unless other deployments of the project hold most of the installation's already: then it answers a
// *deployment.ProjectFullError. most 0 is no such bound. What a deployment that holds a slot asks for again it gets: its
// former one is on a host that is gone, or nobody has told it.
func (s *Store) Lease(ctx context.Context, r deployment.Resource, most int) error {
	if most <= 0 {
		return s.Own(ctx, r)
	}
	if !isID(r.DeploymentID) {
		return at(deployment.ErrNotFound, "take a build slot for deployment %q", r.DeploymentID)
	}
	return at(s.inTx(ctx, func(q *db.Queries) error {
		project, err := q.LockProjectOf(ctx, r.DeploymentID)
		if err != nil {
			return err
		}
		if err := mayBuild(ctx, q, project, r.DeploymentID, most); err != nil {
			return err
		}
		return own(ctx, q, r)
	}), "take a build slot of host %q", r.Host)
}

// mayBuild refuses a deployment whose project holds as many slots as it may. The project is locked.
func mayBuild(ctx context.Context, q *db.Queries, project, id string, most int) error {
	held, err := q.HoldsLease(ctx, id)
	if err != nil || held {
		return err
	}
	builds, err := q.ProjectBuilds(ctx, project)
	if err != nil || int(builds) < most {
		return err
	}
	turn, err := q.BuildTurn(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) { // it did not get to say that it waits
		turn, err = 1, nil
	}
	if err != nil {
		return err
	}
	return &deployment.ProjectFullError{Builds: int(builds), Most: most, Turn: int(turn)}
}
