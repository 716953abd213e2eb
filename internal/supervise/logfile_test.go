package supervise_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/supervise"
)

// A process that writes to its own log loses nothing when the file changes under it, its panic least of all.
func TestOwnLog_LosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "own.log")
	require.NoError(t, os.WriteFile(path, []byte("before\n"), 0o640))
	require.NoError(t, os.Chmod(path, 0o640))
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, path)
	cmd.Env = append(os.Environ(), roleVariable+"=talker")
	var outside strings.Builder
	cmd.Stdout, cmd.Stderr = &outside, &outside
	require.Error(t, cmd.Run(), "it panics")
	require.Empty(t, outside.String())

	now, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(now), "panic: last words")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm(), "who could read the log before can read it still")
	before, err := os.ReadFile(path + ".1")
	require.NoError(t, err)
	all := string(before) + string(now)
	require.True(t, strings.HasPrefix(all, "before\n"))
	for n := range 50 {
		require.Equal(t, 3, strings.Count(all, fmt.Sprintf("line %d\n", n)), "line %d", n)
	}
}

func TestShiftLogs_KeepsThree(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.log")
	for n := range 6 {
		require.NoError(t, os.WriteFile(path, []byte{byte('0' + n)}, 0o600))
		require.NoError(t, supervise.ShiftLogs(path))
	}
	for n, want := range map[string]string{".1": "5", ".2": "4", ".3": "3"} {
		kept, err := os.ReadFile(path + n)
		require.NoError(t, err)
		require.Equal(t, want, string(kept))
	}
	left, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Len(t, left, 3)
}
