package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Table is a table of the schema with the columns that hold something of their own.
type Table struct {
	Name    string
	Columns []string
}

// Snapshot is what the database holds at one moment, whatever is written meanwhile.
type Snapshot struct {
	Schema       int // version
	Installation string
	TakenAt      time.Time
	tx           pgx.Tx
	q            *db.Queries
}

// plainText makes the texts of values the same on every server, and lets a transaction last as long as it takes.
const plainText = `SET LOCAL client_encoding = 'UTF8'; SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC';
	SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1;
	SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`

// Snapshot calls do with the database as it is now. Nobody waits for it.
func (s *Store) Snapshot(ctx context.Context, do func(*Snapshot) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return at(pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		snapshot := &Snapshot{tx: tx, q: db.New(tx)}
		if _, err := tx.Exec(ctx, plainText); err != nil {
			return err
		}
		// The first look at a table is what fixes the moment.
		if err := tx.QueryRow(ctx, "SELECT version, clock_timestamp() FROM "+versionTable).Scan(&snapshot.Schema, &snapshot.TakenAt); err != nil {
			return err
		}
		snapshot.TakenAt = snapshot.TakenAt.UTC()
		var err error
		snapshot.Installation, err = snapshot.q.Installation(ctx)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) { // no worker has needed one yet
			return err
		}
		return do(snapshot)
	}), "read a snapshot")
}

// Tables lists the tables that there are, without those of logs if they are to be left out. They come from the catalogue, so that
// none of a later migration is forgotten, and keep their form until the snapshot ends.
func (s *Snapshot) Tables(ctx context.Context, logs bool) ([]Table, error) {
	tables, err := tablesOf(ctx, s.tx)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	if !logs {
		if tables, err = withoutLogs(ctx, s.tx, tables); err != nil {
			return nil, fmt.Errorf("list tables of logs: %w", err)
		}
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.quoted()
	}
	_, err = s.tx.Exec(ctx, "LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS SHARE MODE")
	return tables, err
}

// tablesOf lists the tables in alphabetical order. The version of the schema is told apart, and what an extension brings is not
// slipway's.
func tablesOf(ctx context.Context, tx pgx.Tx) ([]Table, error) {
	rows, err := tx.Query(ctx, `
		SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)
		  FROM pg_class c
		  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.oid IS DISTINCT FROM to_regclass($1)::oid
		   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		 GROUP BY c.oid, c.relname
		 ORDER BY c.relname COLLATE "C"`, versionTable)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Table])
}

// withoutLogs leaves out the heads of logs and all that refers to one.
func withoutLogs(ctx context.Context, tx pgx.Tx, tables []Table) ([]Table, error) {
	rows, err := tx.Query(ctx, `
		WITH RECURSIVE logs AS (
		    SELECT 'public.log_heads'::regclass::oid AS id
		    UNION
		    SELECT f.conrelid FROM pg_constraint f JOIN logs ON logs.id = f.confrelid WHERE f.contype = 'f')
		SELECT c.relname::text FROM logs JOIN pg_class c ON c.oid = logs.id`)
	if err != nil {
		return nil, err
	}
	logs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return slices.DeleteFunc(tables, func(t Table) bool { return slices.Contains(logs, t.Name) }), err
}

// CopyOut writes the rows of a table in the text format of COPY, and counts them.
func (s *Snapshot) CopyOut(ctx context.Context, t Table, into io.Writer) (int64, error) {
	tag, err := s.tx.Conn().PgConn().CopyTo(ctx, into, "COPY "+t.quoted()+" ("+t.columns()+") TO STDOUT")
	return tag.RowsAffected(), err
}

// SealedBy counts the secrets by the key that has sealed them, as Store.SealedBy does.
func (s *Snapshot) SealedBy(ctx context.Context, length int) (map[string]int, error) {
	return sealedBy(ctx, s.q, length)
}

// KeptImage is an image that something live runs, or that an environment can go back to.
type KeptImage struct {
	Image       string `json:"image"` // name@digest, without the registry
	Live        bool   `json:"live"`
	Project     string `json:"project"`
	Environment string `json:"environment"`
	Deployment  int    `json:"deployment"`
	Commit      string `json:"commit"`
}

// Images lists the images that live environments and rollbacks need.
func (s *Snapshot) Images(ctx context.Context) ([]KeptImage, error) {
	rows, err := s.q.KeptImages(ctx)
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	images := make([]KeptImage, len(rows))
	for i, r := range rows {
		images[i] = KeptImage{
			Image: r.Image + "@" + r.ImageDigest, Live: r.Live, Project: r.Project, Environment: r.Environment,
			Deployment: int(r.Number), Commit: r.Commit,
		}
	}
	return images, nil
}

func (t Table) quoted() string { return pgx.Identifier{"public", t.Name}.Sanitize() }

func (t Table) columns() string {
	names := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		names[i] = pgx.Identifier{name}.Sanitize()
	}
	return strings.Join(names, ", ")
}
