package logs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	// lineCost is what a line counts on top of its text, so that a log of empty lines has a bound too.
	lineCost = 100
	// maxCut bounds the lines that one transaction deletes. It is more than a batch may push out.
	maxCut = 25_000
	// maxSlack bounds what is deleted beyond the need, so that not every batch has to delete.
	maxSlack = mib
)

// head is how a deployment's log stands. The numbers 1 to firstTo are its first lines, which stay; those of firstTo+1 to cutTo are
// gone, and cutTo is the line that says so; what follows are its newest lines.
type head struct {
	seq                   int64 // the last number
	firstTo               int64
	firstBytes, tailBytes int64
	cutTo                 int64 // 0: nothing is gone
	cutLines, cutBytes    int64
}

// take counts lines in that were numbered up to seq: as first lines while these have room for all that came so far.
func (h *head) take(lines []deployment.LogLine, half int64) {
	number := h.seq - int64(len(lines))
	for _, line := range lines {
		size := int64(len(line.Text)) + lineCost
		if h.firstTo == number && h.firstBytes+size <= half {
			h.firstTo++
			h.firstBytes += size
		} else {
			h.tailBytes += size
		}
		number++
	}
}

// selectCut finds the line up to which as much as is needed would go. The newest line stays in any case.
const selectCut = `
SELECT coalesce(min(seq) FILTER (WHERE freed >= $4), max(seq))
  FROM (SELECT seq, sum(octet_length(text) + $5::bigint) OVER (ORDER BY seq) AS freed
          FROM (SELECT seq, text FROM log_lines WHERE deployment_id = $1 AND seq > $2 AND seq < $3 ORDER BY seq LIMIT $6) oldest) sums`

// deleteCut deletes what lies between two numbers, the mark of an earlier cut ($4) among it, which counts for nothing.
const deleteCut = `
WITH gone AS (DELETE FROM log_lines WHERE deployment_id = $1 AND seq > $2 AND seq <= $3
              RETURNING seq, time, step, attempt, octet_length(text) AS bytes)
SELECT (SELECT count(*) FROM gone WHERE seq <> $4), (SELECT coalesce(sum(bytes), 0) FROM gone WHERE seq <> $4), time, step, attempt
  FROM gone WHERE seq = $3`

const insertMark = `
INSERT INTO log_lines (deployment_id, seq, time, step, attempt, stream, text) VALUES ($1, $2, $3, $4, $5, $6, $7)`

const saveHead = `
UPDATE log_heads SET head_to = $2, head_bytes = $3, tail_bytes = $4, cut_to = nullif($5::bigint, 0), cut_lines = $6, cut_bytes = $7
 WHERE deployment_id = $1`

// bound keeps the newest lines within half of what a log may have: the oldest after the first ones go. It belongs to the
// transaction that has stored lines and holds the head, so no reader sees a log that is too long or a gap without its mark.
func (s store) bound(ctx context.Context, tx pgx.Tx, deploymentID string, h *head) error {
	half := s.maxBytes / 2
	if h.tailBytes <= half {
		return nil
	}
	kept := max(h.firstTo, h.cutTo)
	need := h.tailBytes - half + min(half/16, maxSlack)
	var to *int64
	if err := tx.QueryRow(ctx, selectCut, deploymentID, kept, h.seq, need, lineCost, maxCut).Scan(&to); err != nil {
		return fmt.Errorf("find where to cut the log: %w", err)
	}
	if to == nil {
		return nil
	}
	return h.cut(ctx, tx, deploymentID, h.firstTo, *to, func() string { return h.tooLong(s.maxBytes) })
}

// cut deletes the lines from first to last, which take in those that are gone already, and puts a mark with the text in their place.
func (h *head) cut(ctx context.Context, tx pgx.Tx, deploymentID string, after, last int64, text func() string) error {
	var lines, bytes int64
	var mark deployment.LogLine
	err := tx.QueryRow(ctx, deleteCut, deploymentID, after, last, h.cutTo).Scan(&lines, &bytes, &mark.Time, &mark.Step, &mark.Attempt)
	if err != nil {
		return fmt.Errorf("cut the log: %w", err)
	}
	if freed := bytes + lines*lineCost; after < h.firstTo {
		h.firstBytes = max(0, h.firstBytes-freed)
	} else {
		h.tailBytes = max(0, h.tailBytes-freed) // lines of an older slipway were not counted in
	}
	h.firstTo, h.cutTo, h.cutLines, h.cutBytes = after, last, h.cutLines+lines, h.cutBytes+bytes
	_, err = tx.Exec(ctx, insertMark, deploymentID, last, mark.Time, mark.Step, mark.Attempt, deployment.StreamSlipway, text())
	if err != nil {
		return fmt.Errorf("mark the cut of the log: %w", err)
	}
	return nil
}

func (h *head) save(ctx context.Context, tx pgx.Tx, deploymentID string) error {
	_, err := tx.Exec(ctx, saveHead, deploymentID, h.firstTo, h.firstBytes, h.tailBytes, h.cutTo, h.cutLines, h.cutBytes)
	if err != nil {
		return fmt.Errorf("count log lines: %w", err)
	}
	return nil
}

const mib = 1 << 20

func (h *head) tooLong(most int64) string {
	return fmt.Sprintf("… %d lines (%.1f MiB), numbers %d to %d, are not kept: this log has its first and its newest lines, %.4g MiB in all …",
		h.cutLines, float64(h.cutBytes)/mib, h.firstTo+1, h.cutTo, float64(most)/mib)
}
