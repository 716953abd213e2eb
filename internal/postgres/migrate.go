package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/tern/v2/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

const versionTable = "public.schema_version"

// undefinedTable is Postgres' code for a table that does not exist.
const undefinedTable = "42P01"

// ErrNewerSchema means that a newer slipway has migrated the database; this one would write what that one cannot read.
var ErrNewerSchema = errors.New("schema is newer than this slipway")

// ErrOlderSchema means that the database has not been prepared for this slipway yet.
var ErrOlderSchema = errors.New("schema is older than this slipway")

// Migrate brings the schema up to date, each migration in a transaction. Any number of processes may call it at once:
// an advisory lock lets one work while the others wait. A schema newer than this binary knows is ErrNewerSchema.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer conn.Release()
	m, err := migrate.NewMigrator(ctx, conn.Conn(), versionTable)
	if err != nil {
		return fmt.Errorf("migrate: read version: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := m.LoadMigrations(files); err != nil {
		return fmt.Errorf("migrate: load migrations: %w", err)
	}
	version, err := m.GetCurrentVersion(ctx)
	if err != nil {
		return fmt.Errorf("migrate: read version: %w", err)
	}
	if err := notNewer(version, len(m.Migrations)); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := m.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// CheckSchema reports whether the schema is the one that this binary works with, and changes nothing.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	var version int32
	err = pool.QueryRow(ctx, "SELECT version FROM "+versionTable).Scan(&version)
	if code := (*pgconn.PgError)(nil); errors.As(err, &code) && code.Code == undefinedTable {
		err = nil // nobody has migrated yet
	}
	if err != nil {
		return fmt.Errorf("check schema: read version: %w", err)
	}
	if int(version) < len(files) {
		return fmt.Errorf("check schema: %w: it has version %d, this one needs %d; run `slipway migrate` first", ErrOlderSchema, version, len(files))
	}
	if err := notNewer(version, len(files)); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	return nil
}

func notNewer(version int32, known int) error {
	if int(version) > known {
		return fmt.Errorf("%w: it has version %d, known are %d; start a newer slipway", ErrNewerSchema, version, known)
	}
	return nil
}
