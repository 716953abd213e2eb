package activities_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

var idlePolicy = deployment.LeasePolicy{
	TTL: time.Hour, Idle: time.Minute, HostLost: time.Hour, RetryInitial: time.Hour, RetryMaximum: 3 * time.Hour, Starts: 2,
}

// branchLive is a deployment that is live in an environment that may sleep.
func (b *bench) branchLive() deployment.Deployment {
	b.t.Helper()
	d := b.deployTo("branch/a")
	require.NoError(b.t, b.run(d, b.wholeDeploy(d)))
	return b.get(d)
}

// idle lets nobody have asked for a preview for a long time.
func (b *bench) idle() {
	b.t.Helper()
	b.sql("UPDATE previews SET updated_at = updated_at - interval '1 hour'")
	b.sql("UPDATE preview_traffic SET last_request_at = last_request_at - interval '1 hour'")
}

func (b *bench) sql(statement string, args ...any) {
	b.t.Helper()
	_, err := b.pool.Exec(context.Background(), statement, args...)
	require.NoError(b.t, err)
}

func (b *bench) visit(d deployment.Deployment) {
	b.t.Helper()
	b.sql("INSERT INTO preview_traffic (environment_id, last_request_at) VALUES ($1, now()) ON CONFLICT (environment_id) DO UPDATE SET last_request_at = now()", d.EnvironmentID)
}

func (b *bench) standing(d deployment.Deployment) deployment.StandingLease {
	b.t.Helper()
	lease, err := b.store.StandingLease(context.Background(), d.EnvironmentID)
	require.NoError(b.t, err)
	return lease
}

// act executes an activity of the lease's workflow.
func (b *bench) act(d deployment.Deployment, activity any) (result temporal.LeaseResult, err error) {
	b.t.Helper()
	id := temporal.LeaseWorkflowID(d.EnvironmentID)
	err = b.runAs(id, func(ctx workflow.Context) (err error) {
		result, err = call[temporal.LeaseResult](ctx, b, activity, temporal.StepInput{DeploymentID: d.ID})
		return err
	})
	return result, err
}

func (b *bench) look(d deployment.Deployment) (look temporal.LeaseLook) {
	b.t.Helper()
	require.NoError(b.t, b.runAs(temporal.LeaseWorkflowID(d.EnvironmentID), func(ctx workflow.Context) (err error) {
		look, err = call[temporal.LeaseLook](ctx, b, b.control.LookAtLease, temporal.LookInput{EnvironmentID: d.EnvironmentID})
		return err
	}))
	return look
}

func (b *bench) sleeping() deployment.Deployment {
	b.t.Helper()
	d := b.branchLive()
	b.idle()
	slept, err := b.act(d, b.preview.SleepPreview)
	require.NoError(b.t, err)
	require.True(b.t, slept.Done)
	return d
}

func TestLookAtLease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branchLive()
	look := b.look(d)
	require.Empty(t, look.Act)
	require.Equal(t, "until it may sleep", look.Why)
	require.InDelta(t, time.Minute, look.After, float64(30*time.Second))
	require.Equal(t, []string{"app", "branch/a", d.ID}, []string{look.Project, look.Environment, look.DeploymentID})
	require.Equal(t, 5*time.Second, look.Health)
	require.Equal(t, temporal.DefaultLimits(), look.Limits, "those of this worker's configuration")
	limits := temporal.DefaultLimits()
	limits.Release = time.Hour
	b.control.Limits = limits // another worker's, or this one's after it was started again
	require.Equal(t, limits, b.look(d).Limits)

	require.NoError(t, b.store.SeenHost(t.Context(), hostID, []string{"preview"}, 1))
	b.idle()
	require.Equal(t, deployment.LeaseSleep, b.look(d).Act)
	d.EnvironmentID = d.ID
	require.Equal(t, temporal.LeaseLook{Gone: true}, b.look(d))
}

