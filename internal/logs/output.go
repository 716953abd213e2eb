package logs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const selectCursor = `SELECT stream, read_to FROM output_cursors WHERE deployment_id = $1 AND container = $2`

// Cursor returns how far the output of a container stands in the log: whoever follows the container goes on from there.
func (w *Writer) Cursor(ctx context.Context, deploymentID, container string) (deployment.OutputCursor, error) {
	return cursorOf(ctx, w.store.pool, deploymentID, container)
}

func cursorOf(ctx context.Context, q querier, deploymentID, container string) (deployment.OutputCursor, error) {
	cursor := deployment.OutputCursor{}
	rows, err := q.Query(ctx, selectCursor, deploymentID, container)
	if err == nil {
		var stream string
		var readTo int64
		_, err = pgx.ForEachRow(rows, []any{&stream, &readTo}, func() error {
			cursor[stream] = time.Unix(0, readTo).UTC()
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read how far the output of %s is stored: %w", container, err)
	}
	return cursor, nil
}

// lockHead makes other writers of the deployment's log wait until the transaction is over.
const lockHead = `
INSERT INTO log_heads AS h (deployment_id, seq) VALUES ($1, 0) ON CONFLICT (deployment_id) DO UPDATE SET seq = h.seq`

const moveCursor = `
INSERT INTO output_cursors (deployment_id, container, stream, read_to) VALUES ($1, $2, $3, $4)
ON CONFLICT (deployment_id, container, stream) DO UPDATE SET read_to = excluded.read_to`

// unread leaves out the lines of containers that are stored already, and moves the cursors beyond the rest.
func unread(ctx context.Context, tx pgx.Tx, deploymentID string, lines []deployment.LogLine) ([]deployment.LogLine, error) {
	if !slices.ContainsFunc(lines, printed) {
		return lines, nil
	}
	if _, err := tx.Exec(ctx, lockHead, deploymentID); err != nil {
		return nil, fmt.Errorf("lock log: %w", err)
	}
	cursors := map[string]deployment.OutputCursor{}
	rest := make([]deployment.LogLine, 0, len(lines))
	for _, line := range lines {
		if !printed(line) {
			rest = append(rest, line)
			continue
		}
		cursor, known := cursors[line.Container]
		if !known {
			var err error
			if cursor, err = cursorOf(ctx, tx, deploymentID, line.Container); err != nil {
				return nil, err
			}
			cursors[line.Container] = cursor
		}
		if !cursor.Passed(line.Stream, line.Time) {
			cursor[line.Stream] = line.Time
			rest = append(rest, line)
		}
	}
	return rest, moveCursors(ctx, tx, deploymentID, cursors)
}

// printed reports whether a container printed the line.
func printed(line deployment.LogLine) bool { return line.Container != "" }

func moveCursors(ctx context.Context, tx pgx.Tx, deploymentID string, cursors map[string]deployment.OutputCursor) error {
	for container, cursor := range cursors {
		for stream, at := range cursor {
			if _, err := tx.Exec(ctx, moveCursor, deploymentID, container, stream, at.UnixNano()); err != nil {
				return fmt.Errorf("note how far the output of %s is stored: %w", container, err)
			}
		}
	}
	return nil
}
