package gitservetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

// Git finds nothing wrong with what was put together, its checksum and name included.
func TestZerosAreAFile(t *testing.T) {
	t.Parallel()
	repo := gitservetest.New(t, gitserve.Options{}).Repo(t, "zeros")
	id := gitservetest.Zeros(t, repo, 2)
	out, err := repo.Git(t.Context(), nil, nil, "fsck", "--strict", "--full", "--no-dangling")
	require.NoError(t, err, out)
	size, err := repo.Git(t.Context(), nil, nil, "cat-file", "-s", id)
	require.NoError(t, err)
	require.Equal(t, "134217728", size)
}
