package activities

import (
	"context"
	"sync"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// tailSink passes a solve's lines on to the log and its progress to the heartbeat, and keeps the last lines for a
// failure that has none of its own.
type tailSink struct {
	ctx   context.Context // of the activity, for its trace
	log   stepLog
	pulse *pulse

	mu    sync.Mutex
	lines []string
}

// Line logs one line.
func (t *tailSink) Line(stream, text string) {
	t.log.line(stream, text)
	if len(text) > maxFailureLine { // cut now, for memory's sake, and so redacted now: a cut must not hide a secret's start
		text = bounded(t.log.logs.Redact(t.log.attempt.DeploymentID, text), maxFailureLine)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines = append(t.lines, text); len(t.lines) > deployment.MaxFailureLines {
		t.lines = t.lines[1:]
	}
}

// Progress notes how far the solve is.
func (t *tailSink) Progress(p deployment.Progress) {
	t.pulse.change(func(b *Beat) { b.Progress = p })
}

func (t *tailSink) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}
