//go:build !race

package devserver

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"

	"go.temporal.io/server/schema"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	_ "modernc.org/sqlite" // the driver that the server uses too
)

// The server's SQL, as its module ships it.
const (
	mainDir       = "sqlite/v3/temporal"
	visibilityDir = "sqlite/v3/visibility"
)

// versionTable is slipway's own: the server keeps no schema version in SQLite.
const versionTable = `CREATE TABLE slipway_schema (part TEXT PRIMARY KEY, version TEXT NOT NULL)`

// migrate makes a new file or brings an older one to the schema that this server expects, in one transaction: a process
// that is killed in the middle leaves the file as it was. A file that a newer slipway made, or another program, is refused.
func migrate(ctx context.Context, dataFile string, log *slog.Logger) error {
	db, err := openFile(dataFile)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := migrateTx(ctx, tx, schema.Assets(), log); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return os.Chmod(dataFile, 0o600) // workflow inputs are nobody else's business
}

// openFile opens one connection with the server's pragmas.
func openFile(dataFile string) (*sql.DB, error) {
	abs, err := filepath.Abs(dataFile)
	if err != nil {
		return nil, err
	}
	query := url.Values{"_txlock": {"immediate"}}
	for k, v := range pragmas() {
		query.Add("_pragma", k+"="+v)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: abs}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// migrateTx does migrate's work with the SQL of assets.
func migrateTx(ctx context.Context, tx *sql.Tx, assets fs.FS, log *slog.Logger) error {
	visibility, err := fs.ReadFile(assets, path.Join(visibilityDir, "schema.sql"))
	if err != nil {
		return err
	}
	digest := sha256.Sum256(visibility)
	visibilityVersion := hex.EncodeToString(digest[:])
	tables, err := columnOf(ctx, tx, `SELECT name FROM sqlite_master WHERE type = 'table'`)
	if err != nil {
		return err
	}
	if len(tables) == 0 {
		return create(ctx, tx, assets, visibility, visibilityVersion)
	}
	if !slices.Contains(tables, "slipway_schema") {
		return errors.New("was not made by slipway: move it away, or name another file")
	}
	if err := upgradeMain(ctx, tx, assets, log); err != nil {
		return err
	}
	have, err := readVersion(ctx, tx, visibilityDir)
	if err != nil || have == visibilityVersion {
		return err
	}
	log.InfoContext(ctx, "rebuilding the visibility table of the temporal server for its new schema")
	if err := rebuildVisibility(ctx, tx, string(visibility)); err != nil {
		return fmt.Errorf("rebuild visibility: %w", err)
	}
	return writeVersion(ctx, tx, visibilityDir, visibilityVersion)
}

// create sets an empty file up.
func create(ctx context.Context, tx *sql.Tx, assets fs.FS, visibility []byte, visibilityVersion string) error {
	main, err := fs.ReadFile(assets, path.Join(mainDir, "schema.sql"))
	if err != nil {
		return err
	}
	for _, statements := range []string{string(main), string(visibility), versionTable} {
		if _, err := tx.ExecContext(ctx, statements); err != nil {
			return fmt.Errorf("create schema: %w", err)
		}
	}
	return errors.Join(
		writeVersion(ctx, tx, mainDir, sqliteschema.Version),
		writeVersion(ctx, tx, visibilityDir, visibilityVersion),
	)
}

// upgradeMain applies the versions between the file's and the server's, in order.
func upgradeMain(ctx context.Context, tx *sql.Tx, assets fs.FS, log *slog.Logger) error {
	have, err := readVersion(ctx, tx, mainDir)
	if err != nil {
		return err
	}
	todo, err := versionsBetween(assets, have, sqliteschema.Version)
	if err != nil {
		return err
	}
	for _, v := range todo {
		log.InfoContext(ctx, "upgrading the temporal server's data file", "version", v)
		if err := applyVersion(ctx, tx, assets, v); err != nil {
			return fmt.Errorf("upgrade schema to %s: %w", v, err)
		}
	}
	return writeVersion(ctx, tx, mainDir, sqliteschema.Version)
}

// applyVersion runs the files that a version's manifest names.
func applyVersion(ctx context.Context, tx *sql.Tx, assets fs.FS, v string) error {
	dir := path.Join(mainDir, "versioned", "v"+v)
	raw, err := fs.ReadFile(assets, path.Join(dir, "manifest.json"))
	if err != nil {
		return err
	}
	var manifest struct {
		SchemaUpdateCqlFiles []string
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return err
	}
	for _, name := range manifest.SchemaUpdateCqlFiles {
		statements, err := fs.ReadFile(assets, path.Join(dir, name))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(statements)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func readVersion(ctx context.Context, tx *sql.Tx, part string) (string, error) {
	var v string
	if err := tx.QueryRowContext(ctx, `SELECT version FROM slipway_schema WHERE part = ?`, part).Scan(&v); err != nil {
		return "", fmt.Errorf("read schema version of %s: %w", part, err)
	}
	return v, nil
}

func writeVersion(ctx context.Context, tx *sql.Tx, part, v string) error {
	_, err := tx.ExecContext(ctx, `REPLACE INTO slipway_schema (part, version) VALUES (?, ?)`, part, v)
	return err
}
