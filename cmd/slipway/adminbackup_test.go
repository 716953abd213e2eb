package main

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/backup"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// onEmptyMachine sets what the commands find on a machine with an empty database, and returns its data directory.
func onEmptyMachine(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("SLIPWAY_DATA_DIR", dir)
	db := postgrestest.NewEmpty(t).Config().ConnConfig
	t.Setenv("SLIPWAY_DATABASE_URL", "postgres:///"+db.Database+"?user="+db.User+"&host="+url.QueryEscape(db.Host))
	return dir
}

func TestAdminBackupAndRestore(t *testing.T) {
	dir := onEmptyMachine(t)
	store, err := roles.OpenStore(t.Context(), config.Postgres{URL: os.Getenv("SLIPWAY_DATABASE_URL"), Keyset: filepath.Join(dir, "keyset.json")}, "localhost")
	require.NoError(t, err)
	defer store.Close()
	file := filepath.Join(t.TempDir(), "slipway.zip")
	who := &person{t: t}

	code, stdout, stderr := who.run("admin", "backup", file)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, file+" holds 0 projects, 0 environments and 0 deployments as of ")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	first, err := os.ReadFile(file)
	require.NoError(t, err)

	code, _, stderr = who.run("admin", "backup", file)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "is there already")
	require.Contains(t, stderr, "--force")
	same, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, first, same)
	code, stdout, stderr = who.run("admin", "backup", file, "--force", "--without-logs", "--output", "json")
	require.Zero(t, code, stderr)
	var m backup.Manifest
	require.NoError(t, json.Unmarshal([]byte(stdout), &m))
	require.True(t, m.WithoutLogs)
	code, toPipe, stderr := who.run("admin", "backup", "-")
	require.Zero(t, code, stderr)

	who.tune = func(c *cli) { c.screen.stdout = true }
	code, _, _ = who.run("admin", "backup", "-")
	require.Equal(t, exitUsage, code)
	who.tune = nil

	// One that cannot be made leaves nothing, and the one before as it was.
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	_, err = store.Pool().Exec(t.Context(), "ALTER TABLE log_lines RENAME TO elsewhere; ALTER TABLE log_heads RENAME TO heads")
	require.NoError(t, err)
	code, _, _ = who.run("admin", "backup", file, "--force", "--without-logs")
	require.Equal(t, exitError, code)
	left, err := filepath.Glob(file + "*")
	require.NoError(t, err)
	require.Equal(t, []string{file}, left)
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, before, after)

	code, _, stderr = who.run("admin", "restore", file)
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "fix: restore into a database without a schema")
	next := onEmptyMachine(t)
	code, stdout, stderr = (&person{t: t, stdin: toPipe}).run("admin", "restore", "-")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "restored 0 projects")
	require.Contains(t, stderr, "a new admin token lies in "+filepath.Join(next, "admin.token"))
	require.FileExists(t, filepath.Join(next, "keyset.json"))
	left, err = filepath.Glob(filepath.Join(next, "restore-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAdminRestore_SaysWhatIsWrongWithTheFile(t *testing.T) {
	dir := onEmptyMachine(t)
	file := filepath.Join(t.TempDir(), "slipway.zip")
	require.NoError(t, os.WriteFile(file, []byte("PK cut short"), 0o600))
	code, _, stderr := (&person{t: t}).run("admin", "restore", file)
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, file+": the file is no whole backup")
	require.Contains(t, stderr, "fix: take another backup")
	require.NoFileExists(t, filepath.Join(dir, "keyset.json"))
	code, _, stderr = (&person{t: t}).run("admin", "restore", file+".none")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "no such file")
}
