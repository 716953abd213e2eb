package logs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// store writes batches.
type store struct {
	pool     *pgxpool.Pool
	maxBytes int64 // of one deployment's log
}

// takeNumbers reserves the batch's numbers and holds the deployment's head until the commit, so that numbers become
// visible in their order. It also names the transaction, so that its fate can be asked for.
const takeNumbers = `
INSERT INTO log_heads AS h (deployment_id, seq) VALUES ($1, $2)
ON CONFLICT (deployment_id) DO UPDATE SET seq = h.seq + excluded.seq
RETURNING seq, head_to, head_bytes, tail_bytes, coalesce(cut_to, 0), cut_lines, cut_bytes, pg_current_xact_id()::text`

var columns = []string{"deployment_id", "seq", "time", "step", "attempt", "stream", "text"}

// write stores a batch exactly once, also when it is called again after an error that hid whether the commit was done. Of
// what containers printed it stores what is not stored yet.
func (s store) write(ctx context.Context, deploymentID string, b *batch) error {
	if b.xid != "" {
		if committed, err := s.committed(ctx, b.xid); err != nil || committed {
			return err
		}
		b.xid = ""
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		lines, err := unread(ctx, tx, deploymentID, b.lines)
		if err != nil || len(lines) == 0 {
			return err
		}
		xid, err := s.appendLines(ctx, tx, deploymentID, lines)
		if err != nil {
			return err
		}
		b.xid = xid // from here on the commit may happen without our hearing of it
		return nil
	})
}

// appendLines numbers the lines, stores them, and keeps the log within its bound.
func (s store) appendLines(ctx context.Context, tx pgx.Tx, deploymentID string, lines []deployment.LogLine) (xid string, err error) {
	var h head
	err = tx.QueryRow(ctx, takeNumbers, deploymentID, len(lines)).Scan(
		&h.seq, &h.firstTo, &h.firstBytes, &h.tailBytes, &h.cutTo, &h.cutLines, &h.cutBytes, &xid)
	if err != nil {
		return "", fmt.Errorf("number log lines: %w", err)
	}
	first := h.seq - int64(len(lines)) + 1
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"log_lines"}, columns, pgx.CopyFromSlice(len(lines), func(i int) ([]any, error) {
		line := lines[i]
		return []any{deploymentID, first + int64(i), line.Time, string(line.Step), int32(line.Attempt), line.Stream, line.Text}, nil
	}))
	if err != nil {
		return "", fmt.Errorf("copy log lines: %w", err)
	}
	h.take(lines, s.maxBytes/2)
	if err := s.bound(ctx, tx, deploymentID, &h); err != nil {
		return "", err
	}
	return xid, h.save(ctx, tx, deploymentID)
}

var errUndecided = errors.New("the commit of log lines is not decided yet")

func (s store) committed(ctx context.Context, xid string) (bool, error) {
	var fate *string // null when it is older than Postgres remembers: no commit of ours is
	if err := s.pool.QueryRow(ctx, "SELECT pg_xact_status($1::text::xid8)", xid).Scan(&fate); err != nil {
		return false, fmt.Errorf("ask for the fate of log lines: %w", err)
	}
	if fate != nil && *fate == "in progress" {
		return false, errUndecided
	}
	return fate != nil && *fate == "committed", nil
}

// isFinal reports whether writing the same lines again would fail again: the deployment is gone, or a value is refused.
func isFinal(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23"))
}
