package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// get reads a deployment whole.
func (b bench) get(id string) deployment.Deployment {
	b.t.Helper()
	d, err := b.Deployment(b.t.Context(), id)
	require.NoError(b.t, err)
	return d
}

func (b bench) finish(d deployment.Deployment, run string, outcome deployment.Status) deployment.Status {
	b.t.Helper()
	status, err := b.Finish(b.t.Context(), d.ID, run, outcome, nil)
	require.NoError(b.t, err)
	return status
}

func TestSupersede_EndsWhatHasNotBegunAndCancelsTheRest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	elsewhere := b.deploy(p, "branch/a")
	for _, last := range deployment.Steps() {
		canceled := b.deploy(p, "production")
		b.through(canceled, "run", last)
		_, err := b.RequestCancel(t.Context(), canceled.ID)
		require.NoError(t, err)
		begun := b.deploy(p, "production")
		b.through(begun, "run", last)
		queued := b.deploy(p, "production")
		newest := b.deploy(p, "production")

		d := b.get(queued.ID)
		require.Equal(t, deployment.StatusSuperseded, d.Status, "queued commits coalesce")
		require.Equal(t, newest.ID, d.SupersededBy)
		require.NotNil(t, d.FinishedAt)

		d = b.get(begun.ID)
		require.Equal(t, deployment.StatusCanceling, d.Status, last)
		require.Equal(t, queued.ID, d.SupersededBy)
		require.NotNil(t, d.CancelRequestedAt)
		cancel, err := b.CancelingFor(t.Context(), queued.ID)
		require.NoError(t, err)
		require.Equal(t, []string{begun.ID}, cancel)
		again, err := b.RequestCancel(t.Context(), begun.ID)
		require.NoError(t, err)
		require.Equal(t, d, again)

		require.Empty(t, b.get(canceled.ID).SupersededBy)
		require.Equal(t, deployment.StatusCanceled, b.finish(canceled, "run", deployment.StatusFailed), "somebody canceled it first")
		for range 2 {
			require.Equal(t, deployment.StatusSuperseded, b.finish(begun, "run", deployment.StatusCanceled))
		}
		require.Equal(t, queued.ID, b.get(begun.ID).SupersededBy)
		_, err = b.RequestRetry(t.Context(), begun.ID, 0)
		require.ErrorIs(t, err, deployment.ErrReplaced)

		b.live(newest, "run")
		require.Equal(t, deployment.StatusReady, b.status(b.deployBeside(newest).ID), "the route has switched")
	}
	require.Equal(t, deployment.StatusQueued, b.status(elsewhere.ID))
}

// deployBeside makes a newer deployment of the environment, ends it, and returns the older one.
func (b bench) deployBeside(older deployment.Deployment) deployment.Deployment {
	b.t.Helper()
	p, err := b.Project(b.t.Context(), older.ProjectID)
	require.NoError(b.t, err)
	b.finish(b.deploy(p, older.Environment), "", deployment.StatusFailed)
	return b.get(older.ID)
}

// The end is said by whoever is there: a workflow that fails rather than cancels, a reconciler that finds none.
func TestSupersede_WhateverItsEndIsCalled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for _, outcome := range []deployment.Status{deployment.StatusFailed, deployment.StatusCanceled, deployment.StatusSuperseded} {
		d := b.deploy(p, "production")
		b.through(d, "run", deployment.StepRelease)
		newer := b.deploy(p, "production")
		_, err := b.SwitchRoute(t.Context(), "run", preview(d))
		require.ErrorIs(t, err, deployment.ErrCancelRequested)
		require.ErrorIs(t, b.StepStarted(t.Context(), attempt(d, "run", deployment.StepRelease), time.Now()), deployment.ErrCancelRequested)
		require.Equal(t, deployment.StatusSuperseded, b.finish(d, "run", outcome))
		require.Equal(t, newer.ID, b.get(d.ID).SupersededBy)
	}
}

// A workflow that was being started when its deployment was superseded does nothing.
func TestSupersede_ARunThatBeginsTooLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	d, newer := b.deploy(p, "production"), b.deploy(p, "production")
	require.ErrorIs(t, b.begin(d, "late"), deployment.ErrEnded)
	require.ErrorIs(t, b.StepStarted(t.Context(), attempt(d, "late", deployment.StepResolve), time.Now()), deployment.ErrStaleRun)
	require.Equal(t, deployment.StatusSuperseded, b.finish(d, "late", deployment.StatusFailed))
	ended := b.get(d.ID)
	require.Equal(t, newer.ID, ended.SupersededBy)
	require.Nil(t, ended.StartedAt)
}

