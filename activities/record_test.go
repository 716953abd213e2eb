package activities_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

func (b *bench) wholeDeploy(d deployment.Deployment) script {
	return func(ctx workflow.Context) error {
		if err := b.upTo(ctx, d, deployment.StepRelease); err != nil {
			return err
		}
		_, err := call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(d))
		return err
	}
}

func TestRecorder_StepsOfADeploy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	seen := map[deployment.StepName]deployment.Deployment{}
	b.git.on("before fetch", func(context.Context) error { seen[deployment.StepFetch] = b.get(d); return nil })
	b.planner.on("plan", func(context.Context) error { seen[deployment.StepPlan] = b.get(d); return nil })
	b.builder.on("before push", func(context.Context) error { seen[deployment.StepBuild] = b.get(d); return nil })
	b.engine.on("probe", func(context.Context) error { seen[deployment.StepRelease] = b.get(d); return nil })
	require.NoError(t, b.run(d, b.wholeDeploy(d)))

	for step, during := range seen {
		require.Equal(t, step.Status(), during.Status)
		require.Equal(t, step, during.Step.Name)
		require.Equal(t, 1, during.Step.Attempt)
	}
	require.Equal(t, deployment.PhaseSolve, seen[deployment.StepBuild].Step.Phase)
	require.Equal(t, deployment.PhaseProbe, seen[deployment.StepRelease].Step.Phase)
	all, err := b.store.Steps(t.Context(), d.ID)
	require.NoError(t, err)
	var rows []string
	for _, s := range all {
		require.Equal(t, hostID, s.Host)
		require.NotNil(t, s.FinishedAt)
		rows = append(rows, strings.TrimSuffix(fmt.Sprintf("%s/%s", s.Name, s.Phase), "/")+" "+string(s.Status))
	}
	require.Equal(t, []string{
		"resolve succeeded", "fetch succeeded", "plan succeeded", "build/solve succeeded", "release/pull succeeded",
		"release/start succeeded", "release/probe succeeded", "release/switch succeeded",
	}, rows)
	require.Equal(t, deployment.StatusReady, b.get(d).Status)
}

func TestRecorder_FailureThenRetryThenSuccess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.git.on("before fetch", once(func(context.Context) error {
		return deployment.AwayFailure(deployment.ComponentGit, "source.unreachable", "try again", "connect: %w", errors.New("refused"))
	}))
	waiting := b.lookOn()
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.upTo(ctx, d, deployment.StepFetch); err != nil {
			return err
		}
		ctx = b.options(ctx)
		ctx = workflow.WithRetryPolicy(ctx, sdktemporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumAttempts: 2})
		return workflow.ExecuteActivity(ctx, b.source.FetchSource, temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit}).Get(ctx, nil)
	}))
	between := <-waiting
	require.Equal(t, deployment.StatusFetching, between.Status)
	require.Equal(t, "the git server", between.Step.WaitingFor)
	require.Equal(t, 1, between.Step.Attempt)
	steps := b.steps(d, deployment.StepFetch)
	require.Equal(t, []deployment.StepStatus{deployment.StepFailed, deployment.StepSucceeded}, statuses(steps))
	require.Equal(t, "source.unreachable", steps[0].Failure.Code)
	require.Equal(t, deployment.StepFetch, steps[0].Failure.Step)
	next := *between.Step.NextAttemptAt
	require.False(t, next.Before(steps[0].StartedAt.Add(time.Second)) || next.After(steps[0].FinishedAt.Add(time.Second)), "%s: a second after the failure", next)
	require.Greater(t, steps[1].StartedAt.Sub(next), -10*time.Millisecond, "the server counts from when it hears of the failure")
	require.Contains(t, b.log(d), "fetch failed: connect: refused")
}

func TestRecorder_WhatIsNotRetriedAnnouncesNoNextAttempt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want deployment.StepStatus
	}{
		"user":           {deployment.UserFailure("plan.none", "add a file", "nothing to build"), deployment.StepFailed},
		"superseded":     {fmt.Errorf("switch: %w", deployment.ErrSuperseded), deployment.StepCanceled},
		"cancel asked":   {fmt.Errorf("switch: %w", deployment.ErrCancelRequested), deployment.StepCanceled},
		"last attempt":   {errors.New("broken"), deployment.StepFailed},
		"workspace gone": {nil, deployment.StepFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.deploy()
			b.planner.on("plan", func(context.Context) error { return test.err })
			require.Error(t, b.run(d, func(ctx workflow.Context) error {
				if err := b.upTo(ctx, d, deployment.StepPlan); err != nil {
					return err
				}
				if test.err == nil {
					if err := b.workspaces.Remove(d.ID); err != nil {
						return err
					}
				}
				_, err := call[temporal.PlanResult](ctx, b, b.plan.MakePlan, temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit})
				return err
			}))
			steps := b.steps(d, deployment.StepPlan)
			require.Equal(t, test.want, steps[len(steps)-1].Status)
			if now := b.get(d).Step; name != "last attempt" {
				require.Len(t, steps, 1)
				require.Nil(t, now.NextAttemptAt)
			} else {
				require.Len(t, steps, 3)
				require.Nil(t, now.NextAttemptAt, "of the third of three attempts")
			}
		})
	}
}

