package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/client"
)

// pace says how a broken connection is taken up again.
type pace struct {
	first    time.Duration // the first wait; each further one is twice as long
	max      time.Duration // the longest wait
	patience time.Duration // how long the API may be away before following is given up
	silence  time.Duration // after this long without a byte the connection counts as broken; the API pings every 15 s
}

var defaultPace = pace{first: 250 * time.Millisecond, max: 5 * time.Second, patience: 5 * time.Minute, silence: 45 * time.Second}

// sink takes what a deployment's log stream brings, in order, each line once.
type sink interface {
	line(client.LogLine)
	status(client.StatusEvent)
	notice(string) // about the connection
}

// stream follows a deployment's log until the deployment has ended, over as many connections as it takes.
type stream struct {
	api  *client.ClientWithResponses
	id   string
	last int64 // the seq of the last line given to sink
	app  bool  // what the app prints alone, for as long as the deployment is live
	sink sink
	pace pace
}

// errCut is a stream that ended without its end event.
var errCut = errors.New("the stream was cut")

// run returns the status in which the deployment ended. It ends early with ctx's error, with the API's refusal, or when the API
// was away for longer than the pace's patience.
func (s *stream) run(ctx context.Context) (client.DeploymentStatus, error) {
	ctx = impatient(ctx)
	wait := s.pace.first
	heardAt := time.Now()
	for {
		end, heard, err := s.connect(ctx)
		if end != "" {
			return end, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if refused(err) {
			return "", err
		}
		if heard {
			wait, heardAt = s.pace.first, time.Now()
		}
		if time.Since(heardAt) > s.pace.patience {
			return "", s.givenUp(err)
		}
		if wait < s.pace.max { // after that the rhythm is known
			s.sink.notice(fmt.Sprintf("connection to the API lost (%v), trying again in %s", reason(err), wait))
		}
		if err := sleep(ctx, wait); err != nil {
			return "", err
		}
		wait = min(2*wait, s.pace.max)
		if heard {
			continue
		}
		end, reached, err := s.look(ctx)
		if end != "" || err != nil {
			return end, err
		}
		if reached {
			heardAt = time.Now()
		}
	}
}

// connect reads one connection's events. It returns the end event's status, or "" and why the connection broke, and whether it
// brought anything.
func (s *stream) connect(ctx context.Context) (end client.DeploymentStatus, heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := s.open(ctx)
	if err != nil {
		return "", false, err
	}
	defer func() { _ = resp.Body.Close() }()
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return "", false, notSlipway(resp)
	}
	quiet := time.AfterFunc(s.pace.silence, func() { cancel(fmt.Errorf("silent for %s", s.pace.silence)) })
	defer quiet.Stop()
	for m, err := range messages(&watched{resp.Body, func() { quiet.Reset(s.pace.silence) }}) {
		if err == nil {
			end, err = s.take(m)
		}
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause // a connection that was closed for its silence says no more than that it was closed
		}
		if err != nil || end != "" {
			return end, heard, err
		}
		heard = true
	}
	return "", heard, errCut
}

// open asks for a stream of what comes after the last line.
func (s *stream) open(ctx context.Context) (*http.Response, error) {
	var last *int64
	if s.last > 0 {
		last = &s.last
	}
	events := func(_ context.Context, req *http.Request) error {
		req.Header.Set("Accept", "text/event-stream")
		return nil
	}
	if s.app {
		return s.api.GetPreviewLogs(ctx, s.id, &client.GetPreviewLogsParams{After: &s.last, LastEventID: last}, events)
	}
	return s.api.GetLogs(ctx, s.id, &client.GetLogsParams{After: &s.last, LastEventID: last}, events)
}

// take hands one event on. Events that this program does not know are left out.
func (s *stream) take(m message) (end client.DeploymentStatus, err error) {
	switch m.event {
	case "log":
		var line client.LogLine
		if err := json.Unmarshal([]byte(m.data), &line); err != nil {
			return "", fmt.Errorf("read a log event: %w", err)
		}
		s.give(line)
	case "status":
		var status client.StatusEvent
		if err := json.Unmarshal([]byte(m.data), &status); err != nil {
			return "", fmt.Errorf("read a status event: %w", err)
		}
		s.sink.status(status)
	case "end":
		var ended client.EndEvent
		if err := json.Unmarshal([]byte(m.data), &ended); err != nil {
			return "", fmt.Errorf("read the end event: %w", err)
		}
		return ended.Status, nil
	}
	return "", nil
}

// give hands a line on unless it was given before.
func (s *stream) give(line client.LogLine) {
	if line.Seq > s.last {
		s.last = line.Seq
		s.sink.line(line)
	}
}

func (s *stream) givenUp(err error) error {
	return &shownError{
		message: fmt.Sprintf("the API was away for more than %s (%s); the deployment goes on without this program", s.pace.patience, reason(err)),
		fix:     fmt.Sprintf("look again with `slipway show %s`", s.id),
	}
}

// reason is an error without its advice.
func reason(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut.Error()
	}
	return strings.ReplaceAll(err.Error(), "\n", ", ")
}

// watched calls seen whenever something was read.
type watched struct {
	io.Reader
	seen func()
}

// Read reads and tells.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.seen()
	}
	return n, err
}

// sleep waits for d, or returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// live reports whether a deployment is the one that its environment shows.
func live(d client.Deployment) bool {
	return d.Status == client.DeploymentStatusReady && d.SupersededBy == nil
}

// over reports whether nothing is being done for a deployment in this status any more.
func over(s client.DeploymentStatus) bool {
	switch s {
	case client.DeploymentStatusReady, client.DeploymentStatusFailed, client.DeploymentStatusCanceled, client.DeploymentStatusSuperseded:
		return true
	default:
		return false
	}
}
