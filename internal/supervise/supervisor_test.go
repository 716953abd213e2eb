package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/supervise"
)

const soon = 10 * time.Second

func TestStopLeavesNoGoroutine(t *testing.T) { //nolint:paralleltest // counts the goroutines of the process
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	require.NoError(t, s.Start(t.Context(), shell(dir, "child", "touch child.up; exec sleep 1000")))
	require.NoError(t, s.Stop(t.Context()))
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, soon, time.Millisecond) // + Eventually's
}

func TestChildThatExitsIsStartedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	require.NoError(t, s.Start(t.Context(), shell(dir, "child", `
		touch child.up; echo x >> runs
		[ $(wc -l < runs) -ge 3 ] && exec sleep 1000
		while ! [ -e fall ]; do sleep 0.01; done
		exit 7`)))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fall"), nil, 0o600))
	require.Eventually(t, func() bool {
		st := s.Status()[0]
		return st.Restarts == 2 && st.State == supervise.Running && st.PID > 0 && st.LastExit == "exit status 7"
	}, soon, time.Millisecond)
}

func TestChildThatIsNotReadyAgainIsTriedUntilItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	require.NoError(t, s.Start(t.Context(), shell(dir, "child", `
		echo x >> runs; n=$(wc -l < runs)
		if [ $n = 1 ]; then touch child.up; while [ -e child.up ]; do sleep 0.01; done; exit 1; fi
		[ $n = 2 ] && exit 9
		touch child.up; exec sleep 1000`)))
	require.NoError(t, os.Remove(filepath.Join(dir, "child.up")))
	require.Eventually(t, func() bool {
		st := s.Status()[0]
		return st.State == supervise.Running && strings.Contains(st.LastExit, "ended before it was ready: exit status 9")
	}, soon, time.Millisecond)
}

func TestBackoffDoublesUpToItsMaximumAndForgets(t *testing.T) {
	t.Parallel()
	b := supervise.DefaultBackoff()
	var waits []time.Duration
	wait := time.Duration(0)
	for range 7 {
		wait = b.Next(wait, time.Second)
		waits = append(waits, wait/time.Second)
	}
	require.Equal(t, []time.Duration{1, 2, 4, 8, 16, 30, 30}, waits)
	require.Equal(t, time.Second, b.Next(wait, time.Minute))
}

func TestStopKillsAChildThatIgnoresItsSignal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	spec := shell(dir, "child", `trap "" TERM; echo $$ > child.pid; touch child.up; while :; do sleep 0.05; done`)
	spec.StopTimeout = 50 * time.Millisecond
	require.NoError(t, s.Start(t.Context(), spec))
	require.NoError(t, s.Stop(t.Context()))
	require.False(t, runs(t, pidIn(t, filepath.Join(dir, "child.pid"))))
}

func TestStopIsCutShortByItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	spec := shell(dir, "child", `trap "" TERM; touch child.up; while :; do sleep 0.05; done`)
	spec.StopTimeout = time.Hour
	require.NoError(t, s.Start(t.Context(), spec))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.NoError(t, s.Stop(ctx))
}

func TestStopSendsEachItsSignalInReverseOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	script := func(name string) string {
		return `trap "echo ` + name + ` >> ended; exit" INT; touch ` + name + `.up; while :; do sleep 0.01; done`
	}
	one, two := shell(dir, "one", script("one")), shell(dir, "two", script("two"))
	one.StopSignal, two.StopSignal = syscall.SIGINT, syscall.SIGINT
	require.NoError(t, s.StartAll(t.Context(), one, two))
	require.NoError(t, s.Stop(t.Context()))
	b, err := os.ReadFile(filepath.Join(dir, "ended"))
	require.NoError(t, err)
	require.Equal(t, "two\none\n", string(b))
}

func TestHalfStartRollsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	err := s.StartAll(t.Context(),
		shell(dir, "one", `echo $$ > one.pid; touch one.up; exec sleep 1000`),
		shell(dir, "two", `echo because >&2; exit 3`))
	require.ErrorContains(t, err, "start two: ended before it was ready: exit status 3")
	require.ErrorContains(t, err, filepath.Join(dir, "two.log"))
	require.False(t, runs(t, pidIn(t, filepath.Join(dir, "one.pid"))))
	require.Empty(t, s.Status())
	b, err := os.ReadFile(filepath.Join(dir, "two.log"))
	require.NoError(t, err)
	require.Equal(t, "because\n", string(b))
}

func TestChildThatNeverBecomesReadyIsEnded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	spec := shell(dir, "child", `echo $$ > child.pid; exec sleep 1000`)
	spec.ReadyTimeout = 200 * time.Millisecond
	require.ErrorContains(t, s.Start(t.Context(), spec), "not ready within 200ms")
	require.False(t, runs(t, pidIn(t, filepath.Join(dir, "child.pid"))))
}

func TestMissingProgramLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	spec := shell(dir, "child", "")
	spec.Path = filepath.Join(dir, "none")
	require.ErrorContains(t, s.Start(t.Context(), spec), "no such file")
	files, err := filepath.Glob(filepath.Join(dir, "run", "*"))
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestChildInheritsNothing(t *testing.T) {
	t.Parallel()
	mine, err := os.Open("/dev/zero")
	require.NoError(t, err)
	inherited, err := syscall.Dup(int(mine.Fd())) // as from a shell: not close-on-exec
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(syscall.Close(inherited), mine.Close())) })
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	require.NoError(t, s.Start(t.Context(), shell(dir, "child", "ps -o sid= -p $$ > sid; touch child.up; exec sleep 1000")))
	pid := s.Status()[0].PID
	require.Equal(t, pid, pidIn(t, filepath.Join(dir, "sid")))
	require.Eventually(t, func() bool { // the shell's own files close with its exec
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		return err == nil && len(open) == 3
	}, soon, time.Millisecond)
	stdin, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid))
	require.NoError(t, err)
	require.Equal(t, os.DevNull, stdin)
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSupervisor(t, dir)
	spec := shell(dir, "child", `i=0; while [ $i -lt 4000 ]; do echo "line $i of the output"; i=$((i+1)); done; touch child.up; exec sleep 1000`)
	spec.LogLimit = 32 << 10
	require.NoError(t, s.Start(t.Context(), spec))
	require.NoError(t, s.Stop(t.Context()))
	for _, name := range []string{"child.log", "child.log.1"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), spec.LogLimit+pipeBuffer)
	}
	b, err := os.ReadFile(filepath.Join(dir, "child.log"))
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(b), "line 3999 of the output\n"), "the end of the output is kept")
}

// pipeBuffer is the most that one read takes from a child's pipe.
const pipeBuffer = 32 << 10