func TestSleepPreview_StopsTheContainerAndKeepsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	container := b.standing(d).Preview.Container
	require.Equal(t, deployment.PreviewAsleep, b.standing(d).Preview.State)
	require.True(t, b.engine.halted[container])
	require.Len(t, b.engine.running(), 1, "it is there")
	require.Len(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork), 2)
	require.Eventually(t, func() bool {
		return strings.Contains(strings.Join(b.log(d), "\n"), "asleep: nobody has asked for it for 1m0s")
	}, soon, interval)

	again, err := b.act(d, b.preview.SleepPreview) // the answer of the first attempt was lost
	require.NoError(t, err)
	require.True(t, again.Done)
}

func TestSleepPreview_LetsBeWhatMayNotSleep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branchLive()
	for name, arrange := range map[string]func(){
		"somebody has asked for it": func() { b.idle(); b.visit(d) },
		"it is pinned":              func() { b.idle(); b.sql("UPDATE preview_leases SET pinned = true") },
		"it is production":          func() { b.idle(); b.sql("UPDATE environments SET kind = 'production'") },
		"it is to be stopped":       func() { b.idle(); b.sql("UPDATE preview_leases SET wanted = 'stopped'") },
	} {
		b.sql("UPDATE preview_leases SET pinned = false, wanted = 'running'")
		b.sql("UPDATE environments SET kind = 'branch'")
		b.sql("DELETE FROM preview_traffic")
		arrange()
		slept, err := b.act(d, b.preview.SleepPreview)
		require.NoError(t, err)
		require.False(t, slept.Done, name)
		require.Equal(t, deployment.PreviewLive, b.standing(d).Preview.State, name)
	}
	require.Empty(t, b.engine.halted)
}

// asleepStore does something once the store says that a preview is asleep, before its container is stopped.
type asleepStore struct {
	activities.PreviewLeases
	then func()
}

func (s asleepStore) FallAsleep(ctx context.Context, deploymentID, host string, idle time.Duration) (bool, error) {
	fell, err := s.PreviewLeases.FallAsleep(ctx, deploymentID, host, idle)
	s.then()
	return fell, err
}

// What crosses the moment of falling asleep is served by the container that still runs.
func TestSleepPreview_AVisitorWhoComesMeanwhileKeepsItAwake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branchLive()
	for name, comes := range map[string]func(){
		"by a gateway that had not heard": func() { b.visit(d) },
		"by one that had":                 func() { b.sql("UPDATE preview_leases SET wake_requested_at = now()") },
	} {
		b.idle()
		b.preview.Leases = asleepStore{b.store, comes}
		slept, err := b.act(d, b.preview.SleepPreview)
		require.NoError(t, err)
		require.False(t, slept.Done, name)
		require.Equal(t, deployment.PreviewLive, b.standing(d).Preview.State, name)
		require.Nil(t, b.standing(d).WakeRequestedAt)
	}
	require.Empty(t, b.engine.halted)
}

func TestStartPreview_WakesWhereItWas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	before := b.standing(d).Preview
	b.sql("UPDATE preview_leases SET wake_requested_at = now()")
	require.Equal(t, deployment.LeaseStart, b.look(d).Act)
	b.engine.on("pull", func(context.Context) error { return errors.New("nothing is to be pulled") })
	woken, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.True(t, woken.Done)
	after := b.standing(d)
	require.Equal(t, before.Address, after.Preview.Address)
	require.Equal(t, before.Container, after.Preview.Container)
	require.Equal(t, deployment.PreviewLive, after.Preview.State)
	require.Nil(t, after.WakeRequestedAt)
	require.Empty(t, b.engine.halted)
	require.Equal(t, 1, b.engine.containers[before.Container], "it was not made anew")
	require.Empty(t, b.engine.ran(), "the release command belongs to the deploy")
}

