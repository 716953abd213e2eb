package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/workflows"
)

// leaseTest is one Lease workflow in the SDK's test environment.
type leaseTest struct {
	*testsuite.TestWorkflowEnvironment
	calls []string // "activity on queue", without looks
	looks []temporal.LeaseLook
}

// newLeaseTest answers looks one after the other; the last says that nothing is to be waited for.
func newLeaseTest(t *testing.T, looks ...temporal.LeaseLook) *leaseTest {
	t.Helper()
	l := &leaseTest{TestWorkflowEnvironment: newEnvironment(), looks: looks}
	for _, set := range []any{&activities.Preview{}, &activities.Control{}} {
		l.RegisterActivity(set)
	}
	l.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.Attempt == 1 && info.ActivityType.Name != "LookAtLease" {
			l.calls = append(l.calls, info.ActivityType.Name+" on "+info.TaskQueue)
		}
	})
	l.OnActivity(control.LookAtLease, mock.Anything, temporal.LookInput{EnvironmentID: "e"}).Return(
		func(context.Context, temporal.LookInput) (temporal.LeaseLook, error) {
			return next(&l.looks, temporal.LeaseLook{Project: "app", Limits: temporal.DefaultLimits()}), nil
		})
	return l
}

func (l *leaseTest) run() error {
	done := temporal.LeaseResult{Done: true}
	l.OnActivity(preview.SleepPreview, mock.Anything, mock.Anything).Return(done, nil).Maybe()
	l.OnActivity(preview.StartPreview, mock.Anything, mock.Anything).Return(done, nil).Maybe()
	l.OnActivity(preview.StopPreview, mock.Anything, mock.Anything).Return(done, nil).Maybe()
	l.OnActivity(control.EndPreview, mock.Anything, mock.Anything).Return(done, nil).Maybe()
	l.OnActivity(control.FindPreviewHost, mock.Anything, mock.Anything).Return(temporal.PlaceResult{HostID: "h2", Queue: "preview@h2"}, nil).Maybe()
	l.ExecuteWorkflow(workflows.Lease, temporal.LeaseInput{EnvironmentID: "e", Limits: temporal.DefaultLimits()})
	return l.GetWorkflowError()
}

func due(act deployment.LeaseAct) temporal.LeaseLook {
	return temporal.LeaseLook{
		Act: act, Why: "why", Project: "app", Environment: "branch/a", DeploymentID: deploymentID, HostID: "h1", HostLives: true, Limits: temporal.DefaultLimits(),
	}
}

func waits(after time.Duration) temporal.LeaseLook {
	look := due("")
	look.After, look.Why = after, "until it may sleep"
	return look
}

func TestLease_DoesWhatIsDueAndWaitsForTheNext(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, waits(30*time.Minute), due(deployment.LeaseSleep), waits(time.Hour), due(deployment.LeaseStart), waits(6*24*time.Hour), due(deployment.LeaseStop))
	begun := l.Now()
	require.NoError(t, l.run())
	require.Equal(t, []string{"SleepPreview on preview@h1", "StartPreview on preview@h1", "StopPreview on preview@h1"}, l.calls)
	require.WithinDuration(t, begun.Add(6*24*time.Hour+90*time.Minute), l.Now(), time.Minute)
}

// Nothing is to be waited for: nobody stays.
func TestLease_EndsWhenNothingIsToBeWaitedFor(t *testing.T) {
	t.Parallel()
	for _, look := range []temporal.LeaseLook{{Gone: true}, {Project: "app", State: deployment.PreviewStopped}} {
		l := newLeaseTest(t, look)
		require.NoError(t, l.run())
		require.Empty(t, l.calls)
	}
}

func TestLease_AWordIsHeardWhileItWaits(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, waits(time.Hour), due(deployment.LeaseStart))
	begun := l.Now()
	l.RegisterDelayedCallback(func() { l.SignalWorkflow(temporal.SignalChanged, nil) }, time.Minute)
	require.NoError(t, l.run())
	require.Equal(t, []string{"StartPreview on preview@h1"}, l.calls)
	require.WithinDuration(t, begun.Add(time.Minute), l.Now(), 30*time.Second)
}

// A word that comes while something is done is heard afterwards, however many there are: one look suffices.
func TestLease_AWordIsHeardAfterWhatIsDone(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, due(deployment.LeaseSleep), due(deployment.LeaseStart))
	l.OnActivity(preview.SleepPreview, mock.Anything, mock.Anything).Return(func(context.Context, temporal.StepInput) (temporal.LeaseResult, error) {
		for range 3 {
			l.SignalWorkflow(temporal.SignalChanged, nil)
		}
		return temporal.LeaseResult{Done: true}, nil
	})
	require.NoError(t, l.run())
	require.Equal(t, []string{"SleepPreview on preview@h1", "StartPreview on preview@h1"}, l.calls)
	l.AssertNumberOfCalls(t, "LookAtLease", 3)
}

func TestLease_AHostThatDoesNotAnswerIsLeft(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, due(deployment.LeaseStart))
	l.OnActivity(preview.StartPreview, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.StepInput) (temporal.LeaseResult, error) {
		if activity.GetInfo(ctx).TaskQueue == "preview@h1" {
			return temporal.LeaseResult{}, sdktemporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)
		}
		return temporal.LeaseResult{Done: true}, nil
	})
	require.NoError(t, l.run())
	require.Equal(t, []string{"StartPreview on preview@h1", "FindPreviewHost on control", "StartPreview on preview@h2"}, l.calls)

	lost := due(deployment.LeaseStart)
	lost.HostLives = false
	l = newLeaseTest(t, lost)
	require.NoError(t, l.run())
	require.Equal(t, []string{"FindPreviewHost on control", "StartPreview on preview@h2"}, l.calls, "nobody asks it first")
}

