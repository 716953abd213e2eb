package logs

import (
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// The bounds of what is kept of one deployment while Postgres cannot be reached, and of one COPY.
const (
	maxPending      = 50_000
	maxPendingBytes = 64 << 20
	maxBatch        = 2_000
	maxBatchBytes   = 1 << 20
)

// tail is the end of one deployment's log that is not stored yet. The writer's mutex guards it.
type tail struct {
	redactor redactor
	pending  []deployment.LogLine
	bytes    int // of pending
	lost     int // lines dropped from the front of pending since the last batch
	batch    *batch
	appended int64 // lines ever taken in
	settled  int64 // of those, the ones that are stored or were given up
	progress chan struct{}
}

// batch is what one transaction writes. It stays the same until the transaction is known to have committed.
type batch struct {
	lines []deployment.LogLine
	takes int64  // lines of the tail that it settles
	xid   string // the transaction that may have committed although its answer was lost
}

func newTail() *tail { return &tail{progress: make(chan struct{})} }

// add takes lines in, and drops the oldest beyond the bounds.
func (t *tail) add(lines []deployment.LogLine) {
	for _, line := range lines {
		t.pending = append(t.pending, line)
		t.bytes += len(line.Text)
		t.appended++
	}
	for len(t.pending) > maxPending || t.bytes > maxPendingBytes {
		t.bytes -= len(t.pending[0].Text)
		t.pending = t.pending[1:]
		t.lost++
	}
}

// next returns the batch to write, nil when everything is settled.
func (t *tail) next() *batch {
	if t.batch != nil || len(t.pending) == 0 {
		return t.batch
	}
	n := t.batchSize()
	lines := make([]deployment.LogLine, 0, n+1)
	if t.lost > 0 {
		lines = append(lines, lossMark(t.pending[0], t.lost))
	}
	lines = append(lines, t.pending[:n]...)
	t.batch = &batch{lines: lines, takes: int64(n + t.lost)}
	for _, line := range t.pending[:n] {
		t.bytes -= len(line.Text)
	}
	t.pending, t.lost = t.pending[n:], 0
	if len(t.pending) == 0 {
		t.pending = nil // lets go of the lines
	}
	return t.batch
}

// batchSize is how many lines the next batch takes: one at least.
func (t *tail) batchSize() (n int) {
	for bytes := 0; n < min(len(t.pending), maxBatch); n++ {
		if bytes += len(t.pending[n].Text); bytes > maxBatchBytes {
			return max(n, 1)
		}
	}
	return n
}

// lossMark stands where lines were dropped.
func lossMark(next deployment.LogLine, lost int) deployment.LogLine {
	next.Stream, next.Container = deployment.StreamSlipway, ""
	next.Text = fmt.Sprintf("%d lines were lost here, because the log could not be stored for too long", lost)
	return next
}

// settle ends the batch and wakes who waits in Flush.
func (t *tail) settle() {
	t.settled += t.batch.takes
	t.batch = nil
	close(t.progress)
	t.progress = make(chan struct{})
}
