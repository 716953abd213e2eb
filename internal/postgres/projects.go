package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

const uniqueViolation = "23505" // SQLSTATE

// CreateProject inserts p with an id of its own; deployment.ErrNameTaken when another project has the name.
func (s *Store) CreateProject(ctx context.Context, p deployment.Project) (deployment.Project, error) {
	id, err := newID()
	if err != nil {
		return deployment.Project{}, err
	}
	params, err := projectParams(id, p)
	if err != nil {
		return deployment.Project{}, err
	}
	row, err := s.q.CreateProject(ctx, params)
	if err != nil {
		return deployment.Project{}, at(nameTaken(err), "create project %q", p.Name)
	}
	return toProject(row)
}

// UpdateProject replaces the settings of the project with p's id, which were read at p.UpdatedAt; deployment.ErrConflict
// when somebody has changed them since.
func (s *Store) UpdateProject(ctx context.Context, p deployment.Project) (deployment.Project, error) {
	if !isID(p.ID) {
		return deployment.Project{}, at(deployment.ErrNotFound, "update project %q", p.ID)
	}
	params, err := updateParams(p)
	if err != nil {
		return deployment.Project{}, err
	}
	row, err := s.q.UpdateProject(ctx, params)
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err = s.q.ProjectByID(ctx, p.ID); err == nil {
			err = deployment.ErrConflict
		}
	}
	if err != nil {
		return deployment.Project{}, at(nameTaken(err), "update project %q", p.Name)
	}
	return s.projectOf(ctx, row)
}

func projectParams(id string, p deployment.Project) (db.CreateProjectParams, error) {
	settings, err := json.Marshal(p.Build)
	if err != nil {
		return db.CreateProjectParams{}, fmt.Errorf("encode build settings: %w", err)
	}
	limits, err := json.Marshal(p.Resources)
	if err != nil {
		return db.CreateProjectParams{}, fmt.Errorf("encode resources: %w", err)
	}
	previews, err := json.Marshal(p.PreviewResources)
	if err != nil {
		return db.CreateProjectParams{}, fmt.Errorf("encode resources of previews: %w", err)
	}
	return db.CreateProjectParams{
		ID: id, Name: p.Name, RepoUrl: p.RepoURL, RootDir: p.RootDir, Builder: string(p.Builder),
		InstallCommand: p.InstallCommand, BuildCommand: p.BuildCommand, StartCommand: p.StartCommand, Port: int32(p.Port),
		HealthPath: p.HealthCheck.Path, HealthStatus: int32(p.HealthCheck.Status),
		HealthTimeoutSeconds: int32(p.HealthCheck.TimeoutSeconds), ProductionBranch: p.ProductionBranch,
		BuildTimeoutSeconds: int32(p.BuildTimeoutSeconds), Cpus: p.Resources.CPUs, MemoryMb: int32(p.Resources.MemoryMB),
		BuildSettings: settings, ReleaseCommand: p.ReleaseCommand, ReleaseTimeoutSeconds: int32(p.ReleaseTimeoutSeconds),
		Limits: limits, PreviewResources: previews,
	}, nil
}

func updateParams(p deployment.Project) (db.UpdateProjectParams, error) {
	c, err := projectParams(p.ID, p)
	return db.UpdateProjectParams{
		ID: c.ID, Name: c.Name, RepoUrl: c.RepoUrl, RootDir: c.RootDir, Builder: c.Builder, InstallCommand: c.InstallCommand,
		BuildCommand: c.BuildCommand, StartCommand: c.StartCommand, Port: c.Port, HealthPath: c.HealthPath,
		HealthStatus: c.HealthStatus, HealthTimeoutSeconds: c.HealthTimeoutSeconds, ProductionBranch: c.ProductionBranch,
		BuildTimeoutSeconds: c.BuildTimeoutSeconds, Cpus: c.Cpus, MemoryMb: c.MemoryMb, BuildSettings: c.BuildSettings,
		ReleaseCommand: c.ReleaseCommand, ReleaseTimeoutSeconds: c.ReleaseTimeoutSeconds,
		Limits: c.Limits, PreviewResources: c.PreviewResources,
		UpdatedAt: p.UpdatedAt,
	}, err
}

