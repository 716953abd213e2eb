package activities_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

// silentBuild is a deploy whose build says nothing and ends only with its context.
func (b *bench) silentBuild(d deployment.Deployment) (s script, started <-chan struct{}, ended <-chan time.Time) {
	begun, over := make(chan struct{}), make(chan time.Time, 1)
	b.builder.on("before push", once(func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		over <- time.Now()
		return context.Cause(ctx)
	}))
	return func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepRelease) }, begun, over
}

func TestHeartbeat_CancelReachesASilentActivity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.recorder.Heartbeats.Interval = time.Second // long enough to be told from the machine's own slowness
	d := b.deploy()
	s, started, ended := b.silentBuild(d)
	b.silence = time.Minute
	run := b.start(d, s)
	<-started
	asked := time.Now()
	require.NoError(t, b.client.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	require.Less(t, (<-ended).Sub(asked), 30*time.Second, "without slipway's own beats the server tells of it after 48")
	err := run.Get(t.Context(), nil)
	require.True(t, sdktemporal.IsCanceledError(err), "%v", err)
	require.Equal(t, []deployment.StepStatus{deployment.StepCanceled}, statuses(b.steps(d, deployment.StepBuild)))
}

func TestHeartbeat_SurvivesAKilledServer(t *testing.T) {
	t.Parallel()
	server := devservertest.New(t)
	b := newBenchOn(t, server.Client(t))
	d := b.deploy()
	begun, goOn := make(chan struct{}), make(chan struct{})
	var endedEarly atomic.Bool
	b.builder.on("before push", once(func(ctx context.Context) error {
		close(begun)
		select {
		case <-goOn:
		case <-ctx.Done():
			endedEarly.Store(true)
		}
		return nil
	}))
	b.silence = time.Minute // a start of the server on a busy machine included
	run := b.start(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepRelease) })
	<-begun
	server.Kill()
	missed := b.beats.sent.Load()
	require.Eventually(t, func() bool { return b.beats.sent.Load() > missed+3 }, soon, interval, "it tries on while the server is away")
	server.Restart(t)
	heard := b.beats.heard.Load()
	require.Eventually(t, func() bool { return b.beats.heard.Load() > heard+1 }, soon, interval, "and is heard again")
	close(goOn)
	require.NoError(t, run.Get(t.Context(), nil))
	require.False(t, endedEarly.Load())
	steps := b.steps(d, deployment.StepBuild)
	require.Equal(t, []deployment.StepStatus{deployment.StepSucceeded}, statuses(steps))
	require.Equal(t, 1, steps[0].Attempt)
}

func TestHeartbeat_WorkerShutdownIsAnotherAttemptsToRepeat(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	s, started, _ := b.silentBuild(d)
	b.start(d, s)
	<-started
	b.stop()
	require.Eventually(t, func() bool {
		return statuses(b.steps(d, deployment.StepBuild))[0] == deployment.StepFailed
	}, soon, interval)
	failure := b.steps(d, deployment.StepBuild)[0].Failure
	require.Equal(t, "worker.shutdown", failure.Code)
	require.Equal(t, deployment.ClassTransient, failure.Class)
}

func TestAtEdge(t *testing.T) {
	t.Parallel()
	alive := context.Background()
	ended := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		return ctx
	}
	user := deployment.UserFailure("plan.none", "add a file", "nothing to build")
	for name, test := range map[string]struct {
		ctx      context.Context //nolint:containedctx // the context is what differs
		err      error
		typeName string
		class    deployment.Class
		final    bool
	}{
		"user":            {alive, fmt.Errorf("plan: %w", user), "plan.none", deployment.ClassUser, true},
		"transient":       {alive, deployment.TransientFailure("x.y", "", "z"), "x.y", deployment.ClassTransient, false},
		"unknown":         {alive, errors.New("z"), "internal", deployment.ClassPlatform, false},
		"deadline":        {alive, fmt.Errorf("ask: %w", context.DeadlineExceeded), "timeout", deployment.ClassTransient, false},
		"stale":           {alive, fmt.Errorf("a: %w", deployment.ErrStaleRun), activities.ErrTypeStaleRun, "", true},
		"superseded":      {alive, fmt.Errorf("a: %w", deployment.ErrSuperseded), activities.ErrTypeSuperseded, "", true},
		"cancel asked":    {alive, fmt.Errorf("a: %w", deployment.ErrCancelRequested), activities.ErrTypeCancelAsked, "", true},
		"worker shutdown": {ended(sdkworker.ErrWorkerShutdown), context.Canceled, "worker.shutdown", deployment.ClassTransient, false},
		"a user failure as the worker shuts down is not the user's": {ended(sdkworker.ErrWorkerShutdown), user, "worker.shutdown", deployment.ClassTransient, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := activities.AtEdge(test.ctx, test.err, deployment.StepPlan)
			var app *sdktemporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, test.typeName, app.Type())
			require.Equal(t, test.final, app.NonRetryable())
			if test.class != "" {
				failure := activities.Failure(err, "")
				require.Equal(t, test.class, failure.Class)
				require.Equal(t, deployment.StepPlan, failure.Step)
			}
		})
	}
	away := deployment.AwayFailure(deployment.ComponentRegistry, "build.push_failed", "check it", "push image: refused")
	onTheWire := activities.AtEdge(alive, away, deployment.StepBuild)
	require.ErrorContains(t, onTheWire, "needs the registry: push image: refused")
	require.Equal(t, "push image: refused", activities.Failure(onTheWire, "").Message, "what people read names the component apart")
	require.NoError(t, activities.AtEdge(ended(sdktemporal.NewCanceledError()), nil, deployment.StepPlan), "what is done is done")
	require.True(t, sdktemporal.IsCanceledError(activities.AtEdge(ended(sdktemporal.NewCanceledError()), errors.New("signal: killed"), deployment.StepPlan)))
}

// What the last attempt said of itself is not lost when the next one dies before it says anything.
func TestHeartbeat_DetailsOutliveASilentAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	var calls atomic.Int64
	b.builder.on("after push", once(func(context.Context) error {
		b.beats.waitHeard(2) // the tag is known to the server
		panic("the first attempt dies after its push")
	}))
	b.shelf.on("digest", func(context.Context) error {
		if calls.Add(1) == 1 {
			b.beats.waitHeard(2)
			panic("the second one while it looks")
		}
		return nil
	})
	var built temporal.BuildResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
		if err := b.upTo(ctx, d, deployment.StepBuild); err != nil {
			return err
		}
		built, err = call[temporal.BuildResult](ctx, b, b.build.BuildImage, b.buildInput(d))
		return err
	}))
	require.True(t, built.Reused)
	require.Len(t, b.builder.solves(), 1)
	require.Equal(t, []deployment.StepStatus{deployment.StepFailed, deployment.StepFailed, deployment.StepReused}, statuses(b.steps(d, deployment.StepBuild)))
}
