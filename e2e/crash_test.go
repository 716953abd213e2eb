package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// Not parallel: it kills what the other tests use, and runs when they are over or not begun.
func TestKilledAtAnyMomentEveryDeployContinues(t *testing.T) {
	building := createProject(t, "crash-build", dev.repo("slow-build"), map[string]any{"build_command": "echo build has begun; sleep 12"})
	live := createProject(t, "crash-live", dev.repo("static"), nil)
	before := waitEnd(t, deploy(t, live, nil), "ready")
	ticks := waitEnd(t, deploy(t, createProject(t, "crash-ticks", dev.repo("ticks"), nil), nil), "ready")

	doomed := waitEnd(t, deploy(t, createProject(t, "crash-deleted", dev.repo("static"), nil), nil), "ready")

	id := deploy(t, building, nil)
	waitForLine(t, id, "build has begun")
	accepted := deploy(t, live, nil) // a 202 a moment before the death of everything
	deletion := requestDeletion(t, "/v1/projects/crash-deleted")
	orphans, steps := children(t), buildSteps(t)
	require.NotEmpty(t, steps)
	require.NotEmpty(t, temporaryFiles(t))
	dev.kill(t)
	killed := time.Now()
	for name, pid := range orphans {
		require.DirExists(t, fmt.Sprintf("/proc/%d", pid), "%s outlives a kill of slipway-dev: it is for the next start", name)
	}
	require.NoError(t, dev.start())
	requireReplaced(t, orphans)
	for _, step := range steps {
		require.NoDirExists(t, step, "cgroup of a step that died with its buildkitd")
	}
	t.Logf("ready again %.1fs after the kill", time.Since(killed).Seconds())

	status, _ := dev.get(t, before.EnvironmentURL)
	require.Equal(t, http.StatusOK, status, "a live preview is reached again at once")
	after := waitEnd(t, accepted, "ready")
	require.Equal(t, before.Number+1, after.Number)
	d := waitEnd(t, id, "ready")
	_, body := dev.get(t, d.PreviewURL)
	require.Contains(t, body, "slow but here")
	t.Logf("the deploy that was building is live %.1fs after the kill", time.Since(killed).Seconds())
	require.Empty(t, temporaryFiles(t), "the killed worker's too")
	requireEveryTick(t, ticks)
	requireOver(t, deletion)
	require.Empty(t, leftOvers(t, doomed.ID))
	require.Empty(t, tagsOf(t, "crash-deleted"))
}

// temporaryFiles lists those of all workers that have run here.
func temporaryFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dev.data, "workspaces", "tmp", "process-*", "slipway-*"))
	require.NoError(t, err)
	return files
}

// children returns the pids of slipway-dev's children by their names.
func children(t *testing.T) map[string]int {
	t.Helper()
	pids := map[string]int{}
	for _, name := range []string{"postgres", "temporal", "buildkitd"} {
		var owner struct {
			Process struct{ PID int }
		}
		b, err := os.ReadFile(filepath.Join(dev.data, "run", name+".json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &owner))
		require.NotZero(t, owner.Process.PID, name)
		pids[name] = owner.Process.PID
	}
	return pids
}

// requireReplaced checks that each child that a killed slipway-dev left is gone with its locks, and that another one is in
// its place.
func requireReplaced(t *testing.T, orphans map[string]int) {
	t.Helper()
	now := children(t)
	for name, pid := range orphans {
		require.NotEqual(t, pid, now[name], name)
		require.Eventually(t, func() bool { return !running(pid) }, eventually, tick, name)
		require.DirExists(t, fmt.Sprintf("/proc/%d", now[name]), name)
	}
	postmaster, err := os.ReadFile(filepath.Join(dev.data, "postgres", "postmaster.pid"))
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(now["postgres"]), strings.SplitN(string(postmaster), "\n", 2)[0], "the lock is the new one's")
	for _, file := range []string{"slipway-dev.lock", "temporal.db.lock", "buildkit/buildkitd.lock"} {
		require.Equal(t, 1, holders(t, filepath.Join(dev.data, file)), file)
	}
}

// running reports whether there is a process with that pid that does anything: an orphan that has ended stands in /proc
// until the machine's first process takes note.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

// buildSteps returns the cgroups of the steps that buildkitd runs: version 2 has one hierarchy, version 1 several.
func buildSteps(t *testing.T) (groups []string) {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		found, err := filepath.Glob(root + "/slipway-slipwaye2e0/buildkit/*/cgroup.procs")
		require.NoError(t, err)
		for _, procs := range found {
			groups = append(groups, filepath.Dir(procs))
		}
	}
	return groups
}

// holders counts the locks that processes hold on a file.
func holders(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	locks, err := os.ReadFile("/proc/locks")
	require.NoError(t, err)
	return strings.Count(string(locks), fmt.Sprintf(":%d ", stat.Ino))
}

// requireEveryTick checks that the log holds each line that a live app has printed by now once: before the kill, while
// nobody followed it, and after.
func requireEveryTick(t *testing.T, d client.Deployment) {
	t.Helper()
	_, body := dev.get(t, d.PreviewURL)
	so, err := strconv.Atoi(body)
	require.NoError(t, err, "%s", body)
	require.Greater(t, so, 50)
	var printed []string
	require.Eventually(t, func() bool {
		printed = nil
		for _, l := range logs(t, fmt.Sprint(d.ID)) {
			if strings.HasPrefix(l.Text, "tick ") {
				printed = append(printed, l.Text)
			}
		}
		return len(printed) >= so
	}, eventually, tick)
	for i, line := range printed {
		require.Equal(t, fmt.Sprintf("tick %d", i), line)
	}
}
