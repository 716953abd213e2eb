package backup_test

import (
	"archive/zip"
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/backup"
	"github.com/slipway-dev/slipway/internal/deployment"
)

var (
	noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	rows = bytes.Repeat([]byte("1\tone\n2\ttwo\n"), 10_000)
)

// written is a backup of one table.
func written(t *testing.T) ([]byte, backup.Manifest) {
	t.Helper()
	var file bytes.Buffer
	w := backup.NewWriter(&file, backup.Manifest{Version: "1.2.3", Schema: 7, Installation: "0123456789ab", TakenAt: noon, PreviewDomain: "localhost"})
	require.NoError(t, w.Add(backup.Keyset, []byte("keys")))
	require.NoError(t, w.AddTable(backup.Table{Name: "projects", Columns: []string{"id", "name"}}, func(into io.Writer) (int64, error) {
		_, err := into.Write(rows)
		return 20_000, err
	}))
	m, err := w.Finish()
	require.NoError(t, err)
	return file.Bytes(), m
}

func open(data []byte) (*backup.Backup, error) {
	return backup.Open(bytes.NewReader(data), int64(len(data)))
}

func TestWrittenAndRead(t *testing.T) {
	t.Parallel()
	file, m := written(t)
	b, err := open(file)
	require.NoError(t, err)
	require.Equal(t, m, b.Manifest)
	require.Equal(t, backup.Format, b.Format)
	require.EqualValues(t, 20_000, b.Rows("projects"))
	require.Zero(t, b.Rows("deployments"))
	keys, err := b.Read(backup.Keyset)
	require.NoError(t, err)
	require.Equal(t, "keys", string(keys))
	require.False(t, b.Has(backup.PlanOverrides))
	table, err := b.Table("projects")
	require.NoError(t, err)
	defer table.Close()
	data, err := io.ReadAll(table)
	require.NoError(t, err)
	require.Equal(t, rows, data)

	parts, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	for _, part := range parts.File {
		require.EqualValues(t, 0o600, part.Mode(), "%s", part.Name)
	}
}

// requireRefused checks that people are told what is wrong, and what to do.
func requireRefused(t *testing.T, data []byte, code string) {
	t.Helper()
	_, err := open(data)
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, code, f.Code)
	require.NotEmpty(t, f.Fix)
}

// A backup that was cut anywhere, or of which a byte is another, is not read.
func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	file, _ := written(t)
	for range 100 {
		requireRefused(t, file[:rand.IntN(len(file))], "backup.damaged")
	}
	middle := bytes.Index(file, []byte("tables/projects.copy")) + len("tables/projects.copy") + 100
	file[middle] ^= 1
	requireRefused(t, file, "backup.damaged")
	requireRefused(t, nil, "backup.damaged")
	requireRefused(t, []byte("-- PostgreSQL database dump"), "backup.damaged")
}

// A zip of something else, and one from which somebody has taken a table.
func TestMissingPartsAreSeen(t *testing.T) {
	t.Parallel()
	file, _ := written(t)
	whole, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	for _, missing := range []string{"manifest.json", "tables/projects.copy"} {
		var other bytes.Buffer
		w := zip.NewWriter(&other)
		for _, part := range whole.File {
			if part.Name != missing {
				require.NoError(t, w.Copy(part))
			}
		}
		require.NoError(t, w.Close())
		requireRefused(t, other.Bytes(), "backup.damaged")
	}
}

func TestLaterFormatIsRefused(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	part, err := w.Create("manifest.json")
	require.NoError(t, err)
	_, err = part.Write([]byte(`{"format": 2, "slipway_version": "9.0.0"}`))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	requireRefused(t, file.Bytes(), "backup.format")
}
