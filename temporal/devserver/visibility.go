//go:build !race

package devserver

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

const visibilityTable = "executions_visibility"

// rebuildVisibility replaces the visibility table by one of the given schema and keeps the rows. The server's module
// changes that schema without versions, so the columns that both tables store are copied; generated columns and the
// full-text tables follow from them.
func rebuildVisibility(ctx context.Context, tx *sql.Tx, schema string) error {
	if err := dropAround(ctx, tx); err != nil {
		return err
	}
	const old = visibilityTable + "_old"
	if _, err := tx.ExecContext(ctx, "ALTER TABLE "+visibilityTable+" RENAME TO "+old); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	before, err := storedColumns(ctx, tx, old)
	if err != nil {
		return err
	}
	after, err := storedColumns(ctx, tx, visibilityTable)
	if err != nil {
		return err
	}
	common := strings.Join(slices.DeleteFunc(after, func(c string) bool { return !slices.Contains(before, c) }), ", ")
	_, err = tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", visibilityTable, common, common, old))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DROP TABLE "+old)
	return err
}

// dropAround drops the triggers, indexes and full-text tables of the visibility table, whose names the new ones take.
func dropAround(ctx context.Context, tx *sql.Tx) error {
	drops, err := columnOf(ctx, tx, `
		SELECT 'DROP ' || type || ' ' || name FROM sqlite_master
		WHERE tbl_name = ? AND type IN ('trigger', 'index') AND sql IS NOT NULL`, visibilityTable)
	if err != nil {
		return err
	}
	fullText, err := columnOf(ctx, tx, `
		SELECT 'DROP TABLE ' || name FROM sqlite_master
		WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%' AND name LIKE ? || '%'`, visibilityTable)
	if err != nil {
		return err
	}
	for _, statement := range append(drops, fullText...) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// storedColumns lists a table's columns without the generated ones.
func storedColumns(ctx context.Context, tx *sql.Tx, table string) ([]string, error) {
	return columnOf(ctx, tx, `SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0`, table)
}

// columnOf returns the only column of a query's rows.
func columnOf(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
