package privatefile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/privatefile"
)

func TestCreateAndReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	require.NoError(t, privatefile.Create(path, []byte("one")))
	require.ErrorIs(t, privatefile.Create(path, []byte("two")), fs.ErrExist)
	data, info, err := privatefile.Read(path)
	require.NoError(t, err)
	require.Equal(t, "one", string(data))
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	require.NoError(t, privatefile.Replace(path, []byte("three")))
	data, _, err = privatefile.Read(path)
	require.NoError(t, err)
	require.Equal(t, "three", string(data))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing else is left behind")
	require.ErrorIs(t, privatefile.Create(filepath.Join(dir, "no", "key"), nil), fs.ErrNotExist)
}

func TestOfManyThatCreateOneDoes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	var made atomic.Int32
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			if privatefile.Create(path, []byte("x")) == nil {
				made.Add(1)
			}
		})
	}
	wait.Wait()
	require.EqualValues(t, 1, made.Load())
}

// A draft that was not finished leaves the file as it was.
func TestADraftIsNothingYet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "backup")
	d, err := privatefile.New(path)
	require.NoError(t, err)
	_, err = d.WriteString("half")
	require.NoError(t, err)
	require.NoFileExists(t, path)
	d.Discard()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestReadRefusesWhatOthersMayRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, nil, 0o640))
	_, _, err := privatefile.Read(path)
	require.ErrorContains(t, err, "chmod it to 0600")
}

// The tests run as root, as `sudo slipway admin …` does, and the service as somebody else.
func TestWhatRootWritesBelongsToTheServiceThatReadsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chown(dir, 1234, 2345))
	path := filepath.Join(dir, "key")
	require.NoError(t, privatefile.Create(path, nil))
	require.Equal(t, [2]uint32{1234, 2345}, owner(t, path), "the folder's")
	require.NoError(t, os.Chown(path, 3456, 4567))
	require.NoError(t, privatefile.Replace(path, nil))
	require.Equal(t, [2]uint32{3456, 4567}, owner(t, path), "that of the file before")
}

func owner(t *testing.T, path string) [2]uint32 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	stat := info.Sys().(*syscall.Stat_t)
	return [2]uint32{stat.Uid, stat.Gid}
}
