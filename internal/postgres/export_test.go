package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// At is what the store makes of an error, for tests.
func At(err error) error { return at(err, "test") }

// MigrateTo makes the schema of an earlier slipway.
func MigrateTo(ctx context.Context, pool *pgxpool.Pool, version int) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		m, err := migratorIn(ctx, tx)
		if err != nil {
			return err
		}
		return m.MigrateTo(ctx, int32(version)) //nolint:gosec // a small number
	})
}

// LoadAlone fills an empty database as Restore does, and leaves every row as it was.
func LoadAlone(ctx context.Context, pool *pgxpool.Pool, d Dump) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		m, err := migratorIn(ctx, tx)
		if err != nil {
			return err
		}
		if err := m.MigrateTo(ctx, int32(d.Schema)); err != nil { //nolint:gosec // a small number
			return err
		}
		_, err = load(ctx, tx, d, nil)
		return err
	})
}