func TestStopPreview_RemovesAndStartMakesAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	for range 2 { // the wish is heard while it is asleep; an attempt repeats
		b.sql("UPDATE preview_leases SET wanted = 'stopped'")
		stopped, err := b.act(d, b.preview.StopPreview)
		require.NoError(t, err)
		require.True(t, stopped.Done)
	}
	require.Equal(t, deployment.PreviewStopped, b.standing(d).Preview.State)
	require.Empty(t, b.engine.running())
	require.Empty(t, b.engine.networks)
	require.Empty(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork))

	b.sql("UPDATE preview_leases SET wanted = 'running'")
	require.Equal(t, deployment.LeaseStart, b.look(d).Act)
	b.engine.on("before start", once(die))
	started, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.True(t, started.Done)
	require.Equal(t, deployment.PreviewLive, b.standing(d).Preview.State)
	require.Len(t, b.engine.running(), 1)
	require.Len(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork), 2)

	b.sql("UPDATE preview_leases SET wanted = 'stopped'")
	_, err = b.act(d, b.preview.StopPreview)
	require.NoError(t, err)
	b.sql("UPDATE preview_leases SET wanted = 'running'")
	b.engine.on("keep alive", once(die))
	started, err = b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.True(t, started.Done, "the next attempt goes by the container that the one before has made")
	require.Len(t, b.engine.running(), 1)
}

// Production that does not come up again is not given up: it ran before.
func TestStartPreview_ProductionIsNotGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	b.sql("UPDATE previews SET state = 'failed'") // its container was lost
	b.engine.on("probe", func(context.Context) error {
		return deployment.UserFailure("release.not_ready", "mend it", "it did not answer")
	})
	for range idlePolicy.Starts + 1 {
		result, err := b.act(d, b.preview.StartPreview)
		require.NoError(t, err)
		require.Equal(t, "release.not_ready", result.Failure.Code)
		require.Equal(t, "release.not_ready", b.standing(d).Failure.Code)
		require.Empty(t, b.look(d).Act)
		require.Positive(t, b.look(d).After)
		b.timeToRetry()
		require.Equal(t, deployment.LeaseStart, b.look(d).Act)
	}
	b.engine.on("probe", nil)
	started, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.True(t, started.Done)
	require.Equal(t, deployment.PreviewLive, b.standing(d).Preview.State)
	require.Nil(t, b.standing(d).Failure)
	require.Nil(t, b.standing(d).NextStartAt)
}

// timeToRetry lets the time have come at which a preview is tried again.
func (b *bench) timeToRetry() {
	b.t.Helper()
	b.sql("UPDATE preview_leases SET next_start_at = now()")
}

// Its time is over: nobody has to ask for it.
func TestStopPreview_AtTheEndOfItsTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.store = b.store.WithPreviewTTL(time.Hour)
	b.preview.Store, b.preview.Leases = b.store, b.store
	d := b.branchLive()
	require.InDelta(t, time.Hour, time.Until(*b.standing(d).ExpiresAt), float64(time.Minute))
	stopped, err := b.act(d, b.preview.StopPreview)
	require.NoError(t, err)
	require.False(t, stopped.Done, "it is not over yet")
	b.sql("UPDATE preview_leases SET expires_at = now()")
	require.Equal(t, deployment.LeaseStop, b.look(d).Act)
	stopped, err = b.act(d, b.preview.StopPreview)
	require.NoError(t, err)
	require.True(t, stopped.Done)
	require.Empty(t, b.look(d).Act)

	b.sql("UPDATE preview_leases SET wanted = 'running'")
	_, err = b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.Greater(t, time.Until(*b.standing(d).ExpiresAt), 50*time.Minute, "its time begins anew")
}

