//go:build !race

package devserver

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
)

// Migrate opens the door to the migration: through Run a test could not choose the file's age.
var Migrate = migrate

// OpenFile opens a data file as the migration does.
var OpenFile = openFile

// VersionsBetween opens the door to the choice of migrations.
var VersionsBetween = versionsBetween

// MigrateWith migrates with the SQL of assets instead of the server module's.
func MigrateWith(ctx context.Context, db *sql.DB, assets fs.FS) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := migrateTx(ctx, tx, assets, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	return tx.Commit()
}
