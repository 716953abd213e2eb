package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// detach takes the foreign keys of tables away and stops their triggers, so that they can be filled one after the other although
// they refer to each other. What it returns puts both back; the keys are checked then.
func detach(ctx context.Context, tx pgx.Tx, tables []Table) (attach func() error, err error) {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.quoted()
	}
	rows, err := tx.Query(ctx, `
		SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
		  FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY ($1::text[]::regclass[])
		 ORDER BY conrelid, conname`, names)
	if err != nil {
		return nil, err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Table, Name, Definition string }])
	if err != nil {
		return nil, err
	}
	var off, on []string
	for _, k := range keys {
		off = append(off, "ALTER TABLE "+k.Table+" DROP CONSTRAINT "+k.Name)
		on = append(on, "ALTER TABLE "+k.Table+" ADD CONSTRAINT "+k.Name+" "+k.Definition)
	}
	for _, name := range names {
		off = append(off, "ALTER TABLE "+name+" DISABLE TRIGGER USER")
		on = append(on, "ALTER TABLE "+name+" ENABLE TRIGGER USER")
	}
	return func() error { return execAll(ctx, tx, on) }, execAll(ctx, tx, off)
}

// countOn lets the columns that number rows by themselves go on after the highest number that was filled in.
func countOn(ctx context.Context, tx pgx.Tx, tables []Table) error {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.quoted()
	}
	rows, err := tx.Query(ctx, `
		SELECT format('SELECT setval(pg_get_serial_sequence(%L, %L), max(%I)) FROM %s',
		              a.attrelid::regclass, a.attname, a.attname, a.attrelid::regclass)
		  FROM pg_attribute a WHERE a.attidentity <> '' AND NOT a.attisdropped AND a.attrelid = ANY ($1::text[]::regclass[])`, names)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	return execAll(ctx, tx, statements)
}

func execAll(ctx context.Context, tx pgx.Tx, statements []string) error {
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