func TestStartPreview_AnAppThatDoesNotComeUpIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	b.sql("UPDATE preview_leases SET wake_requested_at = now()")
	b.engine.on("probe", func(context.Context) error { return deployment.UserFailure("release.app_exited", "mend it", "exit 1") })
	result, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.Equal(t, "release.app_exited", result.Failure.Code)
	lease := b.standing(d)
	require.Equal(t, deployment.PreviewFailed, lease.Preview.State)
	require.Equal(t, "release.app_exited", lease.Failure.Code)
	require.Empty(t, b.engine.running(), "nothing of it is left")
	require.Empty(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork))
	look := b.look(d)
	require.Empty(t, look.Act)
	require.Equal(t, "until it is tried again (starts that failed: 1)", look.Why)
	require.InDelta(t, time.Hour, look.After, float64(10*time.Minute))

	require.NoError(t, b.store.RequestWake(t.Context(), d.EnvironmentID))
	require.Empty(t, b.look(d).Act, "it was tried just now")
	b.sql("UPDATE previews SET updated_at = now() - interval '1 minute'")
	require.NoError(t, b.store.RequestWake(t.Context(), d.EnvironmentID))
	require.Equal(t, deployment.LeaseStart, b.look(d).Act, "a visitor asks for it")
	_, err = b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.Equal(t, lease.NextStartAt, b.standing(d).NextStartAt)

	b.timeToRetry()
	require.Equal(t, deployment.LeaseStart, b.look(d).Act, "its time has come")
	_, err = b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.Equal(t, deployment.PreviewFailed, b.standing(d).Preview.State)
	require.Equal(t, "release.app_exited", b.standing(d).Failure.Code)
	require.Equal(t, temporal.LeaseLook{}, waiting(b.look(d)), "it is given up")
	require.Eventually(t, func() bool {
		log := strings.Join(b.log(d), "\n")
		return strings.Contains(log, "it did not come up: exit 1; it is tried again in 1h0m0s") &&
			strings.Contains(log, "it did not come up: exit 1; it is not tried again until somebody asks for it")
	}, soon, interval)

	_, err = b.store.StartPreview(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, deployment.LeaseStart, b.look(d).Act, "somebody asks for it to be started")
	b.engine.on("probe", nil)
	_, err = b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.Nil(t, b.standing(d).Failure)
}

// waiting is what a look says of what is to be done, and when.
func waiting(l temporal.LeaseLook) temporal.LeaseLook {
	return temporal.LeaseLook{Act: l.Act, Why: l.Why, After: l.After}
}

// A worker dies between the row that says when it is tried again and the removal.
func TestStartPreview_AFailureWhoseContainerIsLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	b.sql("UPDATE preview_leases SET wake_requested_at = now()")
	tries := 0
	b.engine.on("probe", func(context.Context) error {
		tries++
		return deployment.UserFailure("release.app_exited", "mend it", "exit 1")
	})
	b.engine.on("stop", once(func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := b.preview.Alone(ctx, d.ID)
		if !errors.Is(err, context.Canceled) {
			t.Error("somebody may begin to start it meanwhile")
		}
		return die(ctx)
	}))
	result, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.False(t, result.Done, "the next attempt finds that it is not due")
	require.Equal(t, 1, tries)
	require.Equal(t, 1, b.standing(d).FailedStarts)
	require.NotNil(t, b.standing(d).NextStartAt)
	require.NotZero(t, b.sweep(hostID, b.engine))
	require.Empty(t, b.engine.running())
}

// An attempt that lasted too long, and was made again meanwhile, takes nothing away from the one that came up.
func TestStartPreview_AnAttemptThatFailsLateDoesNoHarm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	b.engine.on("probe", once(func(context.Context) error {
		b.sql("UPDATE previews SET state = 'live'") // by the other one
		return deployment.UserFailure("release.not_ready", "mend it", "it did not answer")
	}))
	result, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.False(t, result.Done)
	require.Equal(t, deployment.PreviewLive, b.standing(d).Preview.State)
	require.Nil(t, b.standing(d).Failure)
	require.Len(t, b.engine.running(), 1)
}

