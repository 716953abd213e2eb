package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/tern/v2/migrate"

	"github.com/slipway-dev/slipway/internal/deployment"
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
	m, err := newMigrator(ctx, conn.Conn(), &migrate.MigratorOptions{})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
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

// newMigrator returns a migrator that knows every migration of this binary.
func newMigrator(ctx context.Context, conn *pgx.Conn, o *migrate.MigratorOptions) (*migrate.Migrator, error) {
	m, err := migrate.NewMigratorEx(ctx, conn, versionTable, o)
	if err != nil {
		return nil, fmt.Errorf("read version: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := m.LoadMigrations(files); err != nil {
		return nil, fmt.Errorf("load migrations: %w", err)
	}
	return m, nil
}

// CheckSchema reports whether the schema is the one that this binary works with, and changes nothing. It is for a process that
// starts: what a newer slipway has in mind with its schema, an older one does not know.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool) error {
	version, known, err := schemaVersion(ctx, pool)
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	if version < known {
		return fmt.Errorf("check schema: %w: it has version %d, this one needs %d; run `slipway migrate` first", ErrOlderSchema, version, known)
	}
	if err := notNewer(int32(version), known); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	return nil
}

// Schema reports whether the schema has what this process, which runs, needs. A newer one has: migrations only add what the
// release before does without, and take away what it no longer uses (ADR 32).
func (s *Store) Schema(ctx context.Context) error {
	version, known, err := schemaVersion(ctx, s.pool)
	if err == nil && version < known {
		err = deployment.PlatformFailure("schema.older", "run `slipway migrate` of this release",
			"%w: it has version %d, this one needs %d", ErrOlderSchema, version, known)
	}
	return at(err, "check schema")
}

// schemaVersion returns the version of the database, 0 when nobody has migrated it yet, and the one that this binary knows.
func schemaVersion(ctx context.Context, pool *pgxpool.Pool) (version, known int, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, 0, err
	}
	err = pool.QueryRow(ctx, "SELECT version FROM "+versionTable).Scan(&version)
	if code, ok := errors.AsType[*pgconn.PgError](err); ok && code.Code == undefinedTable {
		err = nil
	}
	return version, len(files), err
}

func notNewer(version int32, known int) error {
	if int(version) > known {
		return fmt.Errorf("%w: it has version %d, known are %d; start a newer slipway", ErrNewerSchema, version, known)
	}
	return nil
}