func TestLease_StopsWhatAHostHoldsThatIsAway(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, due(deployment.LeaseStop))
	l.OnActivity(preview.StopPreview, mock.Anything, mock.Anything).
		Return(temporal.LeaseResult{}, sdktemporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil))
	require.NoError(t, l.run())
	require.Equal(t, []string{"StopPreview on preview@h1", "EndPreview on control"}, l.calls)

	away := due(deployment.LeaseStop)
	away.HostLives = false
	l = newLeaseTest(t, away)
	require.NoError(t, l.run())
	require.Equal(t, []string{"EndPreview on control"}, l.calls)
}

// What cannot be done is tried again after a while, or at the next word.
func TestLease_WhatCannotBeDoneIsTriedAgain(t *testing.T) {
	t.Parallel()
	limits := temporal.DefaultLimits()
	away := appError(deployment.TransientFailure("release.docker_unavailable", "", "connection refused"))
	l := newLeaseTest(t, due(deployment.LeaseSleep), due(deployment.LeaseSleep))
	l.OnActivity(preview.SleepPreview, mock.Anything, mock.Anything).Return(temporal.LeaseResult{}, away).Once()
	begun := l.Now()
	require.NoError(t, l.run())
	require.Len(t, l.calls, 2)
	require.WithinDuration(t, begun.Add(limits.RetryMaximum), l.Now(), limits.RetryMaximum/2)

	l = newLeaseTest(t, due(deployment.LeaseSleep), due(deployment.LeaseStart))
	l.OnActivity(preview.SleepPreview, mock.Anything, mock.Anything).Return(temporal.LeaseResult{}, away).Once()
	l.RegisterDelayedCallback(func() { l.SignalWorkflow(temporal.SignalChanged, nil) }, time.Second)
	begun = l.Now()
	require.NoError(t, l.run())
	require.Equal(t, []string{"SleepPreview on preview@h1", "StartPreview on preview@h1"}, l.calls)
	require.WithinDuration(t, begun, l.Now(), limits.RetryMaximum/2)
}

// What something else was faster with is looked at again, and not at once for ever.
func TestLease_WhatWasNotDoneIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, due(deployment.LeaseSleep), due(deployment.LeaseSleep), due(deployment.LeaseSleep))
	l.OnActivity(preview.SleepPreview, mock.Anything, mock.Anything).Return(temporal.LeaseResult{}, nil)
	begun := l.Now()
	require.NoError(t, l.run())
	require.GreaterOrEqual(t, l.Now().Sub(begun), 3*temporal.DefaultLimits().RetryInitial)
}

func TestLease_ALongHistoryBeginsAnew(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, waits(time.Hour), waits(time.Hour))
	l.SetContinueAsNewSuggested(true)
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, l.run(), &again)
	require.Equal(t, temporal.WorkflowLease, again.WorkflowType.Name)
	l.AssertNumberOfCalls(t, "LookAtLease", 1)
}

// An app that did not come up is waited for, and started again at its time.
func TestLease_WhatDidNotComeUpIsStartedAgainAtItsTime(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, due(deployment.LeaseStart), waits(2*time.Second), due(deployment.LeaseStart), waits(4*time.Second), due(deployment.LeaseStart))
	l.OnActivity(preview.StartPreview, mock.Anything, mock.Anything).
		Return(temporal.LeaseResult{Done: true, Failure: deployment.UserFailure("release.app_exited", "", "exit 1")}, nil).Twice()
	begun := l.Now()
	require.NoError(t, l.run())
	require.Len(t, l.calls, 3)
	require.WithinDuration(t, begun.Add(6*time.Second), l.Now(), time.Second)
}

// What an operator has changed holds from the next look on, for whatever is done then, and for the run that goes on with it.
func TestLease_LimitsAreThoseOfTheNewestLook(t *testing.T) {
	t.Parallel()
	started, changed := due(deployment.LeaseStart), due(deployment.LeaseStart)
	changed.Limits.Release, changed.Limits.Short, changed.Health = time.Hour, time.Second, time.Minute
	l := newLeaseTest(t, started, changed, waits(time.Hour))
	var starts, looks []time.Duration
	l.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == "StartPreview" {
			starts = append(starts, info.StartToCloseTimeout)
		} else {
			looks = append(looks, info.StartToCloseTimeout)
		}
	})
	require.NoError(t, l.run())
	was := temporal.DefaultLimits()
	require.Equal(t, []time.Duration{was.Release, time.Hour + time.Minute}, starts)
	require.Equal(t, []time.Duration{was.Short, was.Short, time.Second, was.Short}, looks)

	l = newLeaseTest(t, changed)
	l.SetContinueAsNewSuggested(true)
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, l.run(), &again)
	var in temporal.LeaseInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	require.Equal(t, temporal.LeaseInput{EnvironmentID: "e", Limits: changed.Limits}, in)
}

// As while workers of before are still there, and for a history of theirs.
func TestLease_ALookWithoutLimitsLeavesThemAsTheyAre(t *testing.T) {
	t.Parallel()
	start := due(deployment.LeaseStart)
	start.Limits = temporal.Limits{}
	l := newLeaseTest(t, start)
	l.SetContinueAsNewSuggested(true)
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, l.run(), &again)
	var in temporal.LeaseInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	require.Equal(t, temporal.DefaultLimits(), in.Limits)
	require.Equal(t, []string{"StartPreview on preview@h1"}, l.calls)
}

func TestLease_ACancelEndsIt(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t, waits(time.Hour))
	l.RegisterDelayedCallback(l.CancelWorkflow, time.Minute)
	require.True(t, sdktemporal.IsCanceledError(l.run()))
	require.Empty(t, l.calls)
}
