package disk_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/disk"
)

const mib = 1 << 20

// small is a file system of 16 MiB, and fill takes all of it but so many bytes.
func small(t *testing.T) (folder string, fill func(free int64)) {
	t.Helper()
	folder = t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=16m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, syscall.MNT_DETACH)) })
	return folder, func(free int64) {
		t.Helper()
		filler := filepath.Join(folder, "filler")
		require.NoError(t, os.RemoveAll(filler))
		require.NoError(t, os.WriteFile(filler, make([]byte, 16*mib-free), 0o600))
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	folder, fill := small(t)
	fill(5 * mib)
	for _, at := range []string{folder, filepath.Join(folder, "not", "there", "yet")} {
		usage, err := disk.Look(at)
		require.NoError(t, err)
		require.EqualValues(t, 5*mib, usage.Free)
		require.Positive(t, usage.InodesFree)
	}
	file := filepath.Join(folder, "filler")
	_, err := disk.Look(filepath.Join(file, "below a file"))
	require.ErrorContains(t, err, "look at the file system of "+file)
}

func TestWatch_IsLowUntilThereIsMoreThanTheLeast(t *testing.T) {
	t.Parallel()
	folder, fill := small(t)
	w := &disk.Watch{Folders: []string{t.TempDir(), folder}, Least: 5 * mib}
	for _, step := range []struct {
		free int64
		low  bool
	}{{6 * mib, false}, {5 * mib, false}, {4 * mib, true}, {5*mib + 4096, true}, {6 * mib, false}, {5*mib + 4096, false}} {
		fill(step.free)
		short, err := w.Look()
		require.NoError(t, err)
		if !step.low {
			require.Nil(t, short, "%d", step.free)
			continue
		}
		require.Equal(t, &disk.Shortage{Folder: folder, Free: uint64(step.free), Needed: 5*mib + mib/2}, short)
	}
}

func TestWatch_OfNothing(t *testing.T) {
	t.Parallel()
	folder, fill := small(t)
	fill(0)
	short, err := (&disk.Watch{Folders: []string{folder}}).Look()
	require.NoError(t, err)
	require.Nil(t, short, "it is off")

	short, err = (&disk.Watch{Folders: []string{filepath.Join(folder, "filler", "x"), folder}, Least: 1}).Look()
	require.Error(t, err)
	require.Equal(t, folder, short.Folder, "the others are looked at all the same")
}

func TestSize(t *testing.T) {
	t.Parallel()
	for bytes, words := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 kB", 2047: "1.99 kB", 3 << 30: "3 GB", 3<<30 - 1: "2.99 GB", 5 << 38: "1.25 TB", 1 << 60: "1024 PB",
	} {
		require.Equal(t, words, disk.Size(bytes))
	}
	require.Equal(t, "1.2 GB free of 3.3 GB needed", disk.Shortage{Free: 1_290_000_000, Needed: 3_543_400_000}.String())
}
