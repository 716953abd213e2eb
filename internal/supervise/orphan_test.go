package supervise_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/supervise"
)

// family is a child with a descendant that left its session, and one that also forgot its parent.
const family = `
	echo $$ > child.pid
	setsid sh -c 'echo $$ > moved.pid; exec sleep 1000' &
	(setsid sh -c 'echo $$ > orphan.pid; exec sleep 1000' &)
	while ! [ -s moved.pid ] || ! [ -s orphan.pid ]; do sleep 0.01; done
	touch child.up
	wait`

var familyFiles = []string{"child.pid", "moved.pid", "orphan.pid"}

func TestNextStartEndsWhatAKilledSupervisorLeft(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(t *testing.T, dir string){
		"Reclaim": func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, supervise.Reclaim(t.Context(), filepath.Join(dir, "run"), quiet))
			require.NoFileExists(t, filepath.Join(dir, "run", "child.json"))
		},
		"Start": func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, newSupervisor(t, dir).Start(t.Context(), shell(dir, "child", "exec sleep 1000")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			kill := play(t, "supervisor", dir, family)
			kill()
			pids := map[string]int{}
			for _, file := range familyFiles {
				pids[file] = pidIn(t, filepath.Join(dir, file))
				require.True(t, runs(t, pids[file]), "%s does not outlive the supervisor", file)
			}
			next(t, dir)
			for file, pid := range pids {
				require.False(t, runs(t, pid), "%s still runs", file)
			}
		})
	}
}

func TestStopEndsDescendantsThatLeftTheSession(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	require.NoError(t, s.Start(t.Context(), shell(dir, "child", family)))
	require.NoError(t, s.Stop(t.Context()))
	for _, file := range familyFiles {
		require.False(t, runs(t, pidIn(t, filepath.Join(dir, file))), "%s still runs", file)
	}
	require.NoFileExists(t, filepath.Join(dir, "run", "child.json"))
}

func TestReclaimSparesAProcessThatOnlyHasThePid(t *testing.T) {
	t.Parallel()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	for name, change := range map[string]func(o map[string]any, start uint64){
		"another start time": func(o map[string]any, start uint64) { o["process"] = process(o, start+1) },
		"another boot":       func(o map[string]any, _ uint64) { o["boot_id"] = "00000000-0000-0000-0000-000000000000" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			innocent := exec.Command("sleep", "1000")
			require.NoError(t, innocent.Start())
			t.Cleanup(func() { _, _ = innocent.Process.Kill(), innocent.Wait() })
			start := startTicks(t, innocent.Process.Pid)
			o := map[string]any{"name": "child", "mark": "none", "boot_id": strings.TrimSpace(string(boot)), "pid": innocent.Process.Pid}
			o["process"] = process(o, start)
			change(o, start)
			dir := t.TempDir()
			b, err := json.Marshal(o)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "child.json"), b, 0o600))

			require.NoError(t, supervise.Reclaim(t.Context(), dir, quiet))
			require.True(t, runs(t, innocent.Process.Pid))
			require.NoFileExists(t, filepath.Join(dir, "child.json"))
		})
	}
}

func process(o map[string]any, start uint64) map[string]any {
	return map[string]any{"pid": o["pid"], "start_ticks": start}
}

// startTicks reads field 22 of /proc/<pid>/stat.
func startTicks(t *testing.T, pid int) (ticks uint64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(b), ") ")
	_, err = fmt.Sscan(strings.Fields(rest)[22-3], &ticks)
	require.NoError(t, err)
	return ticks
}

func TestReclaimReportsAFileItCannotReadAndEndsTheRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kill := play(t, "supervisor", dir, family)
	kill()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run", "broken.json"), []byte("{"), 0o600))
	require.ErrorContains(t, supervise.Reclaim(context.Background(), filepath.Join(dir, "run"), quiet), "broken.json")
	require.False(t, runs(t, pidIn(t, filepath.Join(dir, "child.pid"))))
}
