package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/supervise"
)

func TestRunningPID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.Zero(t, pidOf(t, dir), "free")
	require.NoFileExists(t, paths{config.Dev{DataDir: dir}}.lock(), "looking makes nothing")

	lock, err := supervise.Lock(dir)
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), pidOf(t, dir), "held")
	require.NoError(t, lock.Unlock())
	require.Zero(t, pidOf(t, dir), "given back")

	pidFile := filepath.Join(dir, "slipway-dev.pid")
	for what, pid := range map[string]int{"another's by now": os.Getpid(), "of a process that ended": endedPID(t), "nonsense": -1} {
		require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(pid)+"\n"), 0o600))
		require.Zero(t, pidOf(t, dir), "a pid file left over: %s", what)
	}
	require.NoError(t, stopRunning(t.Context(), dir), "nobody is asked to end")
}

func TestOwnDocker(t *testing.T) {
	t.Parallel()
	self, err := procfs.Self()
	require.NoError(t, err)
	stat, err := self.Stat()
	require.NoError(t, err)
	start := strconv.FormatUint(stat.Starttime, 10)
	for _, c := range []struct {
		name, pid, start string
		ours             bool
	}{
		{"that very process", strconv.Itoa(self.PID), start + "\n", true},
		{"the pid was given to another", strconv.Itoa(self.PID), start + "0", false},
		{"ended", strconv.Itoa(endedPID(t)), start, false},
		{"cut short", "", start, false},
		{"no number", "dockerd", start, false},
		{"negative", "-1", start, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pidFile, startFile := filepath.Join(dir, "pid"), filepath.Join(dir, "start")
			require.NoError(t, os.WriteFile(pidFile, []byte(c.pid), 0o600))
			_, ours := ownDocker(pidFile, startFile)
			require.False(t, ours, "an engine without a start time was not started by deps.sh")
			require.NoError(t, os.WriteFile(startFile, []byte(c.start), 0o600))
			pid, ours := ownDocker(pidFile, startFile)
			require.Equal(t, c.ours, ours)
			if ours {
				require.Equal(t, self.PID, pid)
			}
		})
	}
}

func TestPurgeKeepsWhatOthersMade(t *testing.T) {
	t.Parallel()
	p := paths{config.Dev{DataDir: filepath.Join(t.TempDir(), "data")}}
	make := func(names ...string) {
		for _, name := range names {
			require.NoError(t, os.MkdirAll(filepath.Join(p.DataDir, name), 0o700))
		}
	}
	make("postgres/base", "temporal.db-wal", "slipway-dev.lock", "thesis")
	left, err := p.purge()
	require.NoError(t, err)
	require.Equal(t, []string{"thesis"}, left)
	require.DirExists(t, filepath.Join(p.DataDir, "thesis"))
	require.NoDirExists(t, filepath.Join(p.DataDir, "postgres"))

	require.NoError(t, os.Remove(filepath.Join(p.DataDir, "thesis")))
	make("registry", "run")
	left, err = p.purge()
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoDirExists(t, p.DataDir)
}

func pidOf(t *testing.T, dir string) int {
	t.Helper()
	pid, err := runningPID(dir)
	require.NoError(t, err)
	return pid
}

// endedPID is the pid of a process that has ended and been waited for.
func endedPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	require.NoError(t, cmd.Run())
	return cmd.Process.Pid
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}
