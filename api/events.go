package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// eventWriter writes a stream of server-sent events (HTML standard §9.2) with a comment in every interval, so that
// proxies and clients can tell a quiet stream from a dead one.
type eventWriter struct {
	w        gin.ResponseWriter
	control  *http.ResponseController
	pending  bytes.Buffer
	interval time.Duration
	nextPing time.Time
}

func newEventWriter(w gin.ResponseWriter, interval time.Duration) *eventWriter {
	header := w.Header()
	header.Set("Content-Type", mimeEventStream)
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	return &eventWriter{
		w: w, control: http.NewResponseController(w), interval: interval, nextPing: time.Now().Add(interval),
	}
}

// buffer adds an event; id 0 means that it has none and the reader's last id stands.
func (e *eventWriter) buffer(name string, id int64, data any) error {
	encoded, err := json.Marshal(data) // on one line: JSON escapes line breaks
	if err != nil {
		return fmt.Errorf("encode %s event: %w", name, err)
	}
	if id != 0 {
		fmt.Fprintf(&e.pending, "id: %d\n", id)
	}
	fmt.Fprintf(&e.pending, "event: %s\ndata: %s\n\n", name, encoded)
	return nil
}

// flush sends what is buffered.
func (e *eventWriter) flush() error {
	if e.pending.Len() == 0 {
		return nil
	}
	if err := clientError(e.control.SetWriteDeadline(time.Now().Add(e.interval + clientTimeout))); err != nil {
		return err
	}
	if _, err := e.pending.WriteTo(e.w); err != nil {
		return clientError(err)
	}
	return clientError(e.control.Flush())
}

// event sends one event at once.
func (e *eventWriter) event(name string, id int64, data any) error {
	if err := e.buffer(name, id, data); err != nil {
		return err
	}
	return e.flush()
}

// close takes the deadline off the connection, which may serve another request.
func (e *eventWriter) close() { _ = e.control.SetWriteDeadline(time.Time{}) }

// untilPing returns how long nothing has to be sent.
func (e *eventWriter) untilPing() time.Duration { return max(0, time.Until(e.nextPing)) }

func (e *eventWriter) pingIfDue() error {
	if e.untilPing() > 0 {
		return nil
	}
	e.nextPing = time.Now().Add(e.interval)
	e.pending.WriteString(": ping\n\n")
	return e.flush()
}
