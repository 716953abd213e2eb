package activities_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// live is a deployment that is live.
func (b *bench) live() deployment.Deployment {
	b.t.Helper()
	d := b.deploy()
	require.NoError(b.t, b.run(d, b.wholeDeploy(d)))
	return b.get(d)
}

func TestReleasePreview_ReplacesAndRepeats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old := b.live()
	d := b.deploy()
	var first, again temporal.ReleaseResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
		if err := b.upTo(ctx, d, deployment.StepRelease); err != nil {
			return err
		}
		if first, err = call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(d)); err != nil {
			return err
		}
		again, err = call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(d))
		return err
	}))
	require.Equal(t, []temporal.Replaced{{DeploymentID: old.ID, Queue: temporal.QueuePreviewHost(hostID)}}, first.Replaced)
	require.Equal(t, first, again)
	require.Equal(t, "http://"+d.PreviewHost, first.PreviewURL)
}

// Requests go to where the app listens, and its owner is told once, however often the step was tried.
func TestReleasePreview_AnotherPortThanTheOneAskedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.engine.otherPort = "172.18.0.2:9090"
	b.engine.on("keep alive", once(die))
	d := b.live()
	live, err := b.store.LivePreviews(t.Context(), hostID)
	require.NoError(t, err)
	require.Equal(t, "172.18.0.2:9090", live[0].Address)
	want := deployment.Warning{
		Code: "release.other_port", Severity: deployment.SeverityWarning, Message: "the app listens on 9090, not on PORT 8080: requests go to 9090",
		Fix: "make the app listen on the port in PORT, or set port to 9090 on the project",
	}
	require.Equal(t, []deployment.Warning{want}, d.Warnings)
	require.Contains(t, b.log(d), want.String())
	steps := b.steps(d, deployment.StepRelease)
	require.Equal(t, 2, steps[len(steps)-1].Attempt)
}

func TestReleasePreview_AnotherPortThatIsNotLetPass(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"release.other_port", deployment.StrictAll} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.engine.otherPort = "172.18.0.2:9090"
			b.project.Build.Strict = []string{code}
			var err error
			b.project, err = b.store.UpdateProject(t.Context(), b.project)
			require.NoError(t, err)
			d := b.deploy()
			require.Equal(t, "release.wrong_port", activities.Failure(b.run(d, b.wholeDeploy(d)), "").Code)
			require.Empty(t, b.get(d).Warnings)
		})
	}
}

// The storage cannot bound what an app writes: its owner is told, and strict does not let it pass.
func TestReleasePreview_ADiskThatIsNotBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.engine.unbounded = true
	d := b.live()
	require.Len(t, d.Warnings, 1)
	require.Equal(t, "release.disk_unbounded", d.Warnings[0].Code)
	require.Contains(t, b.log(d), d.Warnings[0].String())

	p, err := b.store.Project(t.Context(), b.project.ID)
	require.NoError(t, err)
	p.Build.Strict = []string{"release.disk_unbounded"}
	b.project, err = b.store.UpdateProject(t.Context(), p)
	require.NoError(t, err)
	d = b.deploy()
	require.Equal(t, "release.strict", activities.Failure(b.run(d, b.wholeDeploy(d)), "").Code)
}

func TestReleasePreview_CancelBeforeTheSwitchWins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	probing := make(chan struct{})
	b.engine.on("probe", func(ctx context.Context) error { close(probing); <-ctx.Done(); return ctx.Err() })
	run := b.start(d, b.wholeDeploy(d))
	<-probing
	require.NoError(t, b.client.CancelWorkflow(t.Context(), run.GetID(), ""))
	err := run.Get(t.Context(), nil)
	require.True(t, sdktemporal.IsCanceledError(err), "%v", err)
	require.Equal(t, deployment.StatusReleasing, b.get(d).Status)
	steps := b.steps(d, deployment.StepRelease)
	require.Equal(t, deployment.StepCanceled, steps[len(steps)-1].Status)
}

func TestReleasePreview_CancelInTheRowBeforeTheSwitchWins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.engine.on("probe", func(ctx context.Context) error { _, err := b.store.RequestCancel(ctx, d.ID); return err })
	err := b.run(d, b.wholeDeploy(d))
	require.True(t, activities.IsType(err, activities.ErrTypeCancelAsked), "%v", err)
	require.Equal(t, deployment.StatusCanceling, b.get(d).Status)
}

// lateStore switches the route and then loses the answer, as a worker that is cut off does.
type lateStore struct {
	activities.Store
	after func(ctx context.Context) error
}

func (s lateStore) SwitchRoute(ctx context.Context, run string, p deployment.Preview) ([]deployment.Preview, error) {
	replaced, err := s.Store.SwitchRoute(ctx, run, p)
	if err == nil {
		err = s.after(ctx)
	}
	return replaced, err
}

func TestReleasePreview_CancelAfterTheSwitchIsTooLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	switched := make(chan struct{})
	b.preview.Store = lateStore{b.store, func(ctx context.Context) error { close(switched); <-ctx.Done(); return nil }}
	run := b.start(d, b.wholeDeploy(d))
	<-switched
	require.NoError(t, b.client.CancelWorkflow(t.Context(), run.GetID(), ""))
	require.NoError(t, run.Get(t.Context(), nil), "the activity answers, although its context has ended")
	require.Equal(t, deployment.StatusReady, b.get(d).Status)
}

func TestReleasePreview_AnswerIsLostAfterTheSwitch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.preview.Store = lateStore{b.store, once(die)}
	var result temporal.ReleaseResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
		if err := b.upTo(ctx, d, deployment.StepRelease); err != nil {
			return err
		}
		result, err = call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(d))
		return err
	}))
	require.Equal(t, "http://"+d.PreviewHost, result.PreviewURL)
	require.Len(t, b.engine.running(), 1)
}

