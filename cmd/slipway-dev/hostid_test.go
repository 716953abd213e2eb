package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStableHostID(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "host.id")
	id, err := stableHostID(path, "first")
	require.NoError(t, err)
	require.Equal(t, "first", id)
	id, err = stableHostID(path, "renamed")
	require.NoError(t, err)
	require.Equal(t, "first", id, "a machine that was renamed keeps its previews")
}
