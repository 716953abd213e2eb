package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Environment finds an environment by its name within a project; a deleted one is not found.
func (s *Store) Environment(ctx context.Context, projectID, name string) (deployment.Environment, error) {
	if !isID(projectID) || !isText(name) {
		return deployment.Environment{}, at(deployment.ErrNotFound, "environment %q", name)
	}
	row, err := s.q.EnvironmentByName(ctx, db.EnvironmentByNameParams{ProjectID: projectID, Name: name})
	return toEnvironment(row), at(err, "environment %q", name)
}

// EnvironmentByID finds an environment; a deleted one is not found.
func (s *Store) EnvironmentByID(ctx context.Context, id string) (deployment.Environment, error) {
	if !isID(id) {
		return deployment.Environment{}, at(deployment.ErrNotFound, "environment %q", id)
	}
	row, err := s.q.EnvironmentByID(ctx, id)
	return toEnvironment(row), at(err, "environment %s", id)
}

// Environments returns one page of a project's environments, sorted by name, and the cursor of the next page, empty after
// the last.
func (s *Store) Environments(ctx context.Context, projectID string, page deployment.Page) ([]deployment.Environment, string, error) {
	after, err := decodeNameCursor(cursorEnvironments, page.Cursor)
	if err != nil {
		return nil, "", fmt.Errorf("list environments: %w", err)
	}
	limit := limitOf(page)
	rows, err := s.q.Environments(ctx, db.EnvironmentsParams{ProjectID: projectID, After: after, Max: int32(limit + 1)})
	if err != nil {
		return nil, "", at(err, "list environments of project %s", projectID)
	}
	items := make([]deployment.Environment, 0, min(len(rows), limit))
	for i, row := range rows {
		if i == limit {
			return items, encodeCursor(cursorEnvironments, items[limit-1].Name), nil
		}
		items = append(items, toEnvironment(row))
	}
	return items, "", nil
}

// EnsureEnvironment returns a project's environment of that name and makes it if there is none, so that it can have
// variables before its first deployment. A deleted project is deployment.ErrNotFound.
func (s *Store) EnsureEnvironment(ctx context.Context, p deployment.Project, name string) (deployment.Environment, error) {
	err := s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockProject(ctx, p.ID); err != nil {
			return err
		}
		_, err := q.EnvironmentByName(ctx, db.EnvironmentByNameParams{ProjectID: p.ID, Name: name})
		if errors.Is(err, pgx.ErrNoRows) {
			_, err = s.insertEnvironment(ctx, q, p, name, 0)
		}
		return err
	})
	if err != nil {
		return deployment.Environment{}, at(err, "make environment %q", name)
	}
	return s.Environment(ctx, p.ID, name)
}

func (s *Store) insertEnvironment(ctx context.Context, q *db.Queries, p deployment.Project, name string, generation int64) (string, error) {
	id, err := newID()
	if err != nil {
		return "", err
	}
	for _, host := range s.environmentHosts(p.Name, name, id) {
		rows, err := q.CreateEnvironment(ctx, db.CreateEnvironmentParams{
			ID: id, ProjectID: p.ID, Name: name, Kind: string(deployment.EnvironmentKindOf(name)), Host: host, Generation: generation,
		})
		if err != nil || rows == 1 {
			return id, err
		}
	}
	return "", fmt.Errorf("find a free host name for environment %q", name)
}

// environmentHosts lists the host names to try. The last one holds the environment's id: project "a-b" with branch "c"
// and project "a" with branch "b-c" agree even in the hash.
func (s *Store) environmentHosts(project, environment, id string) []string {
	domain := s.options.PreviewDomain
	return []string{
		deployment.EnvironmentHost(project, environment, domain),
		deployment.EnvironmentHostHashed(project, environment, domain),
		deployment.EnvironmentHostHashed(project, environment+"-"+id, domain),
	}
}

func toEnvironment(r db.EnvironmentDetail) deployment.Environment {
	return deployment.Environment{
		ID: r.ID, ProjectID: r.ProjectID, ProjectName: r.ProjectName, Name: r.Name, Kind: deployment.EnvironmentKind(r.Kind),
		Host: r.Host, Generation: r.Generation, LiveDeploymentID: orEmpty(r.LiveDeploymentID), LiveNumber: int(r.LiveNumber),
		OrderPolicy: deployment.OrderPolicy(r.OrderPolicy), CreatedAt: r.CreatedAt.UTC(),
	}
}
