package scratch_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/scratch"
)

// rootVariable makes the test binary a process that opens a folder, names it and stays.
const rootVariable = "SCRATCH_TEST_ROOT"

func TestMain(m *testing.M) {
	root := os.Getenv(rootVariable)
	if root == "" {
		os.Exit(m.Run())
	}
	dir, err := scratch.Open(root)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(os.Stdout, dir.Path+"\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = dir.Close()
}

// process starts one and returns it with its folder, in which a file lies.
func process(t *testing.T, root string) (_ *exec.Cmd, stdin io.Closer, path string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), rootVariable+"="+root)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	path = said[:len(said)-1]
	require.NoError(t, os.WriteFile(filepath.Join(path, "source.py"), nil, 0o600))
	return cmd, in, path
}

func TestOpen_RemovesWhatAKilledProcessLeft(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "tmp")
	killed, _, left := process(t, root)
	_, _, alive := process(t, root)
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	require.FileExists(t, filepath.Join(left, "source.py"))

	own, err := scratch.Open(root)
	require.NoError(t, err)
	require.NoDirExists(t, left)
	require.FileExists(t, filepath.Join(alive, "source.py"), "whose process goes on")
	require.NoError(t, own.Close())
	require.NoDirExists(t, own.Path)
}

func TestClose_LeavesNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	cmd, stdin, path := process(t, root)
	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait())
	require.NoDirExists(t, path)
}

func TestOpen_ManyAtOnceDoNotTakeOneAnothers(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var all sync.WaitGroup
	dirs := make([]*scratch.Dir, 16)
	errs := make([]error, len(dirs))
	for i := range dirs {
		all.Go(func() { dirs[i], errs[i] = scratch.Open(root) })
	}
	all.Wait()
	for i, dir := range dirs {
		require.NoError(t, errs[i])
		require.DirExists(t, dir.Path)
	}
	for _, dir := range dirs {
		require.NoError(t, dir.Close())
	}
	left, err := filepath.Glob(filepath.Join(root, "process-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestOpen_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := scratch.Open(filepath.Join(file, "tmp"))
	require.ErrorContains(t, err, "make folder for temporary files")
}
