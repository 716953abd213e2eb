package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// followBatch is how many lines are read and sent at once.
const followBatch = 500

// progressInterval is how often a step's progress is looked at: it moves without a line or a change of status.
const progressInterval = time.Second

// follower sends one deployment's log to one client.
type follower struct {
	server *server
	events *eventWriter
	id     string
	after  int64
	query  logQuery
	shown  *oapi.StatusEvent // what the client knows of the status
}

func (s *server) followLogs(c *gin.Context, d deployment.Deployment, q logQuery) {
	ctx, cancel := s.untilClosing(c.Request.Context())
	defer cancel()
	f := &follower{server: s, events: newEventWriter(c.Writer, s.PingInterval), id: d.ID, after: q.after, query: q}
	defer f.events.close()
	err := f.run(ctx, d)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errClient) {
		// The status line is long gone. The client sees the end of the stream without an `end` event and connects again.
		s.Logger.Error("Log stream broken off", "deployment", d.ID, "error", err, "request_id", c.GetString(keyRequestID))
	}
}

// untilClosing returns a context that also ends when the HTTP server begins to shut down.
func (s *server) untilClosing(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	if s.Closing != nil {
		go func() {
			select {
			case <-s.Closing:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

// run reads the deployment before its lines each time round: when it had ended by then, all its lines are among those
// that follow, and `end` comes after the last one.
func (f *follower) run(ctx context.Context, d deployment.Deployment) error {
	for {
		if err := f.sendStatus(d); err != nil {
			return err
		}
		if err := f.sendLines(ctx); err != nil {
			return err
		}
		if f.over(d) {
			return f.events.event("end", 0, oapi.EndEvent{Status: oapi.DeploymentStatus(d.Status)})
		}
		if err := f.server.Logs.Wait(ctx, f.id, f.after, d.Status.Ended(), min(f.events.untilPing(), progressInterval)); err != nil {
			return err
		}
		if err := f.events.pingIfDue(); err != nil {
			return err
		}
		var err error
		if d, err = f.server.Store.Deployment(ctx, f.id); err != nil {
			return err
		}
	}
}

// over reports whether nothing more is to be waited for.
func (f *follower) over(d deployment.Deployment) bool {
	live := d.Status == deployment.StatusReady && d.SupersededBy == ""
	return d.Status.Ended() && !(f.query.app && live)
}

func (f *follower) sendStatus(d deployment.Deployment) error {
	now := oapi.StatusEvent{Status: oapi.DeploymentStatus(d.Status), Step: wireCurrentStep(d.Step)}
	if f.shown != nil && reflect.DeepEqual(*f.shown, now) {
		return nil
	}
	f.shown = &now
	return f.events.event("status", 0, now)
}

// sendLines sends every line that is stored by now.
func (f *follower) sendLines(ctx context.Context) error {
	for {
		lines, err := f.server.Logs.Lines(ctx, f.id, f.after, followBatch)
		if err != nil {
			return err
		}
		for _, line := range lines {
			f.after = line.Seq
			if f.query.shows != nil && !f.query.shows(line) {
				continue
			}
			if err := f.events.buffer("log", line.Seq, wireLogLine(line)); err != nil {
				return err
			}
		}
		if err := f.events.flush(); err != nil {
			return err
		}
		if err := f.events.pingIfDue(); err != nil {
			return err
		}
		if len(lines) < followBatch {
			return nil
		}
	}
}

// errClient marks an error of the connection to the client, which is no news.
var errClient = errors.New("client is gone")

// clientTimeout, on top of a ping's interval, ends the stream of a client that takes nothing. It also stands in for a
// write time-out of the server that was meant for short answers.
const clientTimeout = 30 * time.Second

func clientError(err error) error {
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return fmt.Errorf("%w: %w", errClient, err)
}
