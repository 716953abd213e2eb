package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
)

func TestSudoCaller(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		uid, gid string
		want     caller
		any      bool
	}{
		{"1000", "1001", caller{1000, 1001}, true},
		{"0", "0", caller{}, false}, // root used sudo
		{"", "", caller{}, false},
		{"x", "1", caller{}, false},
		{"1000", "", caller{}, false},
	} {
		env := map[string]string{"SUDO_UID": test.uid, "SUDO_GID": test.gid}
		got, any := sudoCaller(func(name string) string { return env[name] })
		require.Equal(t, test.any, any, "%v", test)
		if any {
			require.Equal(t, test.want, got)
		}
	}
}

func TestHandOverGivesTheTokenAndTheLogsAndNothingElse(t *testing.T) {
	t.Parallel()
	p := paths{config.Dev{DataDir: t.TempDir()}}
	require.NoError(t, os.Chmod(p.DataDir, 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(p.DataDir, "log"), 0o700))
	for _, file := range []string{p.token(), p.log("postgres"), filepath.Join(p.DataDir, "keyset.json")} {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
	}
	for range 2 { // each `up` does it
		require.NoError(t, p.handOver(caller{1234, 2345}))
	}
	for path, want := range map[string]struct {
		uid, gid uint32
		mode     fs.FileMode
	}{
		p.DataDir:                               {0, 2345, 0o750},
		p.token():                               {1234, 2345, 0o600},
		filepath.Join(p.DataDir, "log"):         {0, 2345, 0o750},
		p.log("postgres"):                       {0, 2345, 0o640},
		filepath.Join(p.DataDir, "keyset.json"): {0, 0, 0o600},
	} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		stat := info.Sys().(*syscall.Stat_t)
		require.Equal(t, want.mode, info.Mode().Perm(), path)
		require.Equal(t, [2]uint32{want.uid, want.gid}, [2]uint32{stat.Uid, stat.Gid}, path)
	}
}
