package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestLogs_JSONPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.deploy("shop", `{}`)
	w.logs.add(d.ID, "one", "two", "three")
	page := func(query string) (p oapi.LogPage) {
		w.call("GET", "/v1/deployments/"+d.ID+"/logs"+query, "").into(&p)
		return p
	}
	first := page("?limit=2")
	require.Len(t, first.Items, 2)
	require.EqualValues(t, 2, first.NextAfter)
	require.False(t, first.Ended)
	require.Equal(t, "three", page("?after=2").Items[0].Text)
	require.False(t, page("?after=2").Ended, "more may come")

	w.ready(d.ID)
	require.False(t, page("?limit=3").Ended, "a full page may not be the last one")
	last := page("?after=3")
	require.True(t, last.Ended)
	require.EqualValues(t, 3, last.NextAfter)
	require.NotNil(t, last.Items)
}

// event is one server-sent event, or a comment.
type event struct{ id, name, data, comment string }

// stream follows a log over a real connection.
type stream struct {
	t      *testing.T
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

func (w *world) follow(id, query string, headers ...header) *stream {
	w.t.Helper()
	return w.followAt("/v1/deployments/"+id+"/logs", query, headers...)
}

func (w *world) followAt(path, query string, headers ...header) *stream {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	w.t.Cleanup(cancel)
	req := w.request("GET", path+query, "", append(headers, header{"Accept", "text/event-stream"})...)
	resp, err := w.server.Client().Do(req.WithContext(ctx))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	w.conforms(req, resp, nil)
	require.Equal(w.t, "text/event-stream", resp.Header.Get("Content-Type"))
	return &stream{t: w.t, lines: bufio.NewScanner(resp.Body), cancel: cancel}
}

// next returns the next event, false at the end of the stream.
func (s *stream) next() (e event, more bool) {
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if value == "" {
				return e, true
			}
			e.comment = value
		}
	}
	return e, false
}

// await returns the next event with that name.
func (s *stream) await(name string) event {
	s.t.Helper()
	for {
		e, more := s.next()
		require.True(s.t, more, "the stream ended before %q: %v", name, s.lines.Err())
		if e.name == name {
			return e
		}
	}
}

// rest reads to the end of the stream and returns the log events' ids; the last event must be `end`.
func (s *stream) rest() (ids []string, end event) {
	s.t.Helper()
	for {
		e, more := s.next()
		if !more {
			require.NoError(s.t, s.lines.Err())
			return ids, end
		}
		require.NotEqual(s.t, "end", end.name, "nothing follows the end")
		switch e.name {
		case "log":
			ids = append(ids, e.id)
		case "end":
			end = e
		}
	}
}

func TestFollow_FromStartToEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.deploy("shop", `{}`)
	w.logs.add(d.ID, "one")
	s := w.follow(d.ID, "")
	require.JSONEq(t, `{"status":"queued","step":null}`, s.await("status").data)
	first := s.await("log")
	require.Equal(t, "1", first.id)
	var line oapi.LogLine
	require.NoError(t, json.Unmarshal([]byte(first.data), &line))
	require.Equal(t, "one", line.Text)

	w.building(d.ID)
	var status oapi.StatusEvent
	require.NoError(t, json.Unmarshal([]byte(s.await("status").data), &status))
	require.Equal(t, oapi.DeploymentStatusBuilding, status.Status)
	require.Equal(t, oapi.StepNameBuild, status.Step.Name)

	w.logs.add(d.ID, "two\nwith a break")
	two := s.await("log")
	require.Equal(t, "2", two.id)
	require.Contains(t, two.data, `two\nwith a break`)
	w.logs.add(d.ID, "three")
	w.ready(d.ID)
	ids, end := s.rest()
	require.Equal(t, []string{"3"}, ids)
	require.JSONEq(t, `{"status":"ready"}`, end.data)
}

func TestFollow_OneThatEndedLongAgo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.deploy("shop", `{}`)
	want := make([]string, 1203) // more than two batches
	for i := range want {
		want[i] = strconv.Itoa(i + 1)
	}
	w.logs.add(d.ID, want...)
	w.finish(d.ID, deployment.StatusFailed, &deployment.Failure{Class: deployment.ClassUser})

	ids, end := w.follow(d.ID, "").rest()
	require.Equal(t, want, ids)
	require.JSONEq(t, `{"status":"failed"}`, end.data)

	ids, _ = w.follow(d.ID, "?after=1200").rest()
	require.Equal(t, want[1200:], ids)
	ids, end = w.follow(d.ID, "?after=3", header{"Last-Event-ID", "1203"}).rest()
	require.Empty(t, ids, "Last-Event-ID goes before ?after")
	require.Equal(t, "end", end.name)
}

