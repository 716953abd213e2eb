package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/supervise"
)

func TestLockNamesItsHolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	held, err := supervise.Lock(dir)
	require.NoError(t, err)
	_, err = supervise.Lock(dir)
	require.ErrorContains(t, err, fmt.Sprintf("in use by the slipway-dev process %d", os.Getpid()))
	require.NoError(t, held.Unlock())
	require.NoFileExists(t, filepath.Join(dir, "slipway-dev.pid"))

	again, err := supervise.Lock(dir)
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), pidIn(t, filepath.Join(dir, "slipway-dev.pid")))
	require.NoError(t, again.Unlock())
}

func TestLockOfAKilledProcessIsFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kill := play(t, "holder", dir)
	_, err := supervise.Lock(dir)
	require.ErrorContains(t, err, "in use")
	kill()
	held, err := supervise.Lock(dir)
	require.NoError(t, err)
	require.NoError(t, held.Unlock())
}
