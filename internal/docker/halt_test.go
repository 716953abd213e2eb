package docker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/docker"
)

// What sleeps is kept with its address, and the engine does not start it by itself.
func TestHaltKeepsTheContainerForResume(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("")
	p := startReady(t, e, s)
	require.NoError(t, e.KeepAlive(t.Context(), p.Container, s.Resources))
	lines := follow(t, e, p.Container)
	for range 2 {
		require.NoError(t, e.Halt(t.Context(), p.Container, 30*time.Second))
	}
	require.Contains(t, texts(<-lines), "got SIGTERM")
	halted := inspect(t, p)
	require.False(t, halted.State.Running)
	require.Zero(t, halted.RestartCount)

	for range 2 {
		there, err := e.Resume(t.Context(), p.Container)
		require.NoError(t, err)
		require.True(t, there)
	}
	require.NoError(t, probeError(e.Probe(t.Context(), p, probeSpec(30), nil)))
	require.Contains(t, get(t, p, "/"), "hello from "+p.Address)
	require.Equal(t, p.ContainerID, inspect(t, p).ID)
	require.EqualValues(t, "unless-stopped", inspect(t, p).HostConfig.RestartPolicy.Name)
}

// What is woken may use more CPUs until it answers.
func TestWakeGivesCPUsToStartWith(t *testing.T) {
	t.Parallel()
	for cpus, want := range map[float64]float64{0: 0.5, 0.2: 0.5, 1: 1} {
		e := newEngine(t, func(o *docker.Options) { o.StartCPUs = cpus })
		s := spec("")
		p := startReady(t, e, s)
		require.NoError(t, e.KeepAlive(t.Context(), p.Container, s.Resources))
		require.NoError(t, e.Halt(t.Context(), p.Container, 30*time.Second))
		there, err := e.Wake(t.Context(), p.Container, s.Resources)
		require.NoError(t, err)
		require.True(t, there)
		require.Equal(t, int64(want*1e9), inspect(t, p).HostConfig.NanoCPUs)
		require.NoError(t, e.KeepAlive(t.Context(), p.Container, s.Resources))
		require.Equal(t, int64(5e8), inspect(t, p).HostConfig.NanoCPUs)
		there, err = e.Wake(t.Context(), "nothing-of-that-name", s.Resources)
		require.NoError(t, err)
		require.False(t, there)
	}
}

func TestHaltOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	require.NoError(t, e.Halt(t.Context(), "nothing-of-that-name", 0))
	there, err := e.Resume(t.Context(), "nothing-of-that-name")
	require.NoError(t, err)
	require.False(t, there)
}

func TestHaltLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	p := startReady(t, newEngine(t), spec(""))
	other := newEngine(t, func(o *docker.Options) { o.Installation = "another" })
	require.ErrorContains(t, other.Halt(t.Context(), p.Container, 0), "does not belong to this installation")
	require.True(t, inspect(t, p).State.Running)
}
