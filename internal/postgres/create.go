package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// CreateDeployment inserts a queued deployment, its environment too when it is new. With an idempotency key that the
// project has seen it returns that deployment as it stands and created=false, or deployment.ErrIdempotencyMismatch when
// the key came with another request. A deleted project is deployment.ErrNotFound. Nothing is stored when too many have not
// ended: deployment.ErrTooManyOpen. One that reuses an image may answer deployment.ErrNothingBefore,
// deployment.ErrNoImage and deployment.ErrImageRemoved.
func (s *Store) CreateDeployment(ctx context.Context, n deployment.NewDeployment) (d deployment.Deployment, created bool, err error) {
	if !isID(n.Project.ID) || !isText(n.IdempotencyKey) {
		return d, false, at(deployment.ErrNotFound, "create deployment of project %q", n.Project.ID)
	}
	var id string
	err = s.inTx(ctx, func(q *db.Queries) error {
		// The lock makes creations of one project follow one another, so that of many requests with one key the first
		// inserts and the others find what it inserted.
		if _, err := q.LockProject(ctx, n.Project.ID); err != nil {
			return err
		}
		if id, err = seen(ctx, q, n); id != "" || err != nil {
			return err
		}
		if err := room(ctx, q, n.MaxOpen); err != nil {
			return err
		}
		created = true
		id, err = s.insertDeployment(ctx, q, n)
		return err
	})
	if err != nil {
		return d, false, at(err, "create deployment of project %s", n.Project.ID)
	}
	d, err = s.Deployment(ctx, id)
	return d, created, err
}

// seen returns the id of the deployment that the idempotency key stands for, "" when it is new.
func seen(ctx context.Context, q *db.Queries, n deployment.NewDeployment) (string, error) {
	if n.IdempotencyKey == "" {
		return "", nil
	}
	row, err := q.DeploymentByKey(ctx, db.DeploymentByKeyParams{ProjectID: n.Project.ID, IdempotencyKey: &n.IdempotencyKey})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", nil
	case err != nil:
		return "", err
	case !bytes.Equal(row.RequestDigest, n.RequestDigest):
		return "", deployment.ErrIdempotencyMismatch
	}
	return row.ID, nil
}

// room refuses when bound deployments have not ended. Different projects do not wait for each other here, so the bound may be
// passed by as many as are being created at the same moment in other projects.
func room(ctx context.Context, q *db.Queries, bound int) error {
	if bound <= 0 {
		return nil
	}
	open, err := q.CountOpen(ctx, int32(min(bound, math.MaxInt32))) //nolint:gosec // bounded
	if err == nil && int(open) >= bound {
		err = deployment.ErrTooManyOpen
	}
	return err
}

func (s *Store) insertDeployment(ctx context.Context, q *db.Queries, n deployment.NewDeployment) (string, error) {
	number, err := q.TakeNumber(ctx, n.Project.ID)
	if err != nil {
		return "", err
	}
	environment, err := s.takeGeneration(ctx, q, n.Project, n.Environment)
	if err != nil {
		return "", err
	}
	id, err := s.insertInto(ctx, q, environment, number, n)
	if err != nil {
		return "", err
	}
	return id, takePlace(ctx, q, environment.OrderPolicy, environment.ID, id)
}

func (s *Store) insertInto(ctx context.Context, q *db.Queries, environment db.TakeGenerationRow, number int32, n deployment.NewDeployment) (string, error) {
	const tries = 5 // each fails only when 8 random hex digits are another deployment's
	for range tries {
		id, err := newID()
		if err != nil {
			return "", err
		}
		rows, err := q.CreateDeployment(ctx, db.CreateDeploymentParams{
			ID: id, ProjectID: n.Project.ID, EnvironmentID: environment.ID, Number: number, Generation: environment.Generation,
			RefKind: string(n.Ref.Kind), RefName: n.Ref.Name, Force: n.Force, WorkflowID: "deploy/" + id,
			PreviewHost:    deployment.PreviewHost(id, s.options.PreviewDomain),
			IdempotencyKey: orNull(n.IdempotencyKey), RequestDigest: n.RequestDigest,
		})
		if err == nil && rows == 1 && n.Reuse != nil {
			err = reuseImage(ctx, q, id, environment.ID, *n.Reuse)
		}
		if err != nil || rows == 1 {
			return id, err
		}
	}
	return "", fmt.Errorf("find a free preview host: %d tries", tries)
}

// takeGeneration returns the environment with the generation of its next deployment; it makes the environment when the
// project has none of that name.
func (s *Store) takeGeneration(ctx context.Context, q *db.Queries, p deployment.Project, environment string) (db.TakeGenerationRow, error) {
	row, err := q.TakeGeneration(ctx, db.TakeGenerationParams{ProjectID: p.ID, Name: environment})
	if err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return row, err
	}
	id, err := s.insertEnvironment(ctx, q, p, environment, 1)
	return db.TakeGenerationRow{ID: id, Generation: 1, OrderPolicy: string(deployment.OrderSupersede)}, err
}
