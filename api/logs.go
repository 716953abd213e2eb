package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

const mimeEventStream = "text/event-stream"

// logQuery is what of a log is asked for.
type logQuery struct {
	after int64
	last  *int64 // the last line that a stream gave before it broke
	limit *int
	app   bool                          // go on with a stream while the deployment is live
	shows func(deployment.LogLine) bool // leaves lines out; nil leaves out none
}

// ofApp reports whether a line is of what an app printed; where the log was cut, such lines may be missing.
func ofApp(l deployment.LogLine) bool { return l.Step == deployment.StepApp || l.Cut != nil }

// GetLogs serves GET /v1/deployments/{id}/logs: a page, or a stream for a client that accepts one.
func (s *server) GetLogs(c *gin.Context, id string, params oapi.GetLogsParams) {
	d, err := s.deployment(c, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.serveLogs(c, d, logQuery{after: value(params.After), last: params.LastEventID, limit: params.Limit, app: value(params.App)})
}

func (s *server) serveLogs(c *gin.Context, d deployment.Deployment, q logQuery) {
	if wantsEvents(c.GetHeader("Accept")) {
		if q.last != nil {
			q.after = *q.last // a browser that connects again repeats the first URL, ?after= included
		}
		s.followLogs(c, d, q)
		return
	}
	s.pageLogs(c, d, q)
}

// pageLogs reads the lines after the deployment: one that had ended by then wrote nothing later.
func (s *server) pageLogs(c *gin.Context, d deployment.Deployment, q logQuery) {
	most := defaultLogLines
	if q.limit != nil {
		most = *q.limit
	}
	lines, after, all, err := s.page(c.Request.Context(), d.ID, q, most)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.LogPage{Items: list(lines, wireLogLine), NextAfter: after, Ended: d.Status.Ended() && all})
}

// page returns the lines of a page, where the next one begins, and whether there are no more by now. Lines that are left out are
// read all the same: numbers are the log's own.
func (s *server) page(ctx context.Context, id string, q logQuery, most int) (lines []deployment.LogLine, after int64, all bool, err error) {
	after = q.after
	for {
		batch := most
		if q.shows != nil {
			batch = followBatch
		}
		read, err := s.Logs.Lines(ctx, id, after, batch)
		if err != nil {
			return nil, after, false, err
		}
		for _, line := range read {
			if after = line.Seq; q.shows != nil && !q.shows(line) {
				continue
			}
			if lines = append(lines, line); len(lines) == most {
				return lines, after, false, nil
			}
		}
		if len(read) < batch {
			return lines, after, true, nil
		}
	}
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
