package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/notify"
)

// Reader pages through the logs of deployments and waits for more. It is safe for concurrent use.
type Reader struct {
	pool    *pgxpool.Pool
	waiters *waiters
	stop    context.CancelFunc
	done    chan struct{}
}

// NewReader returns a Reader on pool. It listens on one connection of its own until Close.
func NewReader(pool *pgxpool.Pool, log *slog.Logger) *Reader {
	ctx, stop := context.WithCancel(context.Background())
	r := &Reader{pool: pool, waiters: &waiters{}, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		notify.Listen(ctx, pool.Config().ConnConfig, channel, r.waiters.wakeAll, r.waiters.wake, log)
	}()
	return r
}

// Close ends the listening. Calls of Wait return at their timeout.
func (r *Reader) Close() {
	r.stop()
	<-r.done
}

const selectLines = `
SELECT l.seq, l.time, l.step, l.attempt, l.stream, l.text, h.head_to + 1, coalesce(h.cut_to, 0), h.cut_lines, h.cut_bytes
  FROM log_lines l JOIN log_heads h ON h.deployment_id = l.deployment_id
 WHERE l.deployment_id = $1 AND l.seq > $2 ORDER BY l.seq LIMIT $3`

// Lines returns up to limit lines with seq > after, oldest first. Numbers follow one another but for a cut: there one line
// with the number of the last that is not kept says which they were.
func (r *Reader) Lines(ctx context.Context, deploymentID string, after int64, limit int) ([]deployment.LogLine, error) {
	rows, err := r.pool.Query(ctx, selectLines, deploymentID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read log of deployment %s: %w", deploymentID, err)
	}
	lines, err := pgx.CollectRows(rows, toLine)
	if err != nil {
		return nil, fmt.Errorf("read log of deployment %s: %w", deploymentID, err)
	}
	return lines, nil
}

func toLine(row pgx.CollectableRow) (deployment.LogLine, error) {
	var l deployment.LogLine
	var cut deployment.LogCut
	err := row.Scan(&l.Seq, &l.Time, &l.Step, &l.Attempt, &l.Stream, &l.Text, &cut.From, &cut.To, &cut.Lines, &cut.Bytes)
	l.Time = l.Time.UTC()
	if l.Seq == cut.To {
		l.Cut = &cut
	}
	return l, err
}

const selectNews = `
SELECT (d.finished_at IS NOT NULL) <> $3 OR coalesce(h.seq, 0) > $2
  FROM deployments d LEFT JOIN log_heads h ON h.deployment_id = d.id
 WHERE d.id = $1`

// Wait returns when the log may have grown beyond after or the deployment's status may have changed, at once when whether
// it has ended is not as the caller knows, and in any case after the timeout, so that a caller who looks again then misses
// nothing even while no notification comes through. The error is the context's, or Postgres's.
func (r *Reader) Wait(ctx context.Context, deploymentID string, after int64, ended bool, timeout time.Duration) error {
	word, leave := r.waiters.join(deploymentID)
	defer leave()
	var news bool
	err := r.pool.QueryRow(ctx, selectNews, deploymentID, after, ended).Scan(&news)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("wait for log of deployment %s: %w", deploymentID, deployment.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("wait for log of deployment %s: %w", deploymentID, err)
	}
	if news {
		return nil
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-word:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
