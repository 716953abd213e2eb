package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// ListEnvironments serves GET /v1/projects/{project}/environments.
func (s *server) ListEnvironments(c *gin.Context, project string, params oapi.ListEnvironmentsParams) {
	p, err := s.project(c, project)
	if err != nil {
		s.fail(c, err)
		return
	}
	items, next, err := s.Store.Environments(c.Request.Context(), p.ID, pageOf(params.Limit, params.Cursor))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.EnvironmentList{Items: list(items, s.wireEnvironment), NextCursor: optional(next)})
}

// GetEnvironment serves GET /v1/environments/{id}.
func (s *server) GetEnvironment(c *gin.Context, id string) {
	e, err := s.Store.EnvironmentByID(c.Request.Context(), id)
	if err != nil {
		s.fail(c, named(err, "id", "environment", id))
		return
	}
	c.JSON(http.StatusOK, s.wireEnvironment(e))
}

// UpdateEnvironment serves PATCH /v1/environments/{id}.
func (s *server) UpdateEnvironment(c *gin.Context, id string) {
	var body oapi.EnvironmentUpdate
	if err := decodeBody(c, &body); err != nil {
		s.fail(c, err)
		return
	}
	e, newest, err := s.Store.SetOrderPolicy(c.Request.Context(), id, deployment.OrderPolicy(value(body.OrderPolicy)))
	if err != nil {
		s.fail(c, named(err, "id", "environment", id))
		return
	}
	if newest.ID != "" {
		s.takePlace(c, newest)
	}
	c.JSON(http.StatusOK, s.wireEnvironment(e))
}

// DeleteEnvironment serves DELETE /v1/environments/{id}.
func (s *server) DeleteEnvironment(c *gin.Context, id string) {
	e, err := s.Store.EnvironmentByID(c.Request.Context(), id)
	if err != nil {
		s.fail(c, named(err, "id", "environment", id))
		return
	}
	s.delete(c, deployment.Scope{ProjectID: e.ProjectID, EnvironmentID: e.ID}, "id", "environment")
}

// namedEnvironment finds the environment of a project that a parameter names by id or by name.
func (s *server) namedEnvironment(c *gin.Context, p deployment.Project, given string) (deployment.Environment, error) {
	if !idShape.MatchString(given) {
		e, err := s.Store.Environment(c.Request.Context(), p.ID, given)
		return e, named(err, "environment", "environment of "+p.Name, given)
	}
	e, err := s.Store.EnvironmentByID(c.Request.Context(), given)
	if err == nil && e.ProjectID != p.ID {
		err = deployment.ErrNotFound
	}
	return e, named(err, "environment", "environment of "+p.Name, given)
}
