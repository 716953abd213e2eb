package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheNewestMigrationHoldsTheTable(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../migrations/*_transitions.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	newest, err := os.ReadFile(slices.Max(files))
	require.NoError(t, err)
	require.Equal(t, transitionsSQL(), string(newest),
		"write the next migration: go run ./internal/postgres/gen > internal/postgres/migrations/NNNN_transitions.sql")
}