// counted counts writes of progress.
type counted struct {
	activities.StepRecorder
	progress atomic.Int64
	phases   atomic.Int64
}

func (c *counted) StepProgress(ctx context.Context, a activities.StepAttempt, p deployment.Progress) error {
	c.progress.Add(1)
	return c.StepRecorder.StepProgress(ctx, a, p)
}

func (c *counted) StepPhase(ctx context.Context, a activities.StepAttempt, at time.Time) error {
	c.phases.Add(1)
	return c.StepRecorder.StepPhase(ctx, a, at)
}

func TestRecorder_ProgressIsWrittenOnceASecond(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	count := &counted{StepRecorder: b.store}
	b.recorder.Steps = count
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	b.recorder.Now = func() time.Time { return time.Unix(0, clock.Load()) }
	b.builder.say = func(sink deployment.BuildSink) {
		for i := range 30 { // three seconds, ten words each
			clock.Add(int64(100 * time.Millisecond))
			sink.Progress(deployment.Progress{Phase: deployment.PhaseSolve, Percent: i})
		}
		sink.Progress(deployment.Progress{Phase: deployment.PhasePush, Bytes: 1})
	}
	require.NoError(t, b.run(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepRelease) }))
	require.LessOrEqual(t, count.progress.Load(), int64(4), "at once, then once a second")
	require.GreaterOrEqual(t, count.progress.Load(), int64(2))
	require.EqualValues(t, 1, count.phases.Load(), "the phase in which a step begins is not begun again")
	steps := b.steps(d, deployment.StepBuild)
	require.Equal(t, []deployment.Phase{deployment.PhaseSolve, deployment.PhasePush}, []deployment.Phase{steps[0].Phase, steps[1].Phase})
}

// slow takes its time to write a phase.
type slow struct{ activities.StepRecorder }

func (s slow) StepPhase(ctx context.Context, a activities.StepAttempt, at time.Time) error {
	select {
	case <-time.After(1200 * time.Millisecond):
		return s.StepRecorder.StepPhase(ctx, a, at)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A phase is told once: who gave it up soon would never show it.
func TestRecorder_APhaseIsWrittenThoughPostgresIsSlow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.recorder.Steps = slow{b.store}
	d := b.deploy()
	require.NoError(t, b.run(d, b.wholeDeploy(d)))
	var phases []deployment.Phase
	for _, s := range b.steps(d, deployment.StepRelease) {
		phases = append(phases, s.Phase)
	}
	require.Equal(t, []deployment.Phase{deployment.PhasePull, deployment.PhaseStart, deployment.PhaseProbe, deployment.PhaseSwitch}, phases)
}

func TestRecorder_StaleRunWritesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.builder.on("before push", func(ctx context.Context) error { return b.takeOver(ctx, d, "a newer run") })
	var before []deployment.Step
	err := b.run(d, func(ctx workflow.Context) error {
		err := b.upTo(ctx, d, deployment.StepRelease)
		before = b.steps(d, deployment.StepBuild)
		return err
	})
	require.True(t, activities.IsType(err, activities.ErrTypeStaleRun), "%v", err)
	require.Empty(t, b.get(d).ImageDigest)
	require.Equal(t, []deployment.StepStatus{deployment.StepLost}, statuses(before), "as the newer run left it")

	err = b.run(d, func(ctx workflow.Context) error { // another run of the workflow is not the newest either
		_, err := call[none](ctx, b, b.slots.VacateHost, temporal.CleanUpInput{DeploymentID: d.ID})
		return err
	})
	require.True(t, activities.IsType(err, activities.ErrTypeStaleRun), "%v", err)
}

func TestRecorder_CancelThatOnlyTheRowKnows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	_, err := b.store.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	err = b.run(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepFetch) })
	require.True(t, activities.IsType(err, activities.ErrTypeCancelAsked), "%v", err)
	require.Equal(t, deployment.StatusCanceling, b.get(d).Status)
	require.Empty(t, b.steps(d, deployment.StepResolve), "nothing was begun")
}

const secret = "s3cr3t-value-of-a-variable"