func TestStartPreview_SecretsAreToldToNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.store.MergeEnvVars(t.Context(), deployment.Scope{ProjectID: b.project.ID}, []deployment.EnvVar{{Name: "PASS", Value: "hunter2hunter2", Target: deployment.TargetBoth}}))
	d := b.sleeping()
	b.engine.on("probe", func(context.Context) error {
		f := deployment.UserFailure("release.app_exited", "mend it", "no user hunter2hunter2")
		f.Lines = []string{"login with hunter2hunter2"}
		return f
	})
	result, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.Equal(t, []string{"login with ***"}, result.Failure.Lines)
	require.NotContains(t, b.standing(d).Failure.Message, "hunter2")
	b.engine.on("resume", func(context.Context) error { return deployment.TransientFailure("x", "", "hunter2hunter2 is away") })
	require.NotContains(t, strings.Join(b.log(d), "\n"), "hunter2")
}

func TestStartPreview_WhatIsAwayIsNotedAndTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	noted := make(chan *deployment.Failure, 1)
	var tries int
	b.engine.on("resume", func(context.Context) error {
		if tries++; tries == 1 {
			return deployment.TransientFailure("release.docker_unavailable", "", "connection refused")
		}
		if tries == 2 {
			noted <- b.standing(d).Failure
		}
		return nil
	})
	started, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.True(t, started.Done)
	require.Equal(t, "release.docker_unavailable", (<-noted).Code)
	require.Nil(t, b.standing(d).Failure)
}

// A container that cannot be started where it stands is made anew.
func TestStartPreview_ContainerThatIsBroken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	b.engine.on("resume", func(context.Context) error {
		return deployment.PlatformFailure("release.docker_failed", "", "network not found")
	})
	started, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.True(t, started.Done)
	require.Len(t, b.engine.specs, 2)
	require.Equal(t, b.engine.specs[0].Name, b.engine.specs[1].Name)
}

func TestStartPreview_TwiceAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.sleeping()
	b.sql("UPDATE preview_leases SET wanted = 'stopped'")
	_, err := b.act(d, b.preview.StopPreview)
	require.NoError(t, err)
	b.sql("UPDATE preview_leases SET wanted = 'running'")
	var both sync.WaitGroup
	both.Add(2)
	b.engine.on("probe", func(context.Context) error { both.Done(); both.Wait(); return nil })
	var callers sync.WaitGroup
	for _, id := range []string{"one", "two"} {
		callers.Go(func() {
			assert.NoError(t, b.runAs("preview/"+id+d.ID, func(ctx workflow.Context) error {
				result, err := call[temporal.LeaseResult](ctx, b, b.preview.StartPreview, temporal.StepInput{DeploymentID: d.ID})
				assert.True(t, result.Done)
				return err
			}))
		})
	}
	callers.Wait()
	require.Len(t, b.engine.running(), 1)
	require.Equal(t, deployment.PreviewLive, b.standing(d).Preview.State)
}

// A deploy that goes live meanwhile, a wish to stop it, or another host that was asked: what was started late goes again.
func TestStartPreview_SomethingElseWasFaster(t *testing.T) {
	t.Parallel()
	for name, faster := range map[string]func(*bench, deployment.Deployment){
		"another deployment": func(b *bench, d deployment.Deployment) {
			newer := b.deployTo(d.Environment)
			b.engine.on("probe", nil)
			require.NoError(b.t, b.run(newer, b.wholeDeploy(newer)))
		},
		"a wish to stop it": func(b *bench, _ deployment.Deployment) { b.sql("UPDATE preview_leases SET wanted = 'stopped'") },
		"another host": func(b *bench, d deployment.Deployment) {
			_, err := b.store.BeginStart(context.Background(), deployment.Preview{DeploymentID: d.ID, Host: "host-2", Container: "c", Network: "n"})
			require.NoError(b.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.sleeping()
			b.engine.on("probe", once(func(context.Context) error { faster(b, d); return nil }))
			result, err := b.act(d, b.preview.StartPreview)
			require.NoError(t, err)
			require.False(t, result.Done)
			for _, container := range b.engine.running() {
				require.NotContains(t, container, d.ID)
			}
			require.Empty(t, b.owned(d, deployment.ResourceContainer))

			result, err = b.act(d, b.preview.StartPreview)
			require.NoError(t, err)
			if name != "another host" {
				require.False(t, result.Done, "it is not begun any more")
			}
			if name == "a wish to stop it" {
				require.Equal(t, deployment.PreviewStopped, b.standing(d).Preview.State)
			}
		})
	}
}

