package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func (b bench) steps(id string) []deployment.Step {
	b.t.Helper()
	steps, err := b.Steps(b.t.Context(), id)
	require.NoError(b.t, err)
	return steps
}

func (b bench) now(id string) *deployment.StepNow {
	b.t.Helper()
	d, err := b.Deployment(b.t.Context(), id)
	require.NoError(b.t, err)
	return d.Step
}

func TestStepsOfOneRelease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	start := time.Now().UTC().Truncate(time.Microsecond)
	second := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	a := attempt(d, "run", deployment.StepBuild)

	b.through(d, "run", deployment.StepPlan)
	require.NoError(t, b.StepEnded(t.Context(), attempt(d, "run", deployment.StepPlan), deployment.StepReused, nil, nil, start))
	require.NoError(t, b.StepStarted(t.Context(), a, second(1)))
	require.Equal(t, deployment.StatusBuilding, b.status(d.ID))
	require.Equal(t, &deployment.StepNow{Name: deployment.StepBuild, Attempt: 1}, b.now(d.ID))

	solve, push := a, a
	solve.Phase, push.Phase = deployment.PhaseSolve, deployment.PhasePush
	require.NoError(t, b.StepPhase(t.Context(), solve, second(2)))
	require.NoError(t, b.StepProgress(t.Context(), solve, deployment.Progress{Percent: 40, Done: 2, Total: 5}))
	want := &deployment.StepNow{Name: deployment.StepBuild, Attempt: 1}
	want.Progress = deployment.Progress{Phase: deployment.PhaseSolve, Percent: 40, Done: 2, Total: 5}
	require.Equal(t, want, b.now(d.ID))
	require.NoError(t, b.StepPhase(t.Context(), push, second(3)))
	require.NoError(t, b.StepEnded(t.Context(), a, deployment.StepSucceeded, nil, nil, second(4)))

	steps := b.steps(d.ID)
	require.Len(t, steps, 6)
	require.Equal(t, deployment.StepReused, steps[2].Status)
	for i, phase := range []deployment.Phase{deployment.PhaseNone, deployment.PhaseSolve, deployment.PhasePush} {
		end := second(i + 2)
		require.Equal(t, deployment.Step{
			Name: deployment.StepBuild, Phase: phase, Attempt: 1, RunID: "run", Host: "host-1", Status: deployment.StepSucceeded,
			StartedAt: second(i + 1), FinishedAt: &end,
		}, steps[i+3])
	}
}

func TestARetryIsAnnounced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	a := attempt(d, "run", deployment.StepFetch)
	require.NoError(t, b.StepStarted(t.Context(), a, time.Now()))
	failure := &deployment.Failure{
		Class: deployment.ClassTransient, Code: "fetch.reset", Message: "connection reset", Component: deployment.ComponentGit,
	}
	next := time.Now().Add(time.Minute).UTC().Truncate(time.Second)
	require.NoError(t, b.StepEnded(t.Context(), a, deployment.StepFailed, failure, &next, time.Now()))

	now := b.now(d.ID)
	require.Equal(t, &next, now.NextAttemptAt)
	require.Equal(t, "the git server", now.WaitingFor)
	require.Equal(t, failure, b.steps(d.ID)[0].Failure)

	a.Attempt = 2
	require.NoError(t, b.StepStarted(t.Context(), a, time.Now()))
	require.Equal(t, &deployment.StepNow{Name: deployment.StepFetch, Attempt: 2}, b.now(d.ID))
	late := a
	late.Attempt = 1
	require.NoError(t, b.StepProgress(t.Context(), late, deployment.Progress{Percent: 99}))
	require.Zero(t, b.now(d.ID).Percent, "a late word of the first attempt changes nothing")
}

func TestAwaitSlot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	a := attempt(d, "run", deployment.StepResolve)
	require.NoError(t, b.StepStarted(t.Context(), a, time.Now()))
	require.NoError(t, b.StepEnded(t.Context(), a, deployment.StepSucceeded, nil, nil, time.Now()))
	require.Empty(t, b.now(d.ID).WaitingFor)
	for range 2 {
		require.NoError(t, b.AwaitSlot(t.Context(), a))
		require.Equal(t, "a build slot", b.now(d.ID).WaitingFor)
		require.Equal(t, 1, b.now(d.ID).QueuePosition)
	}
	require.NoError(t, b.StepStarted(t.Context(), attempt(d, "run", deployment.StepFetch), time.Now()))
	fetching := b.now(d.ID)
	require.Empty(t, fetching.WaitingFor)
	require.Zero(t, fetching.QueuePosition)
	require.NoError(t, b.AwaitSlot(t.Context(), a))
	require.Equal(t, fetching, b.now(d.ID), "a late word changes nothing")
	a.RunID = "another"
	require.ErrorIs(t, b.AwaitSlot(t.Context(), a), deployment.ErrStaleRun)
}

