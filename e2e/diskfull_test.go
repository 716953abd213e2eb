package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Not parallel: while the disk is nearly full no other build would be safe. What fills it is a file of the test's, so that the machine's own
// disk is left in peace; what is ended is the build that has written most.
func TestABuildThatFillsTheDiskIsEnded(t *testing.T) {
	require.NoError(t, syscall.Mount("tmpfs", dev.tight, "tmpfs", 0, "size=256m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dev.tight, syscall.MNT_DETACH)) })
	beside := deploy(t, createProject(t, "disk-beside", dev.repo("slow-build"), map[string]any{"build_command": "echo beside has begun; sleep 15"}), map[string]any{"force": true})
	filling := deploy(t, createProject(t, "disk-filling", dev.repo("slow-build"), map[string]any{
		"build_command": "dd if=/dev/zero of=/filler bs=1M count=200; echo filling has begun; sleep 600",
	}), map[string]any{"force": true})
	waitForLine(t, beside, "beside has begun")
	waitForLine(t, filling, "filling has begun")
	full := filepath.Join(dev.tight, "full")
	require.NoError(t, os.WriteFile(full, make([]byte, 230<<20), 0o600))

	d := waitEnd(t, filling, "failed")
	require.NoError(t, os.Remove(full))
	require.Equal(t, "build.disk_exceeded", d.Failure.Code, explain(d))
	require.Equal(t, "user", string(d.Failure.Class))
	require.Contains(t, strings.Join(d.Failure.Lines, "\n"), "filling has begun")
	requireNothingLeft(t, filling)
	ready := waitEnd(t, beside, "ready")
	status, _ := dev.get(t, ready.PreviewURL)
	require.Equal(t, http.StatusOK, status)
}