func TestEndPreview_OfAHostThatIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branchLive()
	result, err := b.act(d, b.control.EndPreview)
	require.NoError(t, err)
	require.False(t, result.Done, "nobody wants that")
	b.sql("UPDATE preview_leases SET wanted = 'stopped'")
	result, err = b.act(d, b.control.EndPreview)
	require.NoError(t, err)
	require.True(t, result.Done)
	require.Equal(t, deployment.PreviewStopped, b.standing(d).Preview.State)
	left, err := b.store.LeftOver(t.Context(), hostID, 0, 0)
	require.NoError(t, err)
	require.Equal(t, []deployment.ResourceKind{deployment.ResourceContainer, deployment.ResourceNetwork}, []deployment.ResourceKind{left[0].Kind, left[1].Kind},
		"its host removes them when it is back")
}

// A replaced preview that sleeps is drained like one that runs.
func TestDrainPreview_OfOneThatSleeps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old := b.sleeping()
	d := b.deployTo("branch/a")
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.upTo(ctx, d, deployment.StepRelease); err != nil {
			return err
		}
		released, err := call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(d))
		if err != nil {
			return err
		}
		assert.Equal(t, []temporal.Replaced{{DeploymentID: old.ID, Queue: temporal.QueuePreviewHost(hostID)}}, released.Replaced)
		_, err = call[none](ctx, b, b.preview.DrainPreview, temporal.StepInput{DeploymentID: old.ID})
		return err
	}))
	require.Len(t, b.engine.running(), 1)
	require.Contains(t, b.engine.running()[0], d.ID)
}

// pokes are the leases that a reconciler has looked at.
type pokes struct {
	activities.Workflows
	open map[string]bool
	list []string
}

func (p *pokes) OpenLeases(context.Context) (map[string]bool, error) { return p.open, nil }

func (p *pokes) PokeLease(_ context.Context, id string) error {
	p.list = append(p.list, id)
	return nil
}

func TestRepair_LeasesThatNobodyKeeps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.store.SeenHost(t.Context(), hostID, []string{"preview"}, 1))
	d := b.branchLive()
	r := b.reconciler()
	r.Age = time.Second
	asked := &pokes{Workflows: r.Workflows, open: map[string]bool{d.EnvironmentID: true}}
	r.Workflows = asked
	repair := func(in temporal.ReconcileInput) temporal.ReconcileResult {
		asked.list = nil
		result, err := r.Repair(t.Context(), in)
		require.NoError(t, err)
		return result
	}
	require.Zero(t, repair(temporal.ReconcileInput{}).Leases)
	require.Empty(t, asked.list, "it is kept, and nothing is due")

	b.idle()
	require.NoError(t, b.store.SeenHost(t.Context(), hostID, []string{"preview"}, 1)) // a slow machine may have taken long to come so far
	require.Zero(t, repair(temporal.ReconcileInput{}).Leases)
	require.Equal(t, []string{d.EnvironmentID}, asked.list, "something has been due for long: the word of it may be lost")

	asked.open = nil
	require.Equal(t, 1, repair(temporal.ReconcileInput{}).Leases)
	require.Equal(t, []string{d.EnvironmentID}, asked.list)
	found := repair(temporal.ReconcileInput{DryRun: true})
	require.Empty(t, asked.list)
	require.Len(t, found.Differences, 1)
	require.Contains(t, found.Differences[0].Found, "no workflow keeps its lease, and is due to sleep: nobody has asked for it for 1h0m")

	b.visit(d)
	require.Equal(t, 1, repair(temporal.ReconcileInput{}).Leases, "it will be due to sleep one day")
	b.sql("UPDATE preview_leases SET pinned = true")
	require.Zero(t, repair(temporal.ReconcileInput{}).Leases)
}
