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

// narrowed finds what a list is narrowed to: a project by its id or name, and an environment by either.
func (s *server) narrowed(c *gin.Context, project, environment *string) (projectID, environmentID, environmentName string, err error) {
	if project != nil {
		p, err := s.project(c, *project)
		if err != nil {
			return "", "", "", err
		}
		projectID = p.ID
	}
	if given := value(environment); idShape.MatchString(given) {
		return projectID, given, "", nil
	}
	return projectID, "", value(environment), nil
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