func nameTaken(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == uniqueViolation && pg.ConstraintName == "projects_name" {
		return deployment.ErrNameTaken
	}
	return err
}

// Project finds a project by id or by name; a deleted one is not found.
func (s *Store) Project(ctx context.Context, idOrName string) (deployment.Project, error) {
	find := s.q.ProjectByName
	if isID(idOrName) {
		find = s.q.ProjectByID
	} else if !isText(idOrName) {
		return deployment.Project{}, at(deployment.ErrNotFound, "project %q", idOrName)
	}
	row, err := find(ctx, idOrName)
	if err != nil {
		return deployment.Project{}, at(err, "project %q", idOrName)
	}
	return s.projectOf(ctx, row)
}

// projectOf is a row with what may be told of the project's credential.
func (s *Store) projectOf(ctx context.Context, row db.Project) (deployment.Project, error) {
	p, err := toProject(row)
	if err != nil {
		return deployment.Project{}, err
	}
	return p, s.summarizeCredentials(ctx, &p)
}

// Projects returns one page of projects, sorted by name, and the cursor of the next page, empty after the last.
func (s *Store) Projects(ctx context.Context, page deployment.Page) ([]deployment.Project, string, error) {
	after, err := decodeNameCursor(cursorProjects, page.Cursor)
	if err != nil {
		return nil, "", fmt.Errorf("list projects: %w", err)
	}
	limit := limitOf(page)
	rows, err := s.q.Projects(ctx, db.ProjectsParams{After: after, Max: int32(limit + 1)})
	if err != nil {
		return nil, "", at(err, "list projects")
	}
	items, next := make([]deployment.Project, min(len(rows), limit)), ""
	filled := make([]*deployment.Project, len(items))
	for i := range items {
		if items[i], err = toProject(rows[i]); err != nil {
			return nil, "", err
		}
		filled[i] = &items[i]
	}
	if len(rows) > limit {
		next = encodeCursor(cursorProjects, items[limit-1].Name)
	}
	return items, next, s.summarizeCredentials(ctx, filled...)
}

// SetProductionBranch notes the remote's HEAD for a project whose production branch nobody chose.
func (s *Store) SetProductionBranch(ctx context.Context, projectID, branch string) error {
	n, err := s.q.SetProductionBranch(ctx, db.SetProductionBranchParams{ID: projectID, Branch: branch})
	if err == nil && n == 0 {
		err = deployment.ErrNotFound
	}
	return at(err, "set production branch of project %s", projectID)
}

func toProject(r db.Project) (deployment.Project, error) {
	var settings deployment.BuildSettings
	if err := json.Unmarshal(r.BuildSettings, &settings); err != nil {
		return deployment.Project{}, fmt.Errorf("read build settings of project %s: %w", r.ID, err)
	}
	var resources, previews deployment.Resources
	if err := errors.Join(json.Unmarshal(r.Limits, &resources), json.Unmarshal(r.PreviewResources, &previews)); err != nil {
		return deployment.Project{}, fmt.Errorf("read resources of project %s: %w", r.ID, err)
	}
	resources.CPUs, resources.MemoryMB = r.Cpus, int(r.MemoryMb)
	return deployment.Project{
		ID: r.ID, Name: r.Name, RepoURL: r.RepoUrl, RootDir: r.RootDir, Builder: deployment.Builder(r.Builder),
		InstallCommand: r.InstallCommand, BuildCommand: r.BuildCommand, StartCommand: r.StartCommand, Port: int(r.Port),
		HealthCheck: deployment.HealthCheck{
			Path: r.HealthPath, Status: int(r.HealthStatus), TimeoutSeconds: int(r.HealthTimeoutSeconds),
		},
		ReleaseCommand: r.ReleaseCommand, ReleaseTimeoutSeconds: int(r.ReleaseTimeoutSeconds),
		ProductionBranch: r.ProductionBranch, BuildTimeoutSeconds: int(r.BuildTimeoutSeconds),
		Resources: resources.WithDefaults(), PreviewResources: previews,
		Build:     settings.WithDefaults(),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}, nil
}
