package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/secrets"
)

// A line waits for others for at most flushEvery, and for no more of them than flushLines.
const (
	flushEvery = 100 * time.Millisecond
	flushLines = 500
	maxBackoff = 5 * time.Second
)

// Writer appends lines to the logs of deployments. It is safe for concurrent use.
type Writer struct {
	store  store
	log    *slog.Logger
	stored func(lines int) // told of what was stored; may be nil

	mu    sync.Mutex
	tails map[string]*tail

	kick     chan struct{} // there is something to write
	hurry    chan struct{} // somebody waits for it
	closing  chan struct{}
	closeNow sync.Once
	done     chan struct{}
	abort    context.CancelFunc // ends a write under way
}

// Options are what a Writer does without.
type Options struct {
	MaxBytes int64           // of one deployment's log, DefaultMaxBytes when 0
	Stored   func(lines int) // told of every batch of lines that was stored; may be nil
}

// DefaultMaxBytes bounds a log where nothing else does.
const DefaultMaxBytes = 50 << 20

// NewWriter returns a Writer on pool and starts its background work, which Close ends.
func NewWriter(pool *pgxpool.Pool, log *slog.Logger) *Writer {
	return NewWriterWith(pool, log, Options{})
}

// NewWriterWith does so with options.
func NewWriterWith(pool *pgxpool.Pool, log *slog.Logger, o Options) *Writer {
	ctx, abort := context.WithCancel(context.Background())
	w := &Writer{
		store: store{pool: pool, maxBytes: cmp.Or(o.MaxBytes, DefaultMaxBytes)}, log: log, stored: o.Stored, tails: map[string]*tail{}, abort: abort,
		kick: make(chan struct{}, 1), hurry: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run(ctx)
	return w
}

// Append takes lines in and returns at once; they are stored within 100 ms while Postgres answers. A text of several
// lines becomes several lines; a line without a time gets the present one.
func (w *Writer) Append(deploymentID string, lines ...deployment.LogLine) {
	w.mu.Lock()
	r := w.tail(deploymentID).redactor
	w.mu.Unlock()
	now := time.Now()
	var cleaned []deployment.LogLine // outside the lock: the search for secrets takes a while
	for _, line := range lines {
		cleaned = append(cleaned, clean(line, r, now)...)
	}
	w.mu.Lock()
	t := w.tail(deploymentID)
	t.add(cleaned)
	full := len(t.pending) >= flushLines
	w.mu.Unlock()
	signal(w.kick)
	if full {
		signal(w.hurry)
	}
}

// Flush waits until every line that was appended for the deployment before is stored, or was given up.
func (w *Writer) Flush(ctx context.Context, deploymentID string) error {
	w.mu.Lock()
	t := w.tail(deploymentID)
	until := t.appended
	w.mu.Unlock()
	for {
		w.mu.Lock()
		settled, progress := t.settled, t.progress
		w.mu.Unlock()
		if settled >= until {
			return nil
		}
		signal(w.kick)
		signal(w.hurry)
		select {
		case <-progress:
		case <-w.done:
			return errors.New("flush log: the writer is closed")
		case <-ctx.Done():
			return fmt.Errorf("flush log: %d lines are not stored: %w", until-settled, ctx.Err())
		}
	}
}

// SetSecrets names values that are never written for the deployment, in this process, from now on until Forget: those of
// at least 4 characters, whole and line by line. They add to what was named before: a step that began with an older value
// of a variable may print it still.
func (w *Writer) SetSecrets(deploymentID string, values []string) {
	r := newRedactor(values)
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tail(deploymentID)
	t.redactor = t.redactor.with(r)
}

// Redact replaces those values, and credentials in URLs, in a text that goes elsewhere.
func (w *Writer) Redact(deploymentID, text string) string {
	w.mu.Lock()
	t, ok := w.tails[deploymentID]
	var r redactor
	if ok {
		r = t.redactor
	}
	w.mu.Unlock()
	return secrets.ScrubURLs(r.redact(text))
}

// Forget lets go of what is kept in memory of a deployment, its secrets too, once nothing more is appended to its log.
// Lines that are not stored yet stay.
func (w *Writer) Forget(deploymentID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t, ok := w.tails[deploymentID]; ok && t.settled == t.appended {
		delete(w.tails, deploymentID)
	}
}

// Close stores what is left, for as long as ctx allows, and ends the background work. Nothing may be appended after it.
func (w *Writer) Close(ctx context.Context) error {
	w.closeNow.Do(func() { close(w.closing) })
	select {
	case <-w.done:
	case <-ctx.Done():
		w.abort()
		<-w.done
	}
	w.abort()
	if left := w.unsettled(); left > 0 {
		return fmt.Errorf("close log: %d lines are not stored", left)
	}
	return nil
}

func (w *Writer) unsettled() (n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.tails {
		n += t.appended - t.settled
	}
	return n
}

// tail returns the deployment's tail; the caller holds the mutex.
func (w *Writer) tail(deploymentID string) *tail {
	t, ok := w.tails[deploymentID]
	if !ok {
		t = newTail()
		w.tails[deploymentID] = t
	}
	return t
}

// signal leaves word for a loop that will look; one word is enough.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