func TestReleasePreview_AnOlderDeploymentNeverReplacesANewerOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	older := b.deploy()
	b.inLine(older)
	var newer deployment.Deployment
	b.engine.on("probe", once(func(context.Context) error { newer = b.live(); return nil })) // against all order
	err := b.run(older, b.wholeDeploy(older))
	require.True(t, activities.IsType(err, activities.ErrTypeSuperseded), "%v", err)
	environment, err := b.store.Environment(t.Context(), b.project.ID, "production")
	require.NoError(t, err)
	require.Equal(t, newer.ID, environment.LiveDeploymentID)
}

// What sleeps is woken by the gateway, and falls asleep when that sees no requests: nobody else may lead there.
func TestReleasePreview_NamesHostsToProxiesOfWhatNeverSleeps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.preview.Policy.Idle = time.Hour
	production, branch := b.deploy(), b.deployTo("branch/next")
	for _, d := range []deployment.Deployment{production, branch} {
		require.NoError(t, b.run(d, b.wholeDeploy(d)))
	}
	b.preview.Policy.Idle = 0
	always := b.deployTo("branch/always")
	require.NoError(t, b.run(always, b.wholeDeploy(always)))
	specs := b.engine.specs
	require.Len(t, specs, 3)
	require.Equal(t, []any{production.PreviewHost, production.EnvHost, production.Number}, []any{specs[0].PreviewHost, specs[0].EnvironmentHost, specs[0].Number})
	require.Empty(t, specs[1].PreviewHost+specs[1].EnvironmentHost)
	require.Equal(t, []string{always.PreviewHost, always.EnvHost}, []string{specs[2].PreviewHost, specs[2].EnvironmentHost})
}

func TestRemovePreview_LeavesALivePreviewAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	var closed temporal.CloseResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.wholeDeploy(d)(ctx); err != nil {
			return err
		}
		in := temporal.CleanUpInput{DeploymentID: d.ID, Canceled: true}
		if _, err := call[none](ctx, b, b.preview.RemovePreview, in); err != nil {
			return err
		}
		var err error
		closed, err = call[temporal.CloseResult](ctx, b, b.control.CloseDeployment, temporal.CloseInput{
			DeploymentID: d.ID, Outcome: deployment.StatusCanceled,
		})
		return err
	}))
	require.Equal(t, deployment.StatusReady, closed.Outcome)
	require.Len(t, b.engine.running(), 1)
}

func TestRemovePreview_RemovesWhatIsNotLiveAndRepeats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	b.engine.on("probe", func(context.Context) error { return deployment.UserFailure("release.unhealthy", "", "exit 1") })
	b.engine.on("stop", once(die))
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.wholeDeploy(d)(ctx); err == nil {
			return deployment.ErrInvalidMove
		}
		for range 2 {
			if _, err := call[none](ctx, b, b.preview.RemovePreview, temporal.CleanUpInput{DeploymentID: d.ID}); err != nil {
				return err
			}
		}
		return nil
	}))
	require.Empty(t, b.engine.running())
	require.Empty(t, b.engine.networks)
	require.Empty(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork))
}

func TestDrainPreview_Repeats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old, d := b.live(), b.deploy()
	b.engine.on("stop", once(die))
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.wholeDeploy(d)(ctx); err != nil {
			return err
		}
		for range 2 {
			if _, err := call[none](ctx, b, b.preview.DrainPreview, temporal.StepInput{DeploymentID: old.ID}); err != nil {
				return err
			}
		}
		return nil
	}))
	require.Len(t, b.engine.running(), 1)
	require.Contains(t, b.engine.running()[0], d.ID)
	replaced, err := b.store.ReplacedPreviews(t.Context(), d.ID)
	require.NoError(t, err)
	require.Empty(t, replaced)
}

func TestDrainPreview_GivesWhatIsUnderWayItsTimeFromTheSwitch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.preview.Drain = time.Second
	old, d := b.live(), b.deploy()
	stopped := make(chan time.Duration, 1)
	b.engine.on("stop", once(func(ctx context.Context) error {
		since, err := b.store.ReplacedFor(ctx, old.ID)
		stopped <- since
		return err
	}))
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.wholeDeploy(d)(ctx); err != nil {
			return err
		}
		_, err := call[none](ctx, b, b.preview.DrainPreview, temporal.StepInput{DeploymentID: old.ID})
		return err
	}))
	require.GreaterOrEqual(t, <-stopped, 2*time.Second, "the drain time, and a second for the gateways to say goodbye")
}

func TestDrainPreview_HoldsUpNoWorkerThatStops(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.preview.Drain = time.Hour
	old, d := b.live(), b.deploy()
	run := b.start(d, func(ctx workflow.Context) error {
		if err := b.wholeDeploy(d)(ctx); err != nil {
			return err
		}
		_, err := call[none](ctx, b, b.preview.DrainPreview, temporal.StepInput{DeploymentID: old.ID})
		return err
	})
	require.Eventually(t, func() bool {
		described, err := b.client.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		return err == nil && strings.Contains(described.String(), "DrainPreview") && b.get(d).Status == deployment.StatusReady
	}, time.Minute, 10*time.Millisecond)
	heard := b.beats.heard.Load() // the next are those of the drain
	require.Eventually(t, func() bool { return b.beats.heard.Load() > heard+1 }, time.Minute, time.Millisecond)
	b.stop()
	described, err := b.client.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	require.Contains(t, described.String()+b.history(run), "the worker stops")
	require.Contains(t, strings.Join(b.engine.running(), " "), old.ID)
}
