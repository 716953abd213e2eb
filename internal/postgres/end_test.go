package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestRequestCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for _, last := range deployment.Steps() {
		d := b.deploy(p, "production")
		b.through(d, "run", last)
		canceled, err := b.RequestCancel(t.Context(), d.ID)
		require.NoError(t, err, last)
		require.Equal(t, deployment.StatusCanceling, canceled.Status)
		require.NotNil(t, canceled.CancelRequestedAt)

		again, err := b.RequestCancel(t.Context(), d.ID)
		require.NoError(t, err)
		require.Equal(t, canceled, again)
	}
	_, err := b.RequestCancel(t.Context(), "nope")
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestWhatHasEndedCannotBeCanceled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	ready := b.deploy(p, "production")
	b.live(ready, "run")
	_, err := b.RequestCancel(t.Context(), ready.ID)
	require.ErrorIs(t, err, deployment.ErrNotCancelable)
	for _, outcome := range []deployment.Status{deployment.StatusFailed, deployment.StatusCanceled, deployment.StatusSuperseded} {
		d := b.deploy(p, "production")
		_, err := b.Finish(t.Context(), d.ID, "", outcome, nil)
		require.NoError(t, err)
		_, err = b.RequestCancel(t.Context(), d.ID)
		require.ErrorIs(t, err, deployment.ErrNotCancelable)
		require.Equal(t, outcome, b.status(d.ID))
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	failure := &deployment.Failure{Class: deployment.ClassUser, Code: "build.command_failed", Message: "exit 3", Lines: []string{"a\x00b"}}
	for name, c := range map[string]struct {
		cancel        bool
		outcome, want deployment.Status
	}{
		"failed":                   {false, deployment.StatusFailed, deployment.StatusFailed},
		"canceled":                 {false, deployment.StatusCanceled, deployment.StatusCanceled},
		"superseded":               {false, deployment.StatusSuperseded, deployment.StatusSuperseded},
		"failed while canceling":   {true, deployment.StatusFailed, deployment.StatusCanceled},
		"canceled while canceling": {true, deployment.StatusCanceled, deployment.StatusCanceled},
		"lost while canceling":     {true, deployment.StatusSuperseded, deployment.StatusSuperseded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.deploy(b.project("app"), "production")
			b.through(d, "run", deployment.StepBuild)
			if c.cancel {
				_, err := b.RequestCancel(t.Context(), d.ID)
				require.NoError(t, err)
			}
			for range 2 {
				status, err := b.Finish(t.Context(), d.ID, "run", c.outcome, failure)
				require.NoError(t, err)
				require.Equal(t, c.want, status)
			}
			ended, err := b.Deployment(t.Context(), d.ID)
			require.NoError(t, err)
			require.Equal(t, c.want, ended.Status)
			require.NotNil(t, ended.FinishedAt)
			require.Nil(t, ended.Step)
			steps, err := b.Steps(t.Context(), d.ID)
			require.NoError(t, err)
			last := steps[len(steps)-1]
			require.NotNil(t, last.FinishedAt)
			if c.want == deployment.StatusFailed {
				require.Equal(t, failure, ended.Failure)
				require.Equal(t, deployment.StepFailed, last.Status)
				return
			}
			require.Nil(t, ended.Failure)
			require.Equal(t, deployment.StepCanceled, last.Status)
		})
	}
}

func TestFinishNamesWhatIsLiveInstead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	abreast, elsewhere := b.abreast(p, "production", 3), b.deploy(p, "branch/a")
	older, failed, newer := abreast[0], abreast[1], abreast[2]
	for _, d := range []deployment.Deployment{older, failed, elsewhere} {
		b.through(d, "run", deployment.StepRelease)
	}
	b.live(newer, "run-2")
	_, err := b.SwitchRoute(t.Context(), "run", preview(older))
	require.ErrorIs(t, err, deployment.ErrSuperseded)
	for _, c := range []struct {
		d       deployment.Deployment
		outcome deployment.Status
		by      string
	}{
		{older, deployment.StatusSuperseded, newer.ID},
		{failed, deployment.StatusFailed, ""},
		{elsewhere, deployment.StatusSuperseded, ""}, // nothing is live there
	} {
		_, err := b.Finish(t.Context(), c.d.ID, "run", c.outcome, &deployment.Failure{Class: deployment.ClassUser, Code: "x", Message: "x"})
		require.NoError(t, err)
		ended, err := b.Deployment(t.Context(), c.d.ID)
		require.NoError(t, err)
		require.Equal(t, c.outcome, ended.Status)
		require.Equal(t, c.by, ended.SupersededBy)
	}
}

func TestFinishLeavesWhatIsReady(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	b.live(d, "run")
	status, err := b.Finish(t.Context(), d.ID, "run", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusReady, status)
}

func TestFinishRefusesWhatIsNoEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	b.through(d, "run", deployment.StepRelease)
	for _, outcome := range []deployment.Status{deployment.StatusReady, deployment.StatusQueued, deployment.StatusCanceling, "nonsense"} {
		_, err := b.Finish(t.Context(), d.ID, "run", outcome, nil)
		require.ErrorIs(t, err, deployment.ErrInvalidMove, outcome)
	}
}

func TestCanceling(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run-1")
	require.ErrorIs(t, b.Canceling(t.Context(), d.ID, "run-0"), deployment.ErrStaleRun)
	require.NoError(t, b.Canceling(t.Context(), d.ID, "run-1"))
	require.NoError(t, b.Canceling(t.Context(), d.ID, "run-1"))
	require.Equal(t, deployment.StatusCanceling, b.status(d.ID))
	_, err := b.Finish(t.Context(), d.ID, "run-1", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	require.NoError(t, b.Canceling(t.Context(), d.ID, "run-1"))
	require.Equal(t, deployment.StatusCanceled, b.status(d.ID))
}

// A cancel and the switch meet: one of them wins, and both are told the same story.
func TestCancelAgainstSwitch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for range 10 {
		d := b.deploy(p, "production")
		b.through(d, "run", deployment.StepRelease)
		var cancelErr, switchErr error
		var wait sync.WaitGroup
		wait.Go(func() { _, cancelErr = b.RequestCancel(t.Context(), d.ID) })
		wait.Go(func() { _, switchErr = b.SwitchRoute(t.Context(), "run", preview(d)) })
		wait.Wait()
		if switchErr == nil {
			require.ErrorIs(t, cancelErr, deployment.ErrNotCancelable)
			require.Equal(t, deployment.StatusReady, b.status(d.ID))
			continue
		}
		require.NoError(t, cancelErr)
		require.ErrorIs(t, switchErr, deployment.ErrCancelRequested)
		status, err := b.Finish(t.Context(), d.ID, "run", deployment.StatusFailed, nil)
		require.NoError(t, err)
		require.Equal(t, deployment.StatusCanceled, status)
	}
}

func TestStepsEndWithTheDeployment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	require.NoError(t, b.StepStarted(t.Context(), attempt(d, "run", deployment.StepFetch), time.Now()))
	_, err := b.Finish(t.Context(), d.ID, "run", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	late := attempt(d, "run", deployment.StepFetch)
	require.NoError(t, b.StepEnded(t.Context(), late, deployment.StepSucceeded, nil, nil, time.Now()))
	steps, err := b.Steps(t.Context(), d.ID)
	require.NoError(t, err)
	require.Len(t, steps, 1)
	require.Equal(t, deployment.StepCanceled, steps[0].Status, "a late word changes nothing")
}
