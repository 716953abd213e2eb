package activities_test

import (
	"context"
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

// migrating is a bench whose plans have a release command.
func migrating(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.planner.release = "./migrate up"
	return b
}

// lastStep is the last phase of the release.
func (b *bench) lastStep(d deployment.Deployment) deployment.Step {
	b.t.Helper()
	steps := b.steps(d, deployment.StepRelease)
	require.NotEmpty(b.t, steps)
	return steps[len(steps)-1]
}

func TestReleaseCommand_RunsBeforeTheApp(t *testing.T) {
	t.Parallel()
	b := migrating(t)
	b.setSecret()
	d := b.deploy()
	b.engine.on("command", func(context.Context) error {
		require.Empty(t, b.engine.specs, "the app has not been started")
		require.Equal(t, deployment.PhaseReleaseCommand, b.get(d).Step.Phase)
		require.Len(t, b.owned(d, deployment.ResourceContainer), 1)
		return nil
	})
	require.NoError(t, b.run(d, b.wholeDeploy(d)))

	ran, app := b.engine.ran(), b.engine.specs[0]
	require.Len(t, ran, 1)
	require.Equal(t, []string{"/bin/sh", "-c", "./migrate up"}, ran[0].Command)
	require.Equal(t, []time.Duration{10 * time.Minute}, b.engine.limits)
	require.Equal(t, app.Name+"-release", ran[0].Name)
	ran[0].Name, ran[0].Command = app.Name, nil
	require.Equal(t, app, ran[0], "image, variables and limits are the app's")
	require.Contains(t, app.Env, "TOKEN="+secret)
	require.Contains(t, b.log(d), "migrated")
	require.Equal(t, []string{app.Name}, b.engine.running(), "the container of the command is gone")
	require.Equal(t, []string{app.Name}, b.owned(d, deployment.ResourceContainer))
}

func TestReleaseCommand_FailureLeavesWhatIsLive(t *testing.T) {
	t.Parallel()
	b := migrating(t)
	old, d := b.live(), b.deploy()
	code := 3
	b.engine.on("command", func(context.Context) error {
		f := deployment.UserFailure("release.command_failed", "read the lines", "the release command exited with code 3")
		f.ExitCode, f.Lines = &code, []string{"no such table"}
		return f
	})
	err := b.run(d, func(ctx workflow.Context) error {
		err := b.wholeDeploy(d)(ctx)
		_, removed := call[none](ctx, b, b.preview.RemovePreview, temporal.CleanUpInput{DeploymentID: d.ID})
		require.NoError(t, removed)
		return err
	})
	require.True(t, activities.IsType(err, "release.command_failed"), "%v", err)
	step := b.lastStep(d)
	require.Equal(t, deployment.PhaseReleaseCommand, step.Phase)
	require.Equal(t, 1, step.Attempt, "it is not tried again")
	require.Equal(t, deployment.ClassUser, step.Failure.Class)
	require.Equal(t, code, *step.Failure.ExitCode)
	require.Equal(t, []string{"no such table"}, step.Failure.Lines)
	environment, err := b.store.Environment(t.Context(), b.project.ID, "production")
	require.NoError(t, err)
	require.Equal(t, old.ID, environment.LiveDeploymentID)
	require.Len(t, b.engine.specs, 1, "the new app was never started")
	require.Len(t, b.engine.running(), 1)
	require.Empty(t, b.owned(d, deployment.ResourceContainer))
}

func TestReleaseCommand_RunsOnceWhateverDies(t *testing.T) {
	t.Parallel()
	for name, point := range map[string]string{
		"between row and container":    "before command",
		"between the end and its note": "command",
		"between its note and the app": "before start",
		"with the app":                 "after start",
		"while its container goes":     "stop",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := migrating(t)
			d := b.deploy()
			b.engine.on(point, once(die))
			require.NoError(t, b.run(d, b.wholeDeploy(d)))
			require.Equal(t, 2, b.lastStep(d).Attempt)
			require.Len(t, b.engine.ran(), 1)
			require.Len(t, b.engine.running(), 1)
			require.Len(t, b.owned(d, deployment.ResourceContainer), 1)
		})
	}
}

// The worker that noted the end dies before it can say so to anybody.
func TestReleaseCommand_RunsOnceWhereItsEndIsNoted(t *testing.T) {
	t.Parallel()
	b := migrating(t)
	d := b.deploy()
	b.preview.Store = noted{b.store, once(die)}
	require.NoError(t, b.run(d, b.wholeDeploy(d)))
	require.Len(t, b.engine.ran(), 1)
	require.Contains(t, b.log(d), "the release command has ended well in an earlier attempt")
}

