package api

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// CreateProject serves POST /v1/projects.
func (s *server) CreateProject(c *gin.Context) {
	var settings oapi.ProjectUpdate // as ProjectCreate, whose required fields the contract has seen to
	if err := decodeBody(c, &settings); err != nil {
		s.fail(c, err)
		return
	}
	p := withSettings(deployment.Project{}, settings)
	if err := s.checkProject(c, p, deployment.Project{}); err != nil {
		s.fail(c, err)
		return
	}
	p, err := s.Store.CreateProject(c.Request.Context(), p)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Location", "/v1/projects/"+p.ID)
	c.JSON(http.StatusCreated, wireProject(p))
}

// ListProjects serves GET /v1/projects.
func (s *server) ListProjects(c *gin.Context, params oapi.ListProjectsParams) {
	items, next, err := s.Store.Projects(c.Request.Context(), pageOf(params.Limit, params.Cursor))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.ProjectList{Items: list(items, wireProject), NextCursor: optional(next)})
}

// GetProject serves GET /v1/projects/{project}.
func (s *server) GetProject(c *gin.Context, project string) {
	p, err := s.project(c, project)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, wireProject(p))
}

// patchTries bounds how often a PATCH is applied anew. A try fails only because another change of the project was made.
const patchTries = 8

// UpdateProject serves PATCH /v1/projects/{project}. When somebody changes the project between its reading and its
// writing, the PATCH is applied to what they made of it.
func (s *server) UpdateProject(c *gin.Context, project string) {
	before, err := s.project(c, project)
	var p deployment.Project
	for try := 1; err == nil; try++ {
		if p, err = s.patchProject(c, before); !errors.Is(err, deployment.ErrConflict) || try == patchTries {
			break
		}
		before, err = s.project(c, before.ID) // its name may be what was changed
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, wireProject(p))
}

// patchProject decodes the body over the settings as they were read: absent fields keep their value, null ones become nil
// and so the default.
func (s *server) patchProject(c *gin.Context, before deployment.Project) (deployment.Project, error) {
	settings := settingsOf(before)
	if err := decodeBody(c, &settings); err != nil {
		return deployment.Project{}, err
	}
	p := withSettings(before, settings)
	if err := s.checkProject(c, p, before); err != nil {
		return deployment.Project{}, err
	}
	return s.Store.UpdateProject(c.Request.Context(), p)
}

// DeleteProject serves DELETE /v1/projects/{project}.
func (s *server) DeleteProject(c *gin.Context, project string) {
	p, err := s.project(c, project)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.delete(c, deployment.Scope{ProjectID: p.ID}, "project", "project")
}

// project finds the project that a path names.
func (s *server) project(c *gin.Context, idOrName string) (deployment.Project, error) {
	p, err := s.Store.Project(c.Request.Context(), idOrName)
	return p, named(err, "project", "project", idOrName)
}

// checkProject finds every fault of the settings. What is a good URL is the guard's to say alone: it knows origins that
// are trusted whatever their scheme. One that stands as it was is not looked at again, so that a host that is away for
// a moment keeps nobody from changing a port.
func (s *server) checkProject(c *gin.Context, p, before deployment.Project) error {
	faults := p.Validate()
	if p.RepoURL != before.RepoURL {
		faults = append(faults, s.Guard.CheckURL(c.Request.Context(), p.RepoURL))
	}
	return fieldProblem(faults...)
}

// settingsOf is what a PATCH changes, as it stands.
func settingsOf(p deployment.Project) oapi.ProjectUpdate {
	builder := string(p.Builder)
	return oapi.ProjectUpdate{
		Name: &p.Name, RepoURL: &p.RepoURL, RootDir: &p.RootDir, Builder: &builder, InstallCommand: &p.InstallCommand,
		BuildCommand: &p.BuildCommand, StartCommand: &p.StartCommand, Port: &p.Port,
		HealthCheck: &oapi.HealthCheckInput{
			Path: &p.HealthCheck.Path, Status: &p.HealthCheck.Status, TimeoutSeconds: &p.HealthCheck.TimeoutSeconds,
		},
		ProductionBranch: &p.ProductionBranch, BuildTimeoutSeconds: &p.BuildTimeoutSeconds,
		Resources: &oapi.ResourcesInput{Cpus: &p.Resources.CPUs, MemoryMB: &p.Resources.MemoryMB},
	}
}

// withSettings returns p with all of its settings replaced; nil stands for the default.
func withSettings(p deployment.Project, u oapi.ProjectUpdate) deployment.Project {
	health, resources := value(u.HealthCheck), value(u.Resources)
	p.Name, p.RepoURL, p.RootDir = value(u.Name), value(u.RepoURL), value(u.RootDir)
	p.Builder = deployment.Builder(value(u.Builder))
	p.InstallCommand, p.BuildCommand, p.StartCommand = value(u.InstallCommand), value(u.BuildCommand), value(u.StartCommand)
	p.Port, p.ProductionBranch, p.BuildTimeoutSeconds = value(u.Port), value(u.ProductionBranch), value(u.BuildTimeoutSeconds)
	p.HealthCheck = deployment.HealthCheck{
		Path: value(health.Path), Status: value(health.Status), TimeoutSeconds: value(health.TimeoutSeconds),
	}
	p.Resources = deployment.Resources{CPUs: value(resources.Cpus), MemoryMB: value(resources.MemoryMB)}
	return p.WithDefaults()
}
