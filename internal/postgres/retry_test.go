package postgres_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// ended is a deployment that has come to one of the ends.
func (b bench) ended(p deployment.Project, status deployment.Status) deployment.Deployment {
	b.t.Helper()
	d := b.deploy(p, "production")
	if status == deployment.StatusReady {
		b.live(d, "run-1")
		return d
	}
	b.through(d, "run-1", deployment.StepBuild)
	_, err := b.Finish(b.t.Context(), d.ID, "run-1", status, &deployment.Failure{Class: deployment.ClassUser, Code: "x", Message: "x"})
	require.NoError(b.t, err)
	return d
}

func TestRequestRetry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for _, status := range []deployment.Status{deployment.StatusFailed, deployment.StatusCanceled} {
		d := b.ended(p, status)
		queued, err := b.RequestRetry(t.Context(), d.ID, 0)
		require.NoError(t, err)
		require.Equal(t, deployment.StatusQueued, queued.Status)
		require.Equal(t, "run-1", queued.RunID, "until the new run is made")
		require.Nil(t, queued.Failure)
		require.Nil(t, queued.FinishedAt)
		require.Nil(t, queued.CancelRequestedAt)
		steps, err := b.Steps(t.Context(), d.ID)
		require.NoError(t, err)
		require.Len(t, steps, 4, "earlier attempts are kept")
		_, err = b.RequestRetry(t.Context(), d.ID, 0)
		require.ErrorIs(t, err, deployment.ErrNotRetryable, "once")
	}
	_, err := b.RequestRetry(t.Context(), "nope", 0)
	require.ErrorIs(t, err, deployment.ErrNotFound)

	third := b.ended(p, deployment.StatusFailed)
	b.deploy(p, "branch/open")
	_, err = b.RequestRetry(t.Context(), third.ID, 1)
	require.ErrorIs(t, err, deployment.ErrTooManyOpen, "one is open already")
	stays, err := b.Deployment(t.Context(), third.ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusFailed, stays.Status)
}

func TestRequestRetry_RefusesWhatStandsOtherwise(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	older := b.project("older")
	overtaken, underWay := b.ended(older, deployment.StatusFailed), b.deploy(older, "production")
	replaced, superseded := b.ended(p, deployment.StatusFailed), b.ended(p, deployment.StatusSuperseded)
	ready := b.ended(p, deployment.StatusReady)
	failed := b.ended(p, deployment.StatusFailed)
	for _, c := range []struct {
		name string
		d    deployment.Deployment
		want error
	}{
		{"replaced by what is live", replaced, deployment.ErrReplaced},
		{"about to be replaced by what is under way", overtaken, deployment.ErrReplaced},
		{"superseded", superseded, deployment.ErrReplaced},
		{"ready", ready, deployment.ErrNotRetryable},
		{"under way", underWay, deployment.ErrNotRetryable},
	} {
		before := b.status(c.d.ID)
		_, err := b.RequestRetry(t.Context(), c.d.ID, 0)
		require.ErrorIs(t, err, c.want, c.name)
		require.Equal(t, before, b.status(c.d.ID), c.name)
	}
	_, err := b.RequestRetry(t.Context(), failed.ID, 0)
	require.NoError(t, err, "what is live is older")
	_, err = b.RequestCancel(t.Context(), underWay.ID)
	require.NoError(t, err)
	_, err = b.RequestRetry(t.Context(), overtaken.ID, 0)
	require.NoError(t, err, "what is newer goes away")

	other := b.project("other")
	orphan := b.ended(other, deployment.StatusFailed)
	alone := b.ended(b.project("third"), deployment.StatusFailed)
	b.remove(of(other))
	b.remove(alone.Scope())
	for _, d := range []deployment.Deployment{orphan, alone} {
		_, err = b.RequestRetry(t.Context(), d.ID, 0)
		require.ErrorIs(t, err, deployment.ErrNotFound)
		require.ErrorIs(t, b.begin(d, "run-9"), deployment.ErrEnded)
	}
}

// A reset from outside does what a retry does, and does not do what a retry may not.
func TestBeginRun_OfWhatHasEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	replaced, ready := b.ended(p, deployment.StatusFailed), b.ended(p, deployment.StatusReady)
	for _, d := range []deployment.Deployment{replaced, ready} {
		before, err := b.Deployment(t.Context(), d.ID)
		require.NoError(t, err)
		require.ErrorIs(t, b.begin(d, "run-2"), deployment.ErrEnded)
		after, err := b.Deployment(t.Context(), d.ID)
		require.NoError(t, err)
		require.Equal(t, "run-2", after.RunID, "it closes that run in order")
		after.RunID = before.RunID
		require.Equal(t, before, after)
	}
	for _, status := range []deployment.Status{deployment.StatusFailed, deployment.StatusCanceled} {
		d := b.ended(p, status)
		require.NoError(t, b.begin(d, "run-2"))
		require.Equal(t, deployment.StatusQueued, b.status(d.ID))
		_, err := b.Finish(t.Context(), d.ID, "run-1", deployment.StatusFailed, nil)
		require.ErrorIs(t, err, deployment.ErrStaleRun)
	}
}

// Two that make a retry at once make one run; one that dies between the row and the run is followed by the reconciler.
func TestMakeRetry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.ended(b.project("app"), deployment.StatusFailed)
	_, err := b.RequestRetry(t.Context(), d.ID, 0)
	require.NoError(t, err)
	died := errors.New("died")
	require.ErrorIs(t, b.MakeRetry(t.Context(), d.ID, func(context.Context, string) (string, error) { return "", died }), died)
	unmade := b.due("", 0)
	require.Len(t, unmade, 1)
	require.NotNil(t, unmade[0].RetryRequestedAt)
	require.Empty(t, b.due("", time.Hour))
	others, err := b.UnderWay(t.Context(), 0)
	require.NoError(t, err)
	require.Empty(t, others, "it is not lost")

	_, err = b.Finish(t.Context(), d.ID, "run-1", deployment.StatusFailed, nil) // by who saw that its workflow is closed
	require.ErrorIs(t, err, deployment.ErrStaleRun)

	var resets atomic.Int32
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			assert.NoError(t, b.MakeRetry(t.Context(), d.ID, func(_ context.Context, runID string) (string, error) {
				resets.Add(1)
				return "after " + runID, nil
			}))
		})
	}
	wait.Wait()
	require.Equal(t, int32(1), resets.Load())
	made, err := b.Deployment(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, "after run-1", made.RunID)
	require.Nil(t, made.RetryRequestedAt)
	require.Empty(t, b.due("", 0))
}

// A cancel that comes before the new run was made leaves nothing to make.
func TestMakeRetry_NotOfWhatIsCanceled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.ended(b.project("app"), deployment.StatusFailed)
	_, err := b.RequestRetry(t.Context(), d.ID, 0)
	require.NoError(t, err)
	_, err = b.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	require.NoError(t, b.MakeRetry(t.Context(), d.ID, func(context.Context, string) (string, error) { panic("reset") }))
	_, err = b.Finish(t.Context(), d.ID, "run-1", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusCanceled, b.status(d.ID))
}
