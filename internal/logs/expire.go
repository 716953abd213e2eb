package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The bounds of one call of Expire, in transactions, and of one of these, in lines.
const (
	expireBatches = 20
	expireBatch   = 5_000
)

const selectPast = `
SELECT id::text FROM past_deployments
 WHERE log_removed_at IS NULL AND finished_at < now() - $1::interval AND past_since < now() - $1::interval
 ORDER BY finished_at, id LIMIT $2`

// Expired lists deployments that are over for longer than age and have their logs still, those first that are over longest: as many
// as one call of Expire may look at.
func (w *Writer) Expired(ctx context.Context, age time.Duration) ([]string, error) {
	rows, err := w.store.pool.Query(ctx, selectPast, age, expireBatches)
	if err != nil {
		return nil, fmt.Errorf("list logs that are past their retention: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list logs that are past their retention: %w", err)
	}
	return ids, nil
}

// Expire removes these logs, and returns how many are gone. It makes a bounded number of short transactions; the next call goes on
// with what is left. It may run any number of times at once. Of a log that is gone one line is left, which says so, and numbers are
// given out no second time.
func (w *Writer) Expire(ctx context.Context, age time.Duration) (removed int, err error) {
	ids, err := w.Expired(ctx, age)
	if err != nil {
		return 0, err
	}
	budget := expireBatches
	for _, id := range ids {
		for step := goesOn; step == goesOn; budget-- {
			if budget == 0 {
				return removed, nil
			}
			if step, err = expireBatchOf(ctx, w.store.pool, id, age); err != nil {
				return removed, fmt.Errorf("remove log of deployment %s, which is past its retention: %w", id, err)
			}
			if step == isGone {
				removed++
			}
		}
	}
	return removed, nil
}

// expired is how a log stands after a batch.
type expired int

const (
	goesOn expired = iota // there is more of it
	isGone
	isBusy // or its deployment is not what it was
)

// lockPast holds a deployment. Who has it at this moment begins it again, or removes its log too.
const lockPast = `SELECT id::text FROM deployments WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED`

// stillPast looks at what is held in a statement of its own, which sees what was committed before.
const stillPast = `SELECT id::text FROM past_deployments WHERE id = $1 AND log_removed_at IS NULL AND past_since < now() - $2::interval`

const lockExpired = `
SELECT seq, head_to, head_bytes, tail_bytes, coalesce(cut_to, 0), cut_lines, cut_bytes FROM log_heads WHERE deployment_id = $1 FOR NO KEY UPDATE`

const markRemoved = `UPDATE deployments SET log_removed_at = $2 WHERE id = $1`

func expireBatchOf(ctx context.Context, pool *pgxpool.Pool, id string, age time.Duration) (step expired, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, lockPast, id).Scan(&id); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, stillPast, id, age).Scan(&id); err != nil {
			return err
		}
		var h head
		err := tx.QueryRow(ctx, lockExpired, id).Scan(&h.seq, &h.firstTo, &h.firstBytes, &h.tailBytes, &h.cutTo, &h.cutLines, &h.cutBytes)
		now := time.Now().UTC()
		switch {
		case errors.Is(err, pgx.ErrNoRows): // nothing was ever written
		case err != nil:
			return err
		case h.seq > 0:
			if err := h.expire(ctx, tx, id, now, age); err != nil || !h.gone() {
				return err
			}
		}
		step = isGone
		_, err = tx.Exec(ctx, markRemoved, id, now)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return isBusy, nil
	}
	return step, err
}

// gone reports whether nothing but the mark is left.
func (h *head) gone() bool { return h.firstTo == 0 && h.cutTo == h.seq }

const selectBatch = `
SELECT coalesce(max(seq), $3) FROM (SELECT seq FROM log_lines WHERE deployment_id = $1 AND seq > $2 ORDER BY seq LIMIT $4) lines`

// expire removes a batch: of the newest lines, where the log has a gap already or where these begin, and after those of the first ones,
// from their end. So there is one mark at any time.
func (h *head) expire(ctx context.Context, tx pgx.Tx, id string, now time.Time, age time.Duration) error {
	after, last := h.firstTo, h.seq
	if kept := max(h.firstTo, h.cutTo); kept < h.seq {
		if err := tx.QueryRow(ctx, selectBatch, id, kept, h.seq, expireBatch).Scan(&last); err != nil {
			return fmt.Errorf("find what to remove: %w", err)
		}
	} else {
		after = max(0, h.firstTo-expireBatch)
	}
	if err := h.cut(ctx, tx, id, after, last, func() string { return h.tooOld(now, age) }); err != nil {
		return err
	}
	return h.save(ctx, tx, id)
}

func (h *head) tooOld(now time.Time, age time.Duration) string {
	what := fmt.Sprintf("%d lines (%.1f MiB), numbers %d to %d, were", h.cutLines, float64(h.cutBytes)/mib, h.firstTo+1, h.cutTo)
	if h.gone() {
		what = fmt.Sprintf("the log, %d lines (%.1f MiB), was", h.cutLines, float64(h.cutBytes)/mib)
	}
	return fmt.Sprintf("… %s removed on %s after the retention of %s …", what, now.Format(time.DateOnly), length(age))
}

// length says days where it is days.
func length(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
