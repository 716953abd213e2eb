package testbed_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

const parentVariable = "SLIPWAY_TEST_PARENT"

// TestMain is also the program that the test kills: it starts a child, says that it did, and waits.
func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) == "" {
		os.Exit(m.Run())
	}
	child := exec.Command("sleep", "600")
	child.Stdout = os.Stdout // whoever reads it learns when the last holder has ended
	exited, err := testbed.Start(child, syscall.SIGKILL)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, "started")
	<-exited
}

func TestStart_EndsWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentVariable+"=1")
	output, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	word := make([]byte, len("started\n"))
	_, err = io.ReadFull(output, word)
	require.NoError(t, err)
	require.NoError(t, parent.Process.Kill())
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, output)
		ended <- err
	}()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		require.Fail(t, "the child outlives its parent")
	}
	require.Error(t, parent.Wait(), "it was killed")
}

func TestStart_TellsTheEnd(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", "exit 3")
	exited, err := testbed.Start(cmd, syscall.SIGKILL)
	require.NoError(t, err)
	<-exited
	require.Equal(t, 3, cmd.ProcessState.ExitCode())
}

func TestStart_OfAProgramThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := testbed.Start(exec.Command("/nowhere"), syscall.SIGKILL)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestBinary(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("SLIPWAY_CACHE", cache)
	t.Setenv("SLIPWAY_TEST_PROGRAM", "")
	_, err := testbed.Binary("no-such-program", "SLIPWAY_TEST_PROGRAM")
	require.ErrorContains(t, err, "make build")

	kept := filepath.Join(cache, "bin", "no-such-program")
	require.NoError(t, os.Mkdir(filepath.Dir(kept), 0o755))
	require.NoError(t, os.WriteFile(kept, nil, 0o755))
	path, err := testbed.Binary("no-such-program", "SLIPWAY_TEST_PROGRAM")
	require.NoError(t, err)
	require.Equal(t, kept, path)

	t.Setenv("SLIPWAY_TEST_PROGRAM", "/named/by/hand")
	path, err = testbed.Binary("no-such-program", "SLIPWAY_TEST_PROGRAM")
	require.NoError(t, err)
	require.Equal(t, "/named/by/hand", path)
}
