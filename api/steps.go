package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
)

var errNotPlanned = &problemError{
	status: http.StatusNotFound, code: "plan_not_ready", detail: "the deployment has no plan yet", field: "id",
	fix: "ask again when its plan step is done; one that failed or was canceled before never has a plan",
}

// ListSteps serves GET /v1/deployments/{id}/steps.
func (s *server) ListSteps(c *gin.Context, id string) {
	if _, err := s.deployment(c, id); err != nil {
		s.fail(c, err)
		return
	}
	steps, err := s.Store.Steps(c.Request.Context(), id)
	if err != nil {
		s.fail(c, err)
		return
	}
	receipt, err := s.Store.Receipt(c.Request.Context(), id)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.StepList{Items: list(steps, wireStep), Receipt: list(receipt, wireUndone)})
}

// GetPlan serves GET /v1/deployments/{id}/plan.
func (s *server) GetPlan(c *gin.Context, id string) {
	d, err := s.deployment(c, id)
	if err == nil && d.Plan == nil {
		err = errNotPlanned
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	plan, err := wirePlan(d.Plan)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, plan)
}

// GetDockerfile serves GET /v1/deployments/{id}/dockerfile.
func (s *server) GetDockerfile(c *gin.Context, id string) {
	d, err := s.deployment(c, id)
	if err == nil && d.Dockerfile == "" {
		err = errNotPlanned
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, "text/plain; charset=utf-8", []byte(d.Dockerfile))
}
