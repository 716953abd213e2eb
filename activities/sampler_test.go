package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// usages is what an engine would tell of containers, at times of the test's choice.
type usages struct {
	of   map[string]deployment.Usage
	away map[string]error
}

func (u *usages) Usage(_ context.Context, container string) (deployment.Usage, bool, error) {
	seen, runs := u.of[container]
	return seen, runs, u.away[container]
}

// sampled is a sampler, what it sees, and the preview of a deployment that is live.
func (b *bench) sampled() (s *activities.Sampler, u *usages, d deployment.Deployment, container string) {
	b.t.Helper()
	d = b.live()
	p, err := b.store.Preview(b.t.Context(), d.ID)
	require.NoError(b.t, err)
	u = &usages{of: map[string]deployment.Usage{}, away: map[string]error{}}
	s = &activities.Sampler{Engine: u, Store: b.store, Logs: b.writer, HostID: hostID, Log: slog.New(slog.DiscardHandler)}
	return s, u, d, p.Container
}

func (b *bench) sample(id string) *deployment.Sample {
	b.t.Helper()
	p, err := b.store.Preview(b.t.Context(), id)
	require.NoError(b.t, err)
	return p.Sample
}

func TestSampler_AveragesSinceTheLookBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, u, d, container := b.sampled()
	require.NoError(t, s.Sample(t.Context()))
	require.Nil(t, b.sample(d.ID), "a container that does not run has none")

	at := time.Now().Truncate(time.Millisecond)
	look := deployment.Usage{At: at, CPU: 4 * time.Second, MemoryBytes: 5, MemoryLimit: 6, PIDs: 7, MadeAt: at.Add(-time.Hour), StartedAt: at.Add(-8 * time.Second)}
	u.of[container] = look
	require.NoError(t, s.Sample(t.Context()))
	got := b.sample(d.ID)
	require.InDelta(t, 0.5, got.CPUCores, 1e-9, "of a container that was not seen before: since it was started")
	require.Equal(t, []int64{5, 6, 7}, []int64{got.MemoryBytes, got.MemoryLimit, got.PIDs})
	require.True(t, look.StartedAt.Equal(*got.StartedAt))

	look.At, look.CPU = at.Add(10*time.Second), 24*time.Second
	u.of[container] = look
	require.NoError(t, s.Sample(t.Context()))
	require.InDelta(t, 2, b.sample(d.ID).CPUCores, 1e-9)

	look.At, look.StartedAt, look.CPU, look.Restarts = at.Add(20*time.Second), at.Add(16*time.Second), time.Second, 1 // its counters began anew
	u.of[container] = look
	require.NoError(t, s.Sample(t.Context()))
	require.InDelta(t, 0.25, b.sample(d.ID).CPUCores, 1e-9)

	before := b.sample(d.ID)
	delete(u.of, container)
	require.NoError(t, s.Sample(t.Context()))
	require.Equal(t, before, b.sample(d.ID), "what was seen last stays, with its time")
}

func TestSampler_AContainerThatCannotBeSeenKeepsNoOtherFromIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, u, d, container := b.sampled()
	other := b.live() // replaces it, and it is not stopped yet
	p, err := b.store.Preview(t.Context(), other.ID)
	require.NoError(t, err)
	require.NoError(t, b.store.SetPreviewState(t.Context(), d.ID, deployment.PreviewLive))
	u.of[p.Container], u.away[container] = deployment.Usage{At: time.Now(), StartedAt: time.Now()}, errors.New("engine is busy")
	require.ErrorContains(t, s.Sample(t.Context()), "engine is busy")
	require.NotNil(t, b.sample(other.ID))
	require.Nil(t, b.sample(d.ID))
}

func TestSampler_TellsOfACrashLoopOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, u, d, container := b.sampled()
	at := time.Now()
	look := deployment.Usage{MadeAt: at.Add(-time.Hour), StartedAt: at, Restarts: 7}
	see := func(after time.Duration, restarts int, code *int) *deployment.Sample {
		look.At, look.Restarts, look.ExitCode = at.Add(after), restarts, code
		u.of[container] = look
		require.NoError(t, s.Sample(t.Context()))
		return b.sample(d.ID)
	}
	require.False(t, see(0, 7, nil).CrashLooping, "it may have been restarted a month ago")
	require.False(t, see(time.Minute, 8, nil).CrashLooping)
	require.False(t, see(5*time.Minute+time.Second, 9, new(3)).CrashLooping, "not in so short a time")
	require.True(t, see(5*time.Minute+30*time.Second, 11, nil).CrashLooping)
	require.True(t, see(6*time.Minute, 12, nil).CrashLooping)

	told := func() (lines []string) {
		require.NoError(t, b.writer.Flush(t.Context(), d.ID))
		all, err := b.reader.Lines(t.Context(), d.ID, 0, 1000)
		require.NoError(t, err)
		for _, l := range all {
			if l.Step == deployment.StepApp && l.Stream == deployment.StreamSlipway {
				lines = append(lines, l.Text)
			}
		}
		return lines
	}
	require.Equal(t, []string{"the app is in a crash loop: it has ended 11 times, the last time with exit code 3; it is started again each time, after a wait of up to a minute"}, told())

	look.StartedAt = at.Add(-10 * time.Minute) // it has run for so long by the clock of the database
	require.False(t, see(20*time.Minute, 12, nil).CrashLooping)
	look.StartedAt = at.Add(21 * time.Minute)
	require.False(t, see(21*time.Minute, 2, nil).CrashLooping, "slipway has started it anew")
	require.True(t, see(21*time.Minute+time.Second, 3, nil).CrashLooping)
	require.Len(t, told(), 2)
}

func TestSampler_ANewContainerThatCrashesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, u, d, container := b.sampled()
	at := time.Now()
	u.of[container] = deployment.Usage{At: at, MadeAt: at.Add(-time.Minute), StartedAt: at, Restarts: 3}
	require.NoError(t, s.Sample(t.Context()))
	require.True(t, b.sample(d.ID).CrashLooping)
}
