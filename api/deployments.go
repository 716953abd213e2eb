package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// workflowTimeout bounds a call to Temporal that follows a write: the write stands, and the reconciler repeats the call.
const workflowTimeout = 5 * time.Second

var idShape = regexp.MustCompile(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)

// CreateDeployment serves POST /v1/projects/{project}/deployments. The row is what accepts the deploy; a workflow that
// cannot start now is started by the reconciler.
func (s *server) CreateDeployment(c *gin.Context, project string, params oapi.CreateDeploymentParams) {
	p, err := s.project(c, project)
	if err != nil {
		s.fail(c, err)
		return
	}
	var body oapi.DeploymentCreate
	if err := decodeBody(c, &body); err != nil {
		s.fail(c, err)
		return
	}
	request, err := s.newDeployment(c.Request.Context(), p, body, value(params.IdempotencyKey))
	if err != nil {
		s.fail(c, err)
		return
	}
	s.accept(c, request)
}

// accept inserts a deployment, starts its workflow and answers.
func (s *server) accept(c *gin.Context, request NewDeployment) {
	d, created, err := s.Store.CreateDeployment(c.Request.Context(), request)
	if err != nil {
		s.fail(c, err)
		return
	}
	about(c, d.ID)
	if created {
		s.takePlace(c, d)
	} else {
		c.Header("Idempotency-Replayed", "true")
	}
	c.Header("Location", "/v1/deployments/"+d.ID)
	c.JSON(http.StatusAccepted, s.wireDeployment(d))
}

// ListDeployments serves GET /v1/deployments.
func (s *server) ListDeployments(c *gin.Context, params oapi.ListDeploymentsParams) {
	filter := DeploymentFilter{Status: deployment.Status(value(params.Status))}
	var err error
	if filter.ProjectID, filter.EnvironmentID, filter.Environment, err = s.narrowed(c, params.Project, params.Environment); err != nil {
		s.fail(c, err)
		return
	}
	items, next, err := s.Store.Deployments(c.Request.Context(), filter, pageOf(params.Limit, params.Cursor))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.DeploymentList{Items: list(items, s.wireDeployment), NextCursor: optional(next)})
}

// GetDeployment serves GET /v1/deployments/{id}.
func (s *server) GetDeployment(c *gin.Context, id string) {
	d, err := s.deployment(c, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, s.wireDeployment(d))
}

// CancelDeployment serves POST /v1/deployments/{id}/cancel. As with a start, the row decides: from here on the route
// cannot switch, and the reconciler repeats a cancel that Temporal did not hear.
func (s *server) CancelDeployment(c *gin.Context, id string) {
	about(c, id)
	d, err := s.Store.RequestCancel(c.Request.Context(), id)
	if err != nil {
		s.fail(c, named(err, "id", "deployment", id))
		return
	}
	if !d.Status.Ended() { // one that waited for its turn has nothing that would have to end first
		s.cancelWorkflow(c, id)
	}
	c.JSON(http.StatusAccepted, s.wireDeployment(d))
}

func (s *server) cancelWorkflow(c *gin.Context, id string) {
	ctx, cancel := detached(c)
	defer cancel()
	if _, err := s.Deploys.Cancel(ctx, id); err != nil {
		s.Logger.Warn("Workflow not canceled; the reconciler will", "deployment", id, "error", err)
	}
}

// RetryDeployment serves POST /v1/deployments/{id}/retry. The row decides who retries; a run that cannot be made now is made
// by the reconciler.
func (s *server) RetryDeployment(c *gin.Context, id string) {
	d, err := s.Store.RequestRetry(c.Request.Context(), id, s.MaxQueued)
	if err != nil {
		s.fail(c, named(err, "id", "deployment", id))
		return
	}
	s.takePlace(c, d)
	if made, err := s.Store.Deployment(c.Request.Context(), id); err == nil {
		d = made // with the new run
	}
	c.JSON(http.StatusAccepted, s.wireDeployment(d))
}

// deployment finds the deployment that a path names.
func (s *server) deployment(c *gin.Context, id string) (deployment.Deployment, error) {
	about(c, id)
	d, err := s.Store.Deployment(c.Request.Context(), id)
	if errors.Is(err, deployment.ErrNotFound) {
		return d, &problemError{
			status: http.StatusNotFound, code: "not_found", detail: fmt.Sprintf("no deployment is called %q", id), field: "id",
			fix: "GET /v1/deployments lists what there is; one that ended longer ago than the operator keeps deployments (SLIPWAY_DEPLOYMENT_RETENTION) is removed",
		}
	}
	return d, err
}

// detached returns a bounded context that outlives the client: what was written is followed up even if nobody waits.
func detached(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.Request.Context()), workflowTimeout)
}
