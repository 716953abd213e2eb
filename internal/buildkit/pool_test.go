package buildkit_test

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func pool(t *testing.T, addresses ...string) *buildkit.Pool {
	t.Helper()
	p, err := buildkit.NewPool(t.Context(), buildkit.Options{RegistryInsecure: true}, addresses, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// choose chooses for a build that has ended at once.
func choose(t *testing.T, p *buildkit.Pool, project string) string {
	t.Helper()
	address, done, err := p.Choose(t.Context(), project)
	require.NoError(t, err)
	done()
	return address
}

// homes are the builders of so many projects.
func homes(t *testing.T, p *buildkit.Pool, projects int) map[string]string {
	t.Helper()
	found := map[string]string{}
	for i := range projects {
		project := fmt.Sprintf("project %d", i)
		found[project] = choose(t, p, project)
	}
	return found
}

// freeze stops a process, and returns when none of its threads runs any more: each stops by itself, on a busy machine some time after the
// signal.
func freeze(t *testing.T, p *os.Process) {
	t.Helper()
	require.NoError(t, p.Signal(syscall.SIGSTOP))
	t.Cleanup(func() { require.NoError(t, p.Signal(syscall.SIGCONT)) }) // one that is stopped does not end
	require.Eventually(t, func() bool {
		threads, err := procfs.AllThreads(p.Pid)
		require.NoError(t, err)
		return !slices.ContainsFunc(threads, func(thread procfs.Proc) bool {
			stat, err := thread.Stat()
			return err == nil && stat.State != "T"
		})
	}, time.Minute, time.Millisecond)
}

func TestPoolLeavesABuilderThatGoesAwayAndReturnsToIt(t *testing.T) {
	t.Parallel()
	doomed, frozen := buildkittest.Start(t), buildkittest.Start(t)
	p := pool(t, stack.Address, doomed.Address, frozen.Address)
	before := homes(t, p, 30)
	var project, neighbour string // of the one that dies, and of the one that stays
	had := map[string]int{}
	for name, address := range before {
		had[address]++
		switch address {
		case doomed.Address:
			project = name
		case stack.Address:
			neighbour = name
		}
	}
	require.Len(t, had, 3, "each builder has projects: %v", had)
	require.Equal(t, before, homes(t, p, 30), "a project's builds go to the same one")

	// One that stops answering is left after a moment, without a word from it.
	freeze(t, frozen.Process)
	begun := time.Now()
	for name, address := range homes(t, p, 30) {
		require.NotEqual(t, frozen.Address, address)
		if before[name] != frozen.Address {
			require.Equal(t, before[name], address, "the others stay where they are")
		}
	}
	const answerTime = 2 * time.Second
	require.Less(t, time.Since(begun), time.Duration(max(4, had[frozen.Address]))*answerTime, "it is waited for once and not per build")
	require.NoError(t, frozen.Process.Signal(syscall.SIGCONT))

	// One that dies in a build fails it as transient, and the next attempt goes to another.
	build := func(dockerfile string) (deployment.BuildRequest, *transcript) {
		return request(t, from+dockerfile+" # "+uuid.NewString()+"\n", nil), &transcript{}
	}
	address, done, err := p.Choose(t.Context(), project)
	require.NoError(t, err)
	require.Equal(t, doomed.Address, address)
	lost, heard := build("RUN echo started; sleep 300")
	ended := make(chan error, 1)
	go func() {
		_, err := p.Solve(t.Context(), address, lost, heard)
		ended <- err
	}()
	require.Eventually(t, heard.saw("stdout: #n started\n"), 60*time.Second, 10*time.Millisecond, heard.text)
	require.Contains(t, p.Status(), deployment.BuilderStatus{Address: doomed.Address, Up: true, Builds: 1})
	require.NoError(t, doomed.Process.Signal(syscall.SIGKILL))
	var f *deployment.Failure
	require.ErrorAs(t, <-ended, &f)
	require.Equal(t, deployment.ClassTransient, f.Class)
	done()
	require.Contains(t, p.Status(), deployment.BuilderStatus{Address: doomed.Address})
	other := choose(t, p, project)
	require.NotEqual(t, doomed.Address, other)
	again, heard := build("RUN true")
	out, err := p.SolveAndDie(t.Context(), other, again, heard)
	require.NoError(t, err, heard.text())
	require.Equal(t, before[neighbour], choose(t, p, neighbour))

	// What an attempt left in a history is asked where it was made.
	digest, err := p.Lookup(t.Context(), other, again.Ref)
	require.NoError(t, err)
	require.Equal(t, out.Digest, digest)
	_, err = p.Lookup(t.Context(), doomed.Address, lost.Ref)
	require.ErrorAs(t, err, &f)
	require.Equal(t, "build.builder_unavailable", f.Code)
	digest, err = p.Lookup(t.Context(), "tcp://of-yesterday:1234", lost.Ref)
	require.NoError(t, err)
	require.Empty(t, digest)

	go p.Watch(t.Context())
	require.NoError(t, p.Ping(t.Context()), "one that answers is enough")
	require.NoError(t, doomed.Restart(t.Context()))
	require.Eventually(t, func() bool { return maps.Equal(before, homes(t, p, 30)) }, time.Minute, 50*time.Millisecond, "it is returned to")
}

// A project's builds spread when its builder has far more than its share.
func TestPoolBoundsTheLoad(t *testing.T) {
	t.Parallel()
	second := buildkittest.Start(t)
	p := pool(t, stack.Address, second.Address)
	on := map[string]int{}
	var ends []func()
	for range 8 {
		address, done, err := p.Choose(t.Context(), "project")
		require.NoError(t, err)
		on[address]++
		ends = append(ends, done)
	}
	require.Len(t, on, 2)
	for address, builds := range on {
		require.LessOrEqual(t, builds, 5, "1.25 times its share, on %s", address)
		require.Contains(t, p.Status(), deployment.BuilderStatus{Address: address, Up: true, Builds: builds})
	}
	for _, done := range ends {
		done()
		done() // counts once
	}
	home := choose(t, p, "project")
	for range 2 { // two beside each other stay with the cache
		address, done, err := p.Choose(t.Context(), "project")
		require.NoError(t, err)
		t.Cleanup(done)
		require.Equal(t, home, address)
	}
}

func TestPoolWithoutABuilderIsTransient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addresses := []string{"unix://" + filepath.Join(dir, "a"), "unix://" + filepath.Join(dir, "b")}
	p := pool(t, addresses...)
	_, _, err := p.Choose(t.Context(), "project")
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, "build.builder_unavailable", f.Code)
	require.Equal(t, deployment.ClassTransient, f.Class)
	for _, address := range addresses {
		require.Contains(t, f.Message, address)
		require.Contains(t, f.Fix, address)
	}
	require.Error(t, p.Ping(t.Context()))
	require.Equal(t, []deployment.BuilderStatus{{Address: addresses[0]}, {Address: addresses[1]}}, p.Status())
}