func TestFollow_TheAppForAsLongAsItIsLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.deploy("shop", `{}`)
	w.logs.add(d.ID, "of the deploy")
	w.ready(d.ID)
	s := w.follow(d.ID, "?app=true")
	require.Equal(t, "1", s.await("log").id)
	w.logs.add(d.ID, "of the app")
	require.Equal(t, "2", s.await("log").id)

	w.ready(w.deploy("shop", `{}`).ID) // replaces it
	w.logs.add(d.ID)
	ids, end := s.rest()
	require.Empty(t, ids)
	require.JSONEq(t, `{"status":"ready"}`, end.data)

	ids, _ = w.follow(d.ID, "?app=true").rest()
	require.Equal(t, []string{"1", "2"}, ids, "of one that was replaced long ago the stream ends at once")
}

func TestFollow_ResumesWithoutLossOrDouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.deploy("shop", `{}`)
	w.logs.add(d.ID, "one", "two", "three")
	s := w.follow(d.ID, "")
	s.await("log")
	last := s.await("log")
	s.cancel()
	w.logs.add(d.ID, "four")
	w.finish(d.ID, deployment.StatusCanceled, nil)
	ids, end := w.follow(d.ID, "", header{"Last-Event-ID", last.id}).rest()
	require.Equal(t, []string{"3", "4"}, ids)
	require.JSONEq(t, `{"status":"canceled"}`, end.data)
}

func TestFollow_TellsWhatARetryWaitsFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	id := w.deploy("shop", `{}`).ID
	attempt := w.building(id)
	s := w.follow(id, "")
	require.Contains(t, s.await("status").data, `"waiting_for":null`)
	next := time.Now().Add(time.Minute)
	away := deployment.AwayFailure(deployment.ComponentRegistry, "build.push_failed", "check it", "push image: refused")
	require.NoError(t, w.store.StepEnded(t.Context(), attempt, deployment.StepFailed, away, &next, time.Now()))
	var status oapi.StatusEvent
	require.NoError(t, json.Unmarshal([]byte(s.await("status").data), &status))
	require.Equal(t, "the registry", *status.Step.WaitingFor)
	require.WithinDuration(t, next, *status.Step.NextAttemptAt, time.Millisecond)
}

func TestFollow_Pings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.PingInterval = 20 * time.Millisecond })
	w.project("shop")
	s := w.follow(w.deploy("shop", `{}`).ID, "")
	for pings := 0; pings < 3; {
		e, more := s.next()
		require.True(t, more)
		if e.comment == "ping" {
			pings++
		}
	}
}

func TestFollow_OutlivesTheServersWriteTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.PingInterval = 30 * time.Millisecond })
	w.project("shop")
	d := w.deploy("shop", `{}`)
	impatient := httptest.NewUnstartedServer(w.server.Config.Handler)
	impatient.Config.WriteTimeout = 50 * time.Millisecond
	impatient.Start()
	t.Cleanup(impatient.Close)
	w.server = impatient // from here on: a slow machine would not get the set-up through in time
	s := w.follow(d.ID, "")
	for pings := 0; pings < 5; { // several times the time-out
		e, more := s.next()
		require.True(t, more, "the stream was cut: %v", s.lines.Err())
		if e.comment == "ping" {
			pings++
		}
	}
	w.ready(d.ID)
	_, end := s.rest()
	require.Equal(t, "end", end.name)
}

func TestFollow_StopsWhenTheClientGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	s := w.follow(w.deploy("shop", `{}`).ID, "")
	s.await("status")
	s.cancel()
	done := make(chan struct{})
	go func() { w.server.Close(); w.logs.waiting.Wait(); close(done) }() // Close waits for every request
	requireClosed(t, done)
	require.NotContains(t, w.log.String(), "broken off", "a client that goes is no error")
}

func TestFollow_StopsWhenTheServerCloses(t *testing.T) {
	t.Parallel()
	closing := make(chan struct{})
	w := newWorld(t, func(o *api.Options) { o.Closing = closing })
	w.project("shop")
	s := w.follow(w.deploy("shop", `{}`).ID, "")
	s.await("status")
	close(closing)
	_, end := s.rest()
	require.Empty(t, end.name, "the deployment has not ended, so the reader is to come back")
}

func requireClosed(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, "still waiting")
	}
}
