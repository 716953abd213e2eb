package logs

import (
	"context"
	"errors"
	"time"
)

// run writes what the tails hold, batch by batch, until the writer is closed.
func (w *Writer) run(ctx context.Context) {
	defer close(w.done)
	for w.await(w.kick, 0) && w.await(w.hurry, flushEvery) {
		w.drain(ctx, true)
	}
	w.drain(ctx, false)
}

// drain writes everything. While Postgres is away it tries again, more and more slowly; when the writer is closing it
// does so until Close gives up, without regard to patience.
func (w *Writer) drain(ctx context.Context, patient bool) {
	backoff := flushEvery
	for away := false; ; away = true {
		err := w.flushAll(ctx)
		if err == nil {
			if away {
				w.log.Info("log is stored again")
			}
			return
		}
		if ctx.Err() != nil {
			return
		}
		if !away {
			w.log.Warn("log cannot be stored; lines are kept and tried again", "error", err)
		}
		if patient && !w.await(nil, backoff) {
			return
		}
		if !patient && !sleep(ctx, flushEvery) {
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// await waits for a word on c, or until the time is over when d is not 0. It reports whether the writer is still open.
func (w *Writer) await(c <-chan struct{}, d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-c:
	case <-over:
	case <-w.closing:
		return false
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// flushAll writes every deployment's tail. One that fails does not hold up the others.
func (w *Writer) flushAll(ctx context.Context) error {
	w.mu.Lock()
	ids := make([]string, 0, len(w.tails))
	for id, t := range w.tails {
		if t.batch != nil || len(t.pending) > 0 {
			ids = append(ids, id)
		}
	}
	w.mu.Unlock()
	var errs []error
	for _, id := range ids {
		errs = append(errs, w.flush(ctx, id))
	}
	return errors.Join(errs...)
}

func (w *Writer) flush(ctx context.Context, deploymentID string) error {
	for {
		w.mu.Lock()
		b := w.tail(deploymentID).next()
		w.mu.Unlock()
		if b == nil {
			return nil
		}
		err := w.store.write(ctx, deploymentID, b)
		if err != nil && !isFinal(err) {
			return err
		}
		if err == nil && w.stored != nil {
			w.stored(len(b.lines))
		}
		if err != nil {
			w.log.Error("log lines are given up", "deployment", deploymentID, "lines", len(b.lines), "error", err)
		}
		w.mu.Lock()
		w.tail(deploymentID).settle()
		w.mu.Unlock()
	}
}
