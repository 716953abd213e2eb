package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

const mimeEventStream = "text/event-stream"

// GetLogs serves GET /v1/deployments/{id}/logs: a page, or a stream for a client that accepts one.
func (s *server) GetLogs(c *gin.Context, id string, params oapi.GetLogsParams) {
	d, err := s.deployment(c, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	after := value(params.After)
	if wantsEvents(c.GetHeader("Accept")) {
		if params.LastEventID != nil {
			after = *params.LastEventID // a browser that connects again repeats the first URL, ?after= included
		}
		s.followLogs(c, d, after, value(params.App))
		return
	}
	s.pageLogs(c, d, after, params.Limit)
}

// pageLogs reads the lines after the deployment: one that had ended by then wrote nothing later.
func (s *server) pageLogs(c *gin.Context, d deployment.Deployment, after int64, limit *int) {
	most := defaultLogLines
	if limit != nil {
		most = *limit
	}
	lines, err := s.Logs.Lines(c.Request.Context(), d.ID, after, most)
	if err != nil {
		s.fail(c, err)
		return
	}
	if n := len(lines); n > 0 {
		after = lines[n-1].Seq
	}
	c.JSON(http.StatusOK, oapi.LogPage{
		Items: list(lines, wireLogLine), NextAfter: after, Ended: d.Status.Ended() && len(lines) < most,
	})
}

func wantsEvents(accept string) bool {
	for mediaRange := range strings.SplitSeq(accept, ",") {
		name, _, _ := strings.Cut(mediaRange, ";")
		if strings.EqualFold(strings.TrimSpace(name), mimeEventStream) {
			return true
		}
	}
	return false
}
