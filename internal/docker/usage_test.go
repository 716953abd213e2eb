package docker_test

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

func usage(t *testing.T, e *docker.Engine, p deployment.Preview) deployment.Usage {
	t.Helper()
	u, runs, err := e.Usage(t.Context(), p.Container)
	require.NoError(t, err)
	require.True(t, runs)
	return u
}

func TestUsageOfAnAppThatWorks(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("burn"))
	var first, second deployment.Usage
	var begun time.Time
	require.Eventually(t, func() bool { begun, first = time.Now(), usage(t, e, p); return first.MemoryBytes > 20<<20 }, time.Minute, 50*time.Millisecond, "it holds 20 MB")
	require.Eventually(t, func() bool { second = usage(t, e, p); return second.CPU-first.CPU > 500*time.Millisecond }, time.Minute, 50*time.Millisecond)
	// From before the first look to after the second: the engine may have looked at any moment between a call and its answer.
	require.Less(t, (second.CPU-first.CPU).Seconds()/time.Since(begun).Seconds(), 0.75, "it may use half a core")
	require.WithinRange(t, second.At, first.At, time.Now())
	require.Less(t, second.MemoryBytes, second.MemoryLimit)
	require.EqualValues(t, 64<<20, second.MemoryLimit)
	require.GreaterOrEqual(t, second.PIDs, int64(2), "the init and the app's threads")
	require.Zero(t, second.Restarts)
	require.Nil(t, second.ExitCode)
	require.WithinDuration(t, time.Now(), second.StartedAt, time.Minute)
	require.False(t, second.MadeAt.After(second.StartedAt))
}

func TestUsageLeavesOutWhatTheKernelKeepsOfFiles(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := startReady(t, e, spec("", "FILE=40"))
	require.Eventually(t, func() bool { return get(t, p, "/file") == "written" }, time.Minute, 50*time.Millisecond)
	require.Less(t, usage(t, e, p).MemoryBytes, int64(40<<20), "a file of 40 MB was written")
}

func TestUsageOfACrashLoop(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("crash"))
	require.NoError(t, e.KeepAlive(t.Context(), p.Container, deployment.Resources{CPUs: 0.5, MemoryMB: 64}))
	var waiting, running deployment.Usage
	require.Eventually(t, func() bool {
		u, runs, err := e.Usage(t.Context(), p.Container)
		require.NoError(t, err)
		if !runs || u.Restarts < 2 {
			return false
		}
		c, err := api.ContainerInspect(t.Context(), p.Container)
		require.NoError(t, err)
		if waiting = u; c.State.Running && !c.State.Restarting {
			running = u
		}
		return running.Restarts > 0
	}, time.Minute, 20*time.Millisecond)
	require.NotNil(t, waiting.ExitCode)
	require.Equal(t, 7, *waiting.ExitCode)
	require.NotNil(t, running.ExitCode, "also while it runs again")
	require.Equal(t, 7, *running.ExitCode)
	require.True(t, running.StartedAt.After(running.MadeAt))
}

func TestUsageOfWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("silent"))
	none := func() {
		t.Helper()
		_, runs, err := e.Usage(t.Context(), p.Container)
		require.NoError(t, err)
		require.False(t, runs)
	}
	require.NoError(t, api.ContainerStop(t.Context(), p.Container, container.StopOptions{}))
	none()
	require.NoError(t, e.Stop(t.Context(), p.Container, 0))
	none()
}
