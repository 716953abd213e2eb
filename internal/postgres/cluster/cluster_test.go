package cluster_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/postgres/cluster"
)

// The data directory lies below a folder that only its owner may enter, as /root is.
func TestCluster_RunsBelowAClosedFolder(t *testing.T) {
	t.Parallel()
	closed := t.TempDir()
	require.NoError(t, os.Chmod(closed, 0o700))
	socket, err := os.MkdirTemp("/tmp", "slipway-cluster-") //nolint:usetesting // t.TempDir's names are too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(socket)) })

	c, err := cluster.Find("", filepath.Join(closed, "postgres"), socket, "fsync=off")
	require.NoError(t, err)
	require.NoError(t, c.Init(t.Context()))
	require.NoError(t, c.Init(t.Context()), "a cluster that is there is left alone")

	server := exec.Command(c.Path(), c.Args()...)
	server.SysProcAttr = &syscall.SysProcAttr{Credential: c.Account(), AmbientCaps: c.Capabilities()}
	server.Dir = "/"
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		require.NoError(t, server.Process.Signal(syscall.SIGQUIT))
		_ = server.Wait() // SIGQUIT is a failure to it
	})
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return c.Ready(ctx) == nil
	}, 30*time.Second, 50*time.Millisecond)
	require.NoError(t, c.EnsureDatabase(t.Context(), "slipway"))
	require.NoError(t, c.EnsureDatabase(t.Context(), "slipway"), "a database that is there is left alone")
}

func TestCluster_RefusesDataOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("9\n"), 0o600))
	c, err := cluster.Find("", dir, t.TempDir())
	require.NoError(t, err)
	require.ErrorContains(t, c.Init(t.Context()), "was made by Postgres 9")
}

func TestFind_TakesTheBinariesThatAreNamed(t *testing.T) {
	t.Parallel()
	found, err := cluster.Find("", "", "")
	require.NoError(t, err)
	named := filepath.Join(t.TempDir(), "bin")
	require.NoError(t, os.Symlink(filepath.Dir(found.Path()), named))
	c, err := cluster.Find(named, "", "")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(named, "postgres"), c.Path())

	_, err = cluster.Find(t.TempDir(), "", "")
	require.ErrorContains(t, err, "name the folder that holds initdb and postgres")
}
