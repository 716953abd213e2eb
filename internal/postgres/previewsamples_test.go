package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestSaveSamples(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	first, second := b.liveIn(p, "production"), b.liveIn(p, "branch/a")
	started := time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)
	look := deployment.Sample{
		DeploymentID: first.ID, CPUCores: 0.25, MemoryBytes: 1 << 20, MemoryLimit: 1 << 29, PIDs: 7, Restarts: 1, StartedAt: &started, ExitCode: new(3),
	}
	gone := deployment.Sample{DeploymentID: uuid.NewString()} // its deployment was removed meanwhile
	began, err := b.SaveSamples(t.Context(), []deployment.Sample{look, {DeploymentID: second.ID}, gone})
	require.NoError(t, err)
	require.Empty(t, began)
	got := *b.preview(first.ID).Sample
	require.WithinDuration(t, time.Now(), got.At, time.Minute)
	look.At = got.At
	require.Equal(t, look, got)
	require.Equal(t, deployment.Sample{DeploymentID: second.ID, At: b.preview(second.ID).Sample.At}, *b.preview(second.ID).Sample)
}

func TestCrashLoopsBeginOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.liveIn(b.project("app"), "production")
	save := func(restarts int, looping bool, ago time.Duration, code *int) (began []deployment.Sample, now deployment.Sample) {
		started := time.Now().Add(-ago)
		began, err := b.SaveSamples(t.Context(), []deployment.Sample{{DeploymentID: d.ID, Restarts: restarts, CrashLooping: looping, StartedAt: &started, ExitCode: code}})
		require.NoError(t, err)
		return began, *b.preview(d.ID).Sample
	}
	began, _ := save(2, false, time.Second, new(1))
	require.Empty(t, began)
	began, now := save(5, true, time.Second, nil)
	require.Equal(t, []deployment.Sample{{DeploymentID: d.ID, Restarts: 5, ExitCode: new(1), CrashLooping: true}}, began, "with the exit code that was seen before")
	require.Equal(t, 1, *now.ExitCode)
	began, now = save(6, true, time.Second, new(137))
	require.Empty(t, began, "it is told once")
	require.Equal(t, 137, *now.ExitCode)
	_, now = save(6, false, time.Minute, nil) // by a worker that has just begun to look
	require.True(t, now.CrashLooping, "it has to run for a while first")
	_, now = save(6, false, 6*time.Minute, nil)
	require.False(t, now.CrashLooping)
	began, _ = save(9, true, time.Second, nil)
	require.Len(t, began, 1)
	_, now = save(0, false, time.Second, nil)
	require.False(t, now.CrashLooping, "another container")
	require.Nil(t, now.ExitCode)
}