func TestAnAttemptThatDiedIsLost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run-1")
	dead := attempt(d, "run-1", deployment.StepFetch)
	require.NoError(t, b.StepStarted(t.Context(), dead, time.Now()))
	require.NoError(t, b.begin(d, "run-2"))
	require.NoError(t, b.StepStarted(t.Context(), attempt(d, "run-2", deployment.StepResolve), time.Now()))
	require.Equal(t, deployment.StatusQueued, b.status(d.ID))

	statuses := []deployment.StepStatus{}
	for _, step := range b.steps(d.ID) {
		statuses = append(statuses, step.Status)
	}
	require.Equal(t, []deployment.StepStatus{deployment.StepLost, deployment.StepRunning}, statuses)

	for _, err := range []error{
		b.StepStarted(t.Context(), dead, time.Now()), b.StepPhase(t.Context(), dead, time.Now()),
		b.StepProgress(t.Context(), dead, deployment.Progress{Percent: 1}),
		b.StepEnded(t.Context(), dead, deployment.StepSucceeded, nil, nil, time.Now()),
	} {
		require.ErrorIs(t, err, deployment.ErrStaleRun)
	}
}

// Postgres was away when the step ended: that its run went on says how.
func TestAStepThatTheNextOneFollowsHasSucceeded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	follows := func(first, next deployment.StepName) deployment.StepStatus {
		require.NoError(t, b.StepStarted(t.Context(), attempt(d, "run", first), time.Now()))
		before := len(b.steps(d.ID))
		require.NoError(t, b.StepStarted(t.Context(), attempt(d, "run", next), time.Now()))
		return b.steps(d.ID)[before-1].Status
	}
	require.Equal(t, deployment.StepSucceeded, follows(deployment.StepFetch, deployment.StepPlan))
	require.Equal(t, deployment.StepLost, follows(deployment.StepBuild, deployment.StepResolve), "the host is gone, and all begins anew")
}

func TestALostAttemptOfTheSameRunMakesNoMorePhases(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	dead := attempt(d, "run", deployment.StepFetch)
	require.NoError(t, b.StepStarted(t.Context(), dead, time.Now()))
	next := dead
	next.Attempt = 2
	require.NoError(t, b.StepStarted(t.Context(), next, time.Now()))
	dead.Phase = deployment.PhasePull
	require.NoError(t, b.StepPhase(t.Context(), dead, time.Now()))
	require.NoError(t, b.StepEnded(t.Context(), dead, deployment.StepFailed, nil, nil, time.Now()))
	steps := b.steps(d.ID)
	require.Len(t, steps, 2)
	require.Equal(t, deployment.StepLost, steps[0].Status)
	require.Equal(t, deployment.StepRunning, steps[1].Status)
}

func TestAStepThatIsToldTwiceIsOneRow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	a := attempt(d, "run", deployment.StepResolve)
	require.NoError(t, b.StepStarted(t.Context(), a, time.Now()))
	require.NoError(t, b.StepStarted(t.Context(), a, time.Now()))
	steps := b.steps(d.ID)
	require.Len(t, steps, 1)
	require.Equal(t, deployment.StepRunning, steps[0].Status)
}

func TestNoStepStartsAfterACancelOrTheEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	_, err := b.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	require.ErrorIs(t, b.StepStarted(t.Context(), attempt(d, "run", deployment.StepFetch), time.Now()), deployment.ErrCancelRequested)
	_, err = b.Finish(t.Context(), d.ID, "run", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	require.ErrorIs(t, b.StepStarted(t.Context(), attempt(d, "run", deployment.StepFetch), time.Now()), deployment.ErrStaleRun)
	require.Empty(t, b.steps(d.ID))
}

func TestPhasesAfterTheSwitchAreRecorded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	b.live(d, "run")
	drain := attempt(d, "run", deployment.StepRelease)
	drain.Phase = deployment.PhaseDrain
	require.NoError(t, b.StepPhase(t.Context(), drain, time.Now()))
	require.NoError(t, b.StepProgress(t.Context(), drain, deployment.Progress{Percent: 50}))
	require.Nil(t, b.now(d.ID), "a deployment that is ready is in no step")
	require.NoError(t, b.StepEnded(t.Context(), drain, deployment.StepSucceeded, nil, nil, time.Now()))
	steps := b.steps(d.ID)
	last := steps[len(steps)-1]
	require.Equal(t, deployment.PhaseDrain, last.Phase)
	require.Equal(t, deployment.StepSucceeded, last.Status)
	require.Equal(t, deployment.StatusReady, b.status(d.ID))
}

func TestARunThatWasResetInTheMiddleGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	b.through(d, "run-1", deployment.StepRelease)
	b.through(d, "run-2", deployment.StepRelease)
	_, err := b.SwitchRoute(t.Context(), "run-2", preview(d))
	require.NoError(t, err)
	require.Equal(t, deployment.StatusReady, b.status(d.ID))
}