// A start that Temporal was slow with comes after the cancel, which found nothing to cancel and closed the deployment.
func TestCancel_OfARunThatBeginsTooLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	_, err := b.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusCanceled, b.finish(d, "", deployment.StatusCanceled))
	require.ErrorIs(t, b.begin(d, "late"), deployment.ErrEnded)
	require.Equal(t, deployment.StatusCanceled, b.status(d.ID))

	_, err = b.RequestRetry(t.Context(), d.ID, 0)
	require.NoError(t, err, "unless somebody asks for it")
	require.NoError(t, b.begin(d, "retry"))
}

func TestSupersede_ARetryTakesThePlaceOfOlderOnes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	older, newer := b.ended(p, deployment.StatusFailed), b.ended(p, deployment.StatusFailed)
	_, err := b.RequestRetry(t.Context(), older.ID, 0)
	require.NoError(t, err, "nothing newer is left")
	require.NoError(t, b.begin(older, "again"))
	_, err = b.RequestRetry(t.Context(), newer.ID, 0)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusCanceling, b.status(older.ID))
	require.Equal(t, deployment.StatusSuperseded, b.finish(older, "again", deployment.StatusCanceled))

	unmade := b.ended(b.project("reset"), deployment.StatusFailed)
	_, err = b.RequestRetry(t.Context(), unmade.ID, 0)
	require.NoError(t, err)
	b.deployBeside(unmade)
	require.Equal(t, deployment.StatusSuperseded, b.status(unmade.ID), "nobody has made its run yet")

	third := b.project("third")
	old, failed := b.ended(third, deployment.StatusFailed), b.ended(third, deployment.StatusFailed)
	require.NoError(t, b.begin(old, "reset-by-tctl"))
	require.NoError(t, b.begin(failed, "reset-by-tctl"), "a reset is a retry")
	require.Equal(t, deployment.StatusCanceling, b.status(old.ID))
}

// Of many that are created at once, while others begin, the newest alone goes on, and another environment does not notice.
func TestSupersede_ManyAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	elsewhere := b.deploy(p, "branch/a")
	var wait sync.WaitGroup
	made := make(chan deployment.Deployment, 40)
	for n := range cap(made) {
		wait.Go(func() {
			d := b.deploy(p, "production")
			made <- d
			if n%2 == 0 {
				_ = b.begin(d, "run") // refused when a newer one was faster
			}
		})
	}
	wait.Wait()
	close(made)
	newest, all := deployment.Deployment{}, []deployment.Deployment{}
	for d := range made {
		all = append(all, d)
		if d.Generation > newest.Generation {
			newest = d
		}
	}
	require.EqualValues(t, len(all), newest.Generation)
	for _, d := range all {
		d = b.get(d.ID)
		switch {
		case d.ID == newest.ID:
			require.Equal(t, deployment.StatusQueued, d.Status)
		case d.Status == deployment.StatusCanceling:
			require.Equal(t, deployment.StatusSuperseded, b.finish(d, "run", deployment.StatusCanceled))
		default:
			require.Equal(t, deployment.StatusSuperseded, d.Status)
		}
	}
	require.Equal(t, deployment.StatusQueued, b.status(elsewhere.ID))
}

// A newer deployment and the switch of an older one meet: either it is ready, or it gives way.
func TestSupersedeAgainstSwitch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for range 10 {
		older := b.deploy(p, "production")
		b.through(older, "run", deployment.StepRelease)
		var newer deployment.Deployment
		var switchErr error
		var wait sync.WaitGroup
		wait.Go(func() { newer = b.deploy(p, "production") })
		wait.Go(func() { _, switchErr = b.SwitchRoute(t.Context(), "run", preview(older)) })
		wait.Wait()
		if switchErr == nil {
			require.Equal(t, deployment.StatusReady, b.status(older.ID))
		} else {
			require.ErrorIs(t, switchErr, deployment.ErrCancelRequested)
			require.Equal(t, deployment.StatusSuperseded, b.finish(older, "run", deployment.StatusCanceled))
		}
		require.Equal(t, deployment.StatusQueued, b.status(newer.ID))
	}
}
