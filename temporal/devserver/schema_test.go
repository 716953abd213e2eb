//go:build !race

package devserver_test

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/schema"
	sqliteschema "go.temporal.io/server/schema/sqlite"

	"github.com/slipway-dev/slipway/temporal/devserver"
)

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := devserver.OpenFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func ask(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	var out string
	require.NoError(t, db.QueryRowContext(t.Context(), query, args...).Scan(&out))
	return out
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

func TestMigrateMakesANewFileOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a %20 b?.db") // characters that a file: URI would misread
	require.NoError(t, devserver.Migrate(t.Context(), path, quiet))
	require.FileExists(t, path)
	db := open(t, path)
	exec(t, db, `INSERT INTO namespace_metadata VALUES (7, 7)`)
	require.NoError(t, db.Close())

	require.NoError(t, devserver.Migrate(t.Context(), path, quiet))
	db = open(t, path)
	require.Equal(t, "7", ask(t, db, `SELECT notification_version FROM namespace_metadata WHERE partition_id = 7`))
	require.Equal(t, "wal", ask(t, db, `PRAGMA journal_mode`))
	require.Equal(t, "2", ask(t, db, `PRAGMA synchronous`))
	require.Equal(t, "10000", ask(t, db, `PRAGMA busy_timeout`))
	require.Equal(t, sqliteschema.Version, ask(t, db, `SELECT version FROM slipway_schema WHERE part LIKE '%temporal'`))
}

func TestMigrateUpgradesAnOlderFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	require.NoError(t, devserver.Migrate(t.Context(), path, quiet))
	db := open(t, path)
	// What versions 0.10 and 0.11 add.
	exec(t, db, `DROP TABLE tasks_v2; DROP TABLE task_queues_v2; DROP TABLE current_chasm_executions;
		UPDATE slipway_schema SET version = '0.9' WHERE part LIKE '%temporal'`)
	require.NoError(t, db.Close())

	require.NoError(t, devserver.Migrate(t.Context(), path, quiet))
	db = open(t, path)
	require.Equal(t, "3", ask(t, db, `SELECT count(*) FROM sqlite_master WHERE type = 'table'
		AND name IN ('tasks_v2', 'task_queues_v2', 'current_chasm_executions')`))
	require.Equal(t, sqliteschema.Version, ask(t, db, `SELECT version FROM slipway_schema WHERE part LIKE '%temporal'`))
}

func TestMigrateLeavesTheFileAsItWasWhenAStatementFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	require.NoError(t, devserver.Migrate(t.Context(), path, quiet))
	db := open(t, path)
	// 0.11 fails because its table is there; 0.10 has run by then.
	exec(t, db, `DROP TABLE tasks_v2; DROP TABLE task_queues_v2;
		UPDATE slipway_schema SET version = '0.9' WHERE part LIKE '%temporal'`)
	require.NoError(t, db.Close())

	require.ErrorContains(t, devserver.Migrate(t.Context(), path, quiet), "upgrade schema to 0.11")
	db = open(t, path)
	require.Equal(t, "0", ask(t, db, `SELECT count(*) FROM sqlite_master WHERE name = 'tasks_v2'`))
	require.Equal(t, "0.9", ask(t, db, `SELECT version FROM slipway_schema WHERE part LIKE '%temporal'`))
}

func TestMigrateRefusesFilesItMustNotTouch(t *testing.T) {
	t.Parallel()
	t.Run("a newer slipway's", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "t.db")
		require.NoError(t, devserver.Migrate(t.Context(), path, quiet))
		exec(t, open(t, path), `UPDATE slipway_schema SET version = '0.99' WHERE part LIKE '%temporal'`)
		require.ErrorContains(t, devserver.Migrate(t.Context(), path, quiet), "has schema version 0.99")
	})
	t.Run("another program's", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "t.db")
		exec(t, open(t, path), `CREATE TABLE mine (a INT)`)
		require.ErrorContains(t, devserver.Migrate(t.Context(), path, quiet), "was not made by slipway")
	})
}

func TestMigrateRebuildsVisibilityAndKeepsItsRows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	db := open(t, path)
	require.NoError(t, devserver.MigrateWith(t.Context(), db, olderVisibility(t)))
	exec(t, db, `INSERT INTO executions_visibility
		(namespace_id, run_id, start_time, execution_time, workflow_id, workflow_type_name, status, encoding, search_attributes)
		VALUES ('ns', 'run', '2026-01-01', '2026-01-01', 'deploy/1', 'Deploy', 1, 'proto3', '{"Keyword01":"p1","Text01":"some words"}')`)
	require.NoError(t, db.Close())

	require.NoError(t, devserver.Migrate(t.Context(), path, quiet))
	db = open(t, path)
	require.Equal(t, "p1", ask(t, db, `SELECT Keyword01 FROM executions_visibility WHERE workflow_id = 'deploy/1'`))
	require.Equal(t, "1", ask(t, db, `SELECT count(*) FROM executions_visibility_fts_text WHERE Text01 MATCH 'words'`))
	require.Equal(t, "0", ask(t, db, `SELECT count(*) FROM sqlite_master WHERE name LIKE '%_old'`))
	require.Equal(t, "1", ask(t, db, `SELECT count(*) FROM pragma_table_xinfo('executions_visibility') WHERE name = 'Keyword10'`))
	require.Equal(t, "1", ask(t, db, `SELECT count(*) FROM sqlite_master WHERE name = 'by_keyword_10'`))
}

// olderVisibility is the server's SQL without the attribute Keyword10, as an older server would have it.
func olderVisibility(t *testing.T) fs.FS {
	t.Helper()
	older := fstest.MapFS{}
	for _, name := range []string{"sqlite/v3/temporal/schema.sql", "sqlite/v3/visibility/schema.sql"} {
		b, err := fs.ReadFile(schema.Assets(), name)
		require.NoError(t, err)
		var kept []string
		for line := range strings.Lines(string(b)) {
			if !strings.Contains(line, "Keyword10") {
				kept = append(kept, line)
			}
		}
		older[name] = &fstest.MapFile{Data: []byte(strings.Join(kept, ""))}
	}
	return older
}

func TestVersionsAreOrderedByNumber(t *testing.T) {
	t.Parallel()
	got, err := devserver.VersionsBetween(schema.Assets(), "0.8", "0.11")
	require.NoError(t, err)
	require.Equal(t, []string{"0.9", "0.10", "0.11"}, got)
}

func TestRunReportsEveryFaultOfItsOptions(t *testing.T) {
	t.Parallel()
	err := devserver.Run(context.Background(), devserver.Options{Addr: "0.0.0.0:7233", UIAddr: "127.0.0.1"})
	for _, want := range []string{"data file", "namespace", "retention", "give a loopback address", "give host:port"} {
		require.ErrorContains(t, err, want)
	}
}
