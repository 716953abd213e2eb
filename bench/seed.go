package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/api/client"
)

const (
	storedProjects    = 100
	storedDeployments = 100_000
	linesOfALog       = 500
	logsAtATime       = 500
)

// storedProject is the name of one of the projects that the database is filled with.
func storedProject(n int) string { return fmt.Sprintf("bench-stored-%d", n%storedProjects) }

// Rows that the benchmark has no workflow for are written without the triggers, which would tell everybody of each. A deployment of
// an hour ago that has failed is left alone by the reconciler.
const (
	storeEnvironments = `INSERT INTO environments (id, project_id, name, kind, host, generation)
SELECT gen_random_uuid(), id, 'branch/stored', 'branch', name || '-stored', $1 FROM projects WHERE name LIKE 'bench-stored-%'`

	storeDeployments = `INSERT INTO deployments (id, project_id, environment_id, number, generation, status, ref_kind, ref_name, force, branch, commit,
       workflow_id, preview_host, created_at, started_at, finished_at)
SELECT made.id, e.project_id, e.id, n, n, 'failed', 'branch', 'main', false, 'main', repeat('0', 40), 'deploy/' || made.id, made.id, at, at, at
  FROM environments e, generate_series(1, $1::int) n, LATERAL (SELECT md5(e.id || '/' || n)::uuid AS id, now() - interval '1 hour' - n * interval '1 second' AS at) made
 WHERE e.name = 'branch/stored'`

	countNumbers = `UPDATE projects SET next_number = $1 + 1 WHERE name LIKE 'bench-stored-%'`

	storeHeads = `INSERT INTO log_heads (deployment_id, seq, head_to, head_bytes)
SELECT d.id, $1::bigint, $1::bigint, $1::bigint * 200 FROM deployments d JOIN environments e ON e.id = d.environment_id
 WHERE e.name = 'branch/stored' AND NOT EXISTS (SELECT FROM log_heads WHERE deployment_id = d.id) LIMIT $2 RETURNING deployment_id`

	storeLines = `INSERT INTO log_lines (deployment_id, seq, time, step, attempt, stream, text)
SELECT id, n, now() - interval '1 hour', 'build', 1, 'stdout', lpad(n::text, 100, 'a stored line ') FROM unnest($1::uuid[]) id, generate_series(1, $2::int) n`
)

// store fills the database: with deployments, and until then with log lines.
func (b *bench) store(ctx context.Context, until time.Time) (lines int, err error) {
	if err := b.serveTalker(ctx); err != nil { // a repository that is small
		return 0, err
	}
	for n := range storedProjects {
		created, err := b.api.CreateProjectWithResponse(ctx, client.ProjectCreate{Name: storedProject(n), RepoURL: b.repo(talkerName)})
		if err != nil {
			return 0, err
		}
		if created.JSON201 == nil {
			return 0, fmt.Errorf("create project: %s", created.Body)
		}
	}
	db, err := b.database(ctx)
	if err != nil {
		return 0, err
	}
	defer db.Close(ctx)
	const each = storedDeployments / storedProjects
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{"SET session_replication_role = replica", nil},
		{storeEnvironments, []any{each}},
		{storeDeployments, []any{each}},
		{countNumbers, []any{each}},
	} {
		if _, err := db.Exec(ctx, statement.sql, statement.args...); err != nil {
			return 0, fmt.Errorf("store deployments: %w", err)
		}
	}
	for full := false; !full && (lines == 0 || time.Now().Before(until)); {
		if full, err = storeLogs(ctx, db, &lines); err != nil {
			return lines, fmt.Errorf("store log lines: %w", err)
		}
	}
	_, err = db.Exec(ctx, "ANALYZE")
	return lines, err
}

// storeLogs stores some more logs, and tells when every deployment has one.
func storeLogs(ctx context.Context, db *pgx.Conn, lines *int) (full bool, err error) {
	rows, err := db.Query(ctx, storeHeads, linesOfALog, logsAtATime)
	if err != nil {
		return false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) == 0 {
		return true, err
	}
	stored, err := db.Exec(ctx, storeLines, ids, linesOfALog)
	*lines += int(stored.RowsAffected())
	return false, err
}
