package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestReleaseCommandIsKnownPerRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("first")
	state := func(run string) deployment.CommandState {
		s, err := b.ReleaseCommand(t.Context(), d.ID, run)
		require.NoError(t, err)
		return s
	}
	require.Equal(t, deployment.CommandNone, state("first"))
	for _, want := range []deployment.CommandState{deployment.CommandNone, deployment.CommandBegun} {
		before, err := b.BeginReleaseCommand(t.Context(), d.ID, "first")
		require.NoError(t, err)
		require.Equal(t, want, before)
	}
	require.NoError(t, b.EndReleaseCommand(t.Context(), d.ID, "first"))
	before, err := b.BeginReleaseCommand(t.Context(), d.ID, "first")
	require.NoError(t, err)
	require.Equal(t, deployment.CommandDone, before)
	require.Equal(t, deployment.CommandDone, state("first"), "what is done stays done")
	require.Equal(t, deployment.CommandNone, state("second"))

	_, err = b.BeginReleaseCommand(t.Context(), d.ID, "second")
	require.ErrorIs(t, err, deployment.ErrStaleRun)
	require.ErrorIs(t, b.EndReleaseCommand(t.Context(), d.ID, "second"), deployment.ErrStaleRun)
}

func TestReleaseCommandDoesNotBeginAfterACancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("first")
	_, err := b.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	_, err = b.BeginReleaseCommand(t.Context(), d.ID, "first")
	require.ErrorIs(t, err, deployment.ErrCancelRequested)
}
