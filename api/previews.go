package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// ListPreviews serves GET /v1/previews.
func (s *server) ListPreviews(c *gin.Context, params oapi.ListPreviewsParams) {
	filter := deployment.PreviewFilter{State: deployment.PreviewState(value(params.State))}
	var err error
	if filter.ProjectID, filter.EnvironmentID, filter.Environment, err = s.narrowed(c, params.Project, params.Environment); err != nil {
		s.fail(c, err)
		return
	}
	items, next, err := s.Store.Previews(c.Request.Context(), filter, pageOf(params.Limit, params.Cursor))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.PreviewList{Items: list(items, s.wirePreview), NextCursor: optional(next)})
}

// GetPreview serves GET /v1/previews/{id}.
func (s *server) GetPreview(c *gin.Context, id string) {
	p, err := s.preview(c, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, s.wirePreview(p))
}

// GetPreviewStats serves GET /v1/previews/{id}/stats.
func (s *server) GetPreviewStats(c *gin.Context, id string) {
	p, err := s.preview(c, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.PreviewStats{
		DeploymentID: p.DeploymentID, State: oapi.PreviewState(p.State), Condition: optional(string(p.Condition())), Usage: wireUsage(p),
		Requests: wireRequests(p), LastRequestAt: lastRequest(p), IdleSeconds: idleSeconds(p),
	})
}

// GetPreviewLogs serves GET /v1/previews/{id}/logs: a page, or a stream for a client that accepts one.
func (s *server) GetPreviewLogs(c *gin.Context, id string, params oapi.GetPreviewLogsParams) {
	if _, err := s.preview(c, id); err != nil {
		s.fail(c, err)
		return
	}
	d, err := s.deployment(c, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.serveLogs(c, d, logQuery{after: value(params.After), last: params.LastEventID, limit: params.Limit, app: true, shows: ofApp})
}

// StopPreview serves POST /v1/previews/{id}/stop. As all the requests below it changes a row; whoever keeps the lease acts upon it.
func (s *server) StopPreview(c *gin.Context, id string) {
	p, err := s.Store.StopPreview(c.Request.Context(), id)
	s.answerPreview(c, id, p, err)
}

// StartPreview serves POST /v1/previews/{id}/start.
func (s *server) StartPreview(c *gin.Context, id string) {
	p, err := s.Store.StartPreview(c.Request.Context(), id)
	s.answerPreview(c, id, p, err)
}

// PinPreview serves POST /v1/previews/{id}/pin.
func (s *server) PinPreview(c *gin.Context, id string) {
	p, err := s.Store.PinPreview(c.Request.Context(), id)
	s.answerPreview(c, id, p, err)
}

// UnpinPreview serves POST /v1/previews/{id}/unpin.
func (s *server) UnpinPreview(c *gin.Context, id string) {
	p, err := s.Store.UnpinPreview(c.Request.Context(), id)
	s.answerPreview(c, id, p, err)
}

// ExtendPreview serves POST /v1/previews/{id}/extend. What is asked for is an end rather than a length: a request that is repeated
// because its answer was lost asks for the same.
func (s *server) ExtendPreview(c *gin.Context, id string) {
	var body oapi.PreviewExtension
	err := decodeBody(c, &body)
	if err == nil && !body.Until.After(time.Now()) {
		err = fieldProblem(fault("until", "is not in the future", "give a time to come as RFC 3339, such as "+time.Now().AddDate(0, 0, 7).UTC().Format(time.RFC3339)))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	p, err := s.Store.ExtendPreview(c.Request.Context(), id, body.Until)
	s.answerPreview(c, id, p, err)
}

// answerPreview answers a request that changed a lease, or says why it did not.
func (s *server) answerPreview(c *gin.Context, id string, p deployment.PreviewDetail, err error) {
	about(c, id)
	switch {
	case errors.Is(err, deployment.ErrNotFound):
		err = s.noPreview(c, id)
	case errors.Is(err, deployment.ErrNotLive):
		err = s.notLive(c, id)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusAccepted, s.wirePreview(p))
}

// preview finds the preview that a path names.
func (s *server) preview(c *gin.Context, id string) (deployment.PreviewDetail, error) {
	about(c, id)
	p, err := s.Store.Preview(c.Request.Context(), id)
	if errors.Is(err, deployment.ErrNotFound) {
		err = s.noPreview(c, id)
	}
	return p, err
}

// noPreview says whether there is no preview or not even a deployment.
func (s *server) noPreview(c *gin.Context, id string) error {
	d, err := s.deployment(c, id)
	if err != nil {
		return err
	}
	return &problemError{
		status: http.StatusNotFound, code: "no_preview", field: "id",
		detail: fmt.Sprintf("deployment #%d of %s, which is %s, has no preview", d.Number, d.ProjectName, d.Status),
		fix:    "it has one from when its release step has made a container until its environment is deleted; GET /v1/deployments/" + id + " shows how far it has come",
	}
}

// notLive says which deployment has the lease.
func (s *server) notLive(c *gin.Context, id string) error {
	p, err := s.preview(c, id)
	if err != nil {
		return err
	}
	problem := &problemError{
		status: http.StatusConflict, code: "not_live", field: "id",
		detail: fmt.Sprintf("deployment #%d is not the live one of %s; only that one is stopped, started, extended and pinned", p.Number, p.Environment),
		fix:    "nothing is live there: deploy to it",
	}
	if p.LiveID != "" {
		problem.fix = fmt.Sprintf("deployment #%d is live there: name it by its id, %s", p.LiveNumber, p.LiveID)
	}
	return problem
}