// noted is a store whose caller dies when the command's end is noted.
type noted struct {
	activities.Store
	after func(context.Context) error
}

func (s noted) EndReleaseCommand(ctx context.Context, id, run string) error {
	if err := s.Store.EndReleaseCommand(ctx, id, run); err != nil {
		return err
	}
	return s.after(ctx)
}

// An attempt that was given up goes on when the next one has come as far as the switch, or past it.
func TestReleaseCommand_TwiceAtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"before command", "command"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			b := migrating(t)
			b.silence = brief
			d := b.deploy()
			goOn := make(chan struct{})
			var calls atomic.Int64
			b.engine.on(point, func(ctx context.Context) error {
				if calls.Add(1) == 1 {
					b.beats.silence(ctx)
					<-goOn
				}
				return nil
			})
			require.NoError(t, b.run(d, b.wholeDeploy(d)))
			close(goOn)
			b.untilNobodyIsAtWork(d)
			require.Len(t, b.engine.ran(), 1)
			require.Equal(t, deployment.StatusReady, b.get(d).Status)
		})
	}
}

// Where its host is lost nobody knows whether it ran: it is run again, and the log says so.
func TestReleaseCommand_RunsAgainWhereNobodyKnows(t *testing.T) {
	t.Parallel()
	b := migrating(t)
	d := b.deploy()
	b.engine.on("command", once(func(context.Context) error {
		b.engine.mu.Lock()
		defer b.engine.mu.Unlock()
		clear(b.engine.containers)
		return deployment.TransientFailure("release.container_gone", "", "gone")
	}))
	require.NoError(t, b.run(d, b.wholeDeploy(d)))
	require.Len(t, b.engine.ran(), 2)
	require.Contains(t, b.log(d), "the release command was begun before, and nothing tells how it ended: it is run again")
}

func TestReleaseCommand_CancelWhileItRuns(t *testing.T) {
	t.Parallel()
	b := migrating(t)
	d := b.deploy()
	running := make(chan struct{})
	b.engine.on("command", func(ctx context.Context) error { close(running); <-ctx.Done(); return ctx.Err() })
	run := b.start(d, func(ctx workflow.Context) error {
		err := b.wholeDeploy(d)(ctx)
		clean, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		_, removed := call[none](clean, b, b.preview.RemovePreview, temporal.CleanUpInput{DeploymentID: d.ID, Canceled: true})
		require.NoError(t, removed)
		return err
	})
	<-running
	require.NoError(t, b.client.CancelWorkflow(t.Context(), run.GetID(), ""))
	err := run.Get(t.Context(), nil)
	require.True(t, sdktemporal.IsCanceledError(err), "%v", err)
	require.Empty(t, b.engine.running())
	require.Empty(t, b.owned(d, deployment.ResourceContainer))
	require.Equal(t, []time.Duration{0}, b.engine.graces)
	receipt, err := b.store.Receipt(t.Context(), d.ID)
	require.NoError(t, err)
	require.Contains(t, receipt[0].Name, "-release")
}

func TestReleaseCommand_CancelInTheRowComesFirst(t *testing.T) {
	t.Parallel()
	b := migrating(t)
	d := b.deploy()
	b.engine.on("before command", func(ctx context.Context) error { _, err := b.store.RequestCancel(ctx, d.ID); return err })
	err := b.run(d, b.wholeDeploy(d))
	require.True(t, activities.IsType(err, activities.ErrTypeCancelAsked), "%v", err)
	require.Empty(t, b.engine.ran())
	require.Empty(t, b.engine.running())
}

// A rollback brings back what has had its effect; a promotion takes an image to where it was never run.
func TestReleaseCommand_OfAnImageThatIsUsedAgain(t *testing.T) {
	t.Parallel()
	b := migrating(t)
	first := b.live()
	b.live()
	for _, c := range []struct {
		environment string
		runs        int
	}{{"production", 2}, {"branch/next", 3}} {
		d, _, err := b.store.CreateDeployment(t.Context(), deployment.NewDeployment{
			Project: b.project, Environment: c.environment, Reuse: &deployment.Reuse{From: first.ID},
		})
		require.NoError(t, err)
		require.NoError(t, b.run(d, func(ctx workflow.Context) error {
			if err := b.upTo(ctx, d, deployment.StepFetch); err != nil {
				return err
			}
			_, err := call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(d))
			return err
		}))
		require.Len(t, b.engine.ran(), c.runs, c.environment)
	}
}