func (b *bench) setSecret() {
	b.t.Helper()
	vars := []deployment.EnvVar{{Name: "TOKEN", Value: secret, Target: deployment.TargetBoth}}
	require.NoError(b.t, b.store.ReplaceEnvVars(b.t.Context(), deployment.Scope{ProjectID: b.project.ID}, vars))
}

func TestRecorder_SecretsReachNoFailureAndNoLog(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"failure": func() error {
			f := deployment.UserFailure("build.command_failed", "", "curl -H %s: exit 22", secret)
			f.Lines = []string{"+ curl -H " + secret, strings.Repeat("x", 1<<20)}
			return f
		},
		"panic": func() error { panic("with " + secret) },
		"url":   func() error { return errors.New("push https://user:" + secret + "@registry/: denied") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.setSecret()
			d := b.deploy()
			b.builder.on("before push", func(context.Context) error { return fail() })
			run := b.start(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepRelease) })
			err := run.Get(t.Context(), nil)
			require.Error(t, err)
			require.NotContains(t, err.Error(), secret)
			require.NotContains(t, b.history(run), secret)
			steps := b.steps(d, deployment.StepBuild)
			require.NotContains(t, fmt.Sprintf("%+v", *steps[0].Failure), secret)
			require.NotContains(t, strings.Join(b.log(d), "\n"), secret)
			if name == "failure" {
				require.Len(t, steps[0].Failure.Lines, 2)
				require.Less(t, len(steps[0].Failure.Lines[1]), 4<<10, "a line is cut before it bursts the history")
			}
		})
	}
}

// The end of one attempt must not uncover what another attempt on the same host prints.
func TestRecorder_SecretsOutliveTheEndOfAnotherAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.silence = brief
	b.setSecret()
	d := b.deploy()
	firstMayEnd, secondStarted, secondMayPrint := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	b.builder.on("before push", func(ctx context.Context) error {
		if calls.Add(1) == 1 {
			b.beats.silence(ctx)
			<-firstMayEnd
			return errors.New("the end of the first")
		}
		close(secondStarted)
		<-secondMayPrint
		return nil
	})
	b.builder.say = func(sink deployment.BuildSink) { sink.Line(deployment.StreamStdout, "token is "+secret) }
	run := b.start(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepRelease) })
	<-secondStarted
	close(firstMayEnd)
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(b.log(d), "\n"), "the end of the first") }, soon, interval)
	// The first attempt's last word on this deployment is the end of its row, which is refused; that has happened when
	// its activity has left the interceptor.
	require.Eventually(t, func() bool { return b.recorder.Holds(d.ID) == 1 }, soon, interval/10)
	close(secondMayPrint)
	require.NoError(t, run.Get(t.Context(), nil))
	require.Contains(t, b.log(d), "token is ***")
	b.untilNobodyIsAtWork(d)
}

// Postgres is away while a step runs, for longer than all attempts would take one after the other.
func TestRecorder_PostgresAwayInTheMiddleOfAStep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.git.on("after fetch", once(func(context.Context) error {
		back := b.outage()
		time.AfterFunc(3*time.Second, back)
		return nil
	}))
	require.NoError(t, b.run(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepPlan) }))
	require.Equal(t, []deployment.StepStatus{deployment.StepSucceeded}, statuses(b.steps(d, deployment.StepFetch)),
		"the end is recorded once Postgres is back")
	require.Contains(t, strings.Join(b.log(d), "\n"), "checked out 1 files")
}

func TestRecorder_PostgresAwayAtTheStartOfAStep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.upTo(ctx, d, deployment.StepFetch); err != nil {
			return err
		}
		time.AfterFunc(3*time.Second, b.outage())
		_, err := call[none](ctx, b, b.source.FetchSource, temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit})
		return err
	}))
	steps := b.steps(d, deployment.StepFetch)
	require.Equal(t, []deployment.StepStatus{deployment.StepSucceeded}, statuses(steps))
	require.Equal(t, 1, steps[0].Attempt, "no attempt is used up, nor its heartbeat missed")
}

// deaf refuses to record ends.
type deaf struct{ activities.StepRecorder }

func (deaf) StepEnded(context.Context, activities.StepAttempt, deployment.StepStatus, *deployment.Failure, *time.Time, time.Time) error {
	return fmt.Errorf("no: %w", deployment.ErrInvalidMove)
}

func TestRecorder_AnEndThatCannotBeRecordedFailsNoStep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.recorder.Steps = deaf{b.store}
	require.NoError(t, b.run(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepPlan) }))
	require.Equal(t, []deployment.StepStatus{deployment.StepSucceeded}, statuses(b.steps(d, deployment.StepResolve)), "the next step tells")
	require.Equal(t, deployment.StatusFetching, b.get(d).Status)
}
