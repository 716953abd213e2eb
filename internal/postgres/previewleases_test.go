package postgres_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// standing reads the lease of a deployment's environment.
func (b bench) standing(d deployment.Deployment) deployment.StandingLease {
	b.t.Helper()
	lease, err := b.StandingLease(b.t.Context(), d.EnvironmentID)
	require.NoError(b.t, err)
	return lease
}

// branch is a deployment that is live in an environment that may sleep and end, on host-1.
func (b bench) branch() deployment.Deployment {
	b.t.Helper()
	d := b.deploy(b.project("app"), "branch/a")
	b.live(d, "run-1")
	return d
}

func (b bench) idleFor(interval string) {
	b.t.Helper()
	b.exec("UPDATE previews SET updated_at = now() - $1::text::interval", interval)
}

func (b bench) visited(d deployment.Deployment) {
	b.t.Helper()
	b.exec("INSERT INTO preview_traffic (environment_id, last_request_at) VALUES ($1, now()) ON CONFLICT (environment_id) DO UPDATE SET last_request_at = now()", d.EnvironmentID)
}

func (b bench) asleep() deployment.Deployment {
	b.t.Helper()
	d := b.branch()
	b.idleFor("1 hour")
	fell, err := b.FallAsleep(b.t.Context(), d.ID, "host-1", time.Minute)
	require.NoError(b.t, err)
	require.True(b.t, fell)
	return d
}

func TestSwitchRoute_RenewsTheLease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Store = b.WithPreviewTTL(time.Hour)
	p := b.project("app")
	production := b.deploy(p, "production")
	b.live(production, "run-1")
	require.Nil(t, b.standing(production).ExpiresAt)

	first := b.deploy(p, "branch/a")
	b.live(first, "run-1")
	lease := b.standing(first)
	require.Equal(t, deployment.WantedRunning, lease.Wanted)
	require.Equal(t, time.Hour, lease.ExpiresAt.Sub(lease.Since), "both are the transaction's time")
	require.Equal(t, []any{"app", "branch/a", deployment.KindBranch, 2, deployment.PreviewLive}, []any{lease.Project, lease.Environment, lease.Kind, lease.Number, lease.Preview.State})

	b.exec(`UPDATE preview_leases SET wanted = 'stopped', failure = '{"code": "x"}', wake_requested_at = now(), expires_at = now()`)
	second := b.deploy(p, "branch/a")
	b.live(second, "run-2")
	lease = b.standing(second)
	require.Equal(t, second.ID, lease.Preview.DeploymentID)
	require.Equal(t, deployment.WantedRunning, lease.Wanted)
	require.Nil(t, lease.Failure)
	require.Nil(t, lease.WakeRequestedAt)
	require.Greater(t, lease.ExpiresAt.Sub(lease.Now), 50*time.Minute)

	b.exec("UPDATE preview_leases SET pinned = true, expires_at = NULL")
	third := b.deploy(p, "branch/a")
	b.live(third, "run-3")
	require.True(t, b.standing(third).Pinned)
	require.Nil(t, b.standing(third).ExpiresAt)

	b.Store = b.WithPreviewTTL(0)
	b.exec("UPDATE preview_leases SET pinned = false, expires_at = now()")
	fourth := b.deploy(p, "branch/a")
	b.live(fourth, "run-4")
	require.Nil(t, b.standing(fourth).ExpiresAt, "for ever")
}

func TestStandingLease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branch()
	b.visited(d)
	lease := b.standing(d)
	require.WithinDuration(t, lease.Now, *lease.LastRequestAt, time.Minute)
	require.Nil(t, lease.HostSeenAt)
	require.False(t, lease.HostLives)
	require.False(t, lease.AnotherHost)
	require.Equal(t, time.Minute, lease.HealthTimeout)
	require.NoError(t, b.SeenHost(t.Context(), "host-1", []string{"preview"}, 0))
	require.NoError(t, b.SeenHost(t.Context(), "builds", []string{"build"}, 0))
	require.True(t, b.standing(d).HostLives)
	require.False(t, b.standing(d).AnotherHost)
	require.NoError(t, b.SeenHost(t.Context(), "host-2", []string{"preview"}, 0))
	require.False(t, b.standing(d).AnotherHost, "after an outage the first host to speak is not given what others run")
	b.exec("UPDATE hosts SET alive_since = now() - interval '1 minute'")
	require.NoError(t, b.SeenHost(t.Context(), "host-2", []string{"preview"}, 0))
	require.True(t, b.standing(d).AnotherHost)
	b.exec("UPDATE hosts SET last_seen_at = now() - interval '1 minute' WHERE id = 'host-2'")
	require.NoError(t, b.SeenHost(t.Context(), "host-2", []string{"preview"}, 0))
	require.False(t, b.standing(d).AnotherHost, "it was silent")
	b.exec("UPDATE hosts SET alive_since = now() - interval '1 minute'")
	require.True(t, b.standing(d).AnotherHost)
	b.exec("UPDATE hosts SET last_seen_at = now() - interval '1 minute'")
	require.False(t, b.standing(d).HostLives)
	require.False(t, b.standing(d).AnotherHost)
	require.NotNil(t, b.standing(d).HostSeenAt)

	waiting := b.deploy(b.project("other"), "production")
	all, err := b.StandingLeases(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	b.exec("DELETE FROM preview_leases")
	require.Equal(t, deployment.WantedRunning, b.standing(d).Wanted, "a row that is missing")
	for _, id := range []string{waiting.EnvironmentID, d.ID, "nonsense"} {
		_, err := b.StandingLease(t.Context(), id)
		require.ErrorIs(t, err, deployment.ErrNotFound)
	}
	b.remove(deployment.Scope{ProjectID: d.ProjectID, EnvironmentID: d.EnvironmentID})
	_, err = b.StandingLease(t.Context(), d.EnvironmentID)
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestFallAsleep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branch()
	fall := func(host string) bool {
		fell, err := b.FallAsleep(t.Context(), d.ID, host, time.Minute)
		require.NoError(t, err)
		return fell
	}
	require.False(t, fall("host-1"), "it has just been started")
	b.idleFor("2 minutes")
	b.visited(d)
	require.False(t, fall("host-1"), "somebody has come")
	b.exec("UPDATE preview_traffic SET last_request_at = now() - interval '2 minutes'")
	require.False(t, fall("host-2"), "it is elsewhere")
	for change, back := range map[string]string{
		"UPDATE preview_leases SET pinned = true":           "UPDATE preview_leases SET pinned = false",
		"UPDATE preview_leases SET wanted = 'stopped'":      "UPDATE preview_leases SET wanted = 'running'",
		"UPDATE environments SET kind = 'production'":       "UPDATE environments SET kind = 'branch'",
		"UPDATE environments SET live_deployment_id = NULL": "UPDATE environments SET live_deployment_id = '" + d.ID + "'",
		"UPDATE previews SET state = 'starting'":            "UPDATE previews SET state = 'live'",
	} {
		b.exec(change)
		require.False(t, fall("host-1"), change)
		b.exec(back)
	}
	b.exec("UPDATE preview_leases SET wake_requested_at = now()")
	require.True(t, fall("host-1"))
	require.False(t, fall("host-1"))
	require.Equal(t, deployment.PreviewAsleep, b.standing(d).Preview.State)
	require.Nil(t, b.standing(d).WakeRequestedAt, "asked for before it slept")
	container, err := b.AsleepAs(t.Context(), d.ID, "host-1")
	require.NoError(t, err)
	require.Equal(t, preview(d).Container, container)
	container, err = b.AsleepAs(t.Context(), d.ID, "host-2")
	require.NoError(t, err)
	require.Empty(t, container)
	sleepers, err := b.PreviewsAsleep(t.Context(), "host-1", 0)
	require.NoError(t, err)
	require.Len(t, sleepers, 1)
	sleepers, err = b.PreviewsAsleep(t.Context(), "host-1", time.Minute)
	require.NoError(t, err)
	require.Empty(t, sleepers, "not for so long")
}

func TestStayAwake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.asleep()
	stay := func() bool {
		awake, err := b.StayAwake(t.Context(), d.ID, "host-1")
		require.NoError(t, err)
		return awake
	}
	require.False(t, stay(), "nobody has asked for it")
	b.visited(d)
	require.True(t, stay())
	require.Equal(t, deployment.PreviewLive, b.standing(d).Preview.State)
	require.False(t, stay())

	b.idleFor("1 hour")
	b.exec("UPDATE preview_traffic SET last_request_at = now() - interval '1 hour'")
	_, err := b.FallAsleep(t.Context(), d.ID, "host-1", time.Minute)
	require.NoError(t, err)
	require.False(t, stay())
	b.exec("UPDATE preview_leases SET wake_requested_at = now()")
	require.True(t, stay())
	require.Nil(t, b.standing(d).WakeRequestedAt)
}

// What is asleep is needed, and is drained when it was replaced; what was stopped is not needed.
func TestWhatIsAsleepIsNeeded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old := b.asleep()
	for kind, name := range map[deployment.ResourceKind]string{deployment.ResourceContainer: preview(old).Container, deployment.ResourceNetwork: preview(old).Network} {
		require.NoError(t, b.Own(t.Context(), deployment.Resource{Kind: kind, Name: name, Host: "host-1", DeploymentID: old.ID, RunID: "run-1"}))
	}
	b.exec("UPDATE deployments SET image_digest = 'sha256:x', finished_at = now() - interval '1 hour', ready_at = now() - interval '1 hour'")
	needed, err := b.NeededAs(t.Context(), []string{preview(old).Container, preview(old).Network})
	require.NoError(t, err)
	require.Len(t, needed, 2)
	left := func() []deployment.Resource {
		left, err := b.LeftOver(t.Context(), "host-1", time.Minute, time.Minute)
		require.NoError(t, err)
		return left
	}
	require.Empty(t, left())
	vain, err := b.PulledInVain(t.Context(), []string{"sha256:x"}, time.Minute)
	require.NoError(t, err)
	require.Empty(t, vain)

	b.exec("UPDATE previews SET state = 'stopped'")
	b.idleFor("2 minutes")
	require.Len(t, left(), 2)
	vain, err = b.PulledInVain(t.Context(), []string{"sha256:x"}, time.Minute)
	require.NoError(t, err)
	require.Len(t, vain, 1)
	images, err := b.ExpiredImages(t.Context(), 1, time.Minute)
	require.NoError(t, err)
	require.Empty(t, images, "the registry keeps the image of what can be started again")

	b.exec("UPDATE previews SET state = 'asleep'")
	project, err := b.Project(t.Context(), old.ProjectID)
	require.NoError(t, err)
	d := b.deploy(project, "branch/a")
	b.live(d, "run-2")
	replaced, err := b.ReplacedPreviews(t.Context(), d.ID)
	require.NoError(t, err)
	require.Len(t, replaced, 1)
	b.exec("UPDATE deployments SET ready_at = now() - interval '1 hour' WHERE id = $1", d.ID)
	require.Len(t, left(), 2, "nobody has drained it")
	require.NoError(t, b.Gone(t.Context(), deployment.Resource{Kind: deployment.ResourceContainer, Name: preview(old).Container, Host: "host-1", DeploymentID: old.ID}, 0))
	replaced, err = b.ReplacedPreviews(t.Context(), d.ID)
	require.NoError(t, err)
	require.Empty(t, replaced, "its container is gone")
}

func again(d deployment.Deployment, host string) deployment.Preview {
	return deployment.Preview{DeploymentID: d.ID, Host: host, Container: "again-" + d.ID, Network: "net2-" + d.ID}
}

func TestStartAgain_WhereItStands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.asleep()
	p, err := b.BeginStart(t.Context(), again(d, "host-1"))
	require.NoError(t, err)
	want := preview(d)
	require.Equal(t, want, p, "it keeps its names and its address")
	p, err = b.BeginStart(t.Context(), again(d, "host-1"))
	require.NoError(t, err)
	require.Equal(t, want, p, "an attempt repeats")
	b.exec("UPDATE preview_leases SET wake_requested_at = now()")
	for range 2 {
		require.NoError(t, b.Started(t.Context(), p))
	}
	want.State = deployment.PreviewLive
	require.Equal(t, want, b.standing(d).Preview)
	require.Nil(t, b.standing(d).WakeRequestedAt)
	p, err = b.BeginStart(t.Context(), again(d, "host-1"))
	require.NoError(t, err)
	require.Equal(t, deployment.PreviewLive, p.State, "there is nothing to begin")
}

func TestStartAgain_Elsewhere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branch()
	p, err := b.BeginStart(t.Context(), again(d, "host-2"))
	require.NoError(t, err)
	want := again(d, "host-2")
	want.State = deployment.PreviewStarting
	require.Equal(t, want, p)
	require.ErrorIs(t, b.Started(t.Context(), preview(d)), deployment.ErrSuperseded, "the host that was left is too late")
	_, err = b.StartFailed(t.Context(), d.ID, "host-1", &deployment.Failure{Code: "late"}, threeStarts)
	require.ErrorIs(t, err, deployment.ErrSuperseded)
	require.Nil(t, b.standing(d).Failure)
	p.Address, p.ContainerID = "172.18.0.9:3000", "c2"
	require.NoError(t, b.Started(t.Context(), p))
	p.State = deployment.PreviewLive
	require.Equal(t, p, b.standing(d).Preview)
	require.NoError(t, b.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceContainer, Name: preview(d).Container, Host: "host-1", DeploymentID: d.ID, RunID: "run-1"}))
	b.exec("UPDATE deployments SET finished_at = now() - interval '1 hour', ready_at = now() - interval '1 hour'")
	left, err := b.LeftOver(t.Context(), "host-1", time.Minute, time.Minute)
	require.NoError(t, err)
	require.Len(t, left, 1, "the lost host removes it when it is back")
}

func TestStartAgain_OnlyWhatIsLiveAndWanted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.asleep()
	p, err := b.BeginStart(t.Context(), again(d, "host-1"))
	require.NoError(t, err)
	refused := func(why string) {
		_, err := b.BeginStart(t.Context(), again(d, "host-1"))
		require.ErrorIs(t, err, deployment.ErrSuperseded, why)
		require.ErrorIs(t, b.Started(t.Context(), p), deployment.ErrSuperseded, why)
		require.NotEqual(t, deployment.PreviewLive, b.state(d), why)
	}
	b.exec("UPDATE preview_leases SET wanted = 'stopped'")
	refused("it is to be stopped")
	b.exec("UPDATE preview_leases SET wanted = 'running'")
	project, err := b.Project(t.Context(), d.ProjectID)
	require.NoError(t, err)
	b.live(b.deploy(project, "branch/a"), "run-2")
	refused("it was replaced")
	_, err = b.StartFailed(b.t.Context(), d.ID, "host-1", &deployment.Failure{}, threeStarts)
	require.ErrorIs(t, err, deployment.ErrSuperseded)
}

func (b bench) state(d deployment.Deployment) (state deployment.PreviewState) {
	b.t.Helper()
	require.NoError(b.t, b.Pool().QueryRow(b.t.Context(), "SELECT state FROM previews WHERE deployment_id = $1", d.ID).Scan(&state))
	return state
}

func TestStartFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.asleep()
	_, err := b.BeginStart(t.Context(), again(d, "host-1"))
	require.NoError(t, err)
	require.NoError(t, b.StartTrouble(t.Context(), d.ID, &deployment.Failure{Code: "away", Message: "connection refused"}))
	require.Equal(t, "away", b.standing(d).Failure.Code)
	require.Equal(t, deployment.PreviewStarting, b.standing(d).Preview.State)
	b.exec("UPDATE preview_leases SET wake_requested_at = now()")
	again, err := b.StartFailed(t.Context(), d.ID, "host-1", &deployment.Failure{Code: "broken", Class: deployment.ClassUser}, threeStarts)
	require.NoError(t, err)
	require.Equal(t, time.Minute, again)
	lease := b.standing(d)
	require.Equal(t, "broken", lease.Failure.Code)
	require.Nil(t, lease.WakeRequestedAt)
	require.Equal(t, deployment.PreviewFailed, lease.Preview.State)
	require.Equal(t, time.Minute, lease.NextStartAt.Sub(lease.Since), "both are the transaction's time")
	require.Equal(t, 1, lease.FailedStarts)
}

// An attempt that Temporal makes once more, as after the death of its worker, begins no start that is not due.
func TestStartFailed_NothingBeginsBeforeItsTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.asleep()
	begin := func() error {
		_, err := b.BeginStart(t.Context(), again(d, "host-1"))
		return err
	}
	for last, due := range []string{"next_start_at = now()", "wake_requested_at = now()", "next_start_at = now()"} {
		b.failStart(d)
		require.ErrorIs(t, begin(), deployment.ErrSuperseded)
		require.Equal(t, deployment.PreviewFailed, b.state(d), last)
		b.exec("UPDATE preview_leases SET " + due)
	}
	b.failStart(d)
	require.Nil(t, b.standing(d).NextStartAt)
	require.ErrorIs(t, begin(), deployment.ErrSuperseded, "it is given up")
	_, err := b.StartPreview(t.Context(), d.ID)
	require.NoError(t, err)
	require.NoError(t, begin(), "somebody asks for it")
}

// What went live by a worker of before there were leases has no row.
func TestStartFailed_WithoutALease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.asleep()
	b.exec("DELETE FROM preview_leases")
	require.Equal(t, time.Minute, b.failStart(d))
	lease := b.standing(d)
	require.Equal(t, "broken", lease.Failure.Code)
	require.Equal(t, time.Minute, lease.NextStartAt.Sub(lease.Since))
}

// threeStarts may fail in a row.
var threeStarts = deployment.LeasePolicy{RetryInitial: time.Minute, RetryMaximum: time.Hour, Starts: 3}

// failStart begins to start a preview again, and lets it not come up.
func (b bench) failStart(d deployment.Deployment) (again time.Duration) {
	b.t.Helper()
	_, err := b.BeginStart(b.t.Context(), deployment.Preview{DeploymentID: d.ID, Host: "host-1", Container: "again-" + d.ID, Network: "net2-" + d.ID})
	require.NoError(b.t, err)
	again, err = b.StartFailed(b.t.Context(), d.ID, "host-1", &deployment.Failure{Code: "broken", Class: deployment.ClassUser}, threeStarts)
	require.NoError(b.t, err)
	return again
}

// timeToRetry lets the time have come at which a preview is tried again.
func (b bench) timeToRetry() {
	b.t.Helper()
	b.exec("UPDATE preview_leases SET next_start_at = now()")
}

// Waits grow until it is given up; tries that visitors ask for before its time neither count nor put it off.
func TestStartFailed_IsTriedAgainSoOften(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.asleep()
	require.Equal(t, time.Minute, b.failStart(d))
	next := b.standing(d).NextStartAt
	for range 5 {
		b.exec("UPDATE preview_leases SET wake_requested_at = now()")
		require.Less(t, b.failStart(d), time.Minute)
		require.Nil(t, b.standing(d).WakeRequestedAt)
		require.Equal(t, next, b.standing(d).NextStartAt)
		require.Equal(t, 1, b.standing(d).FailedStarts)
	}
	b.timeToRetry()
	require.Equal(t, 2*time.Minute, b.failStart(d))
	b.timeToRetry()
	require.Zero(t, b.failStart(d))
	lease := b.standing(d)
	require.Nil(t, lease.NextStartAt)
	require.Equal(t, deployment.PreviewFailed, lease.Preview.State)
	require.Equal(t, "broken", lease.Failure.Code)
	require.Equal(t, deployment.Duty{}, lease.Duty(threeStarts), "it is given up")

	for of, begin := range map[string]func(){
		"a request": func() { _, err := b.StartPreview(t.Context(), d.ID); require.NoError(t, err) },
		"a deploy": func() {
			project, err := b.Project(t.Context(), d.ProjectID)
			require.NoError(t, err)
			d = b.deploy(project, "branch/a")
			b.live(d, "run-"+d.ID)
			require.NoError(t, b.LosePreview(t.Context(), d.ID, "host-1"))
		},
		"a stop and a start": func() {
			_, err := b.StopPreview(t.Context(), d.ID)
			require.NoError(t, err)
			require.Nil(t, b.standing(d).NextStartAt)
			_, err = b.StartPreview(t.Context(), d.ID)
			require.NoError(t, err)
		},
		"a start that succeeds": func() {
			b.exec("UPDATE preview_leases SET wake_requested_at = now()")
			p, err := b.BeginStart(t.Context(), again(d, "host-1"))
			require.NoError(t, err)
			p.Address, p.ContainerID = "172.18.0.9:3000", "c2"
			require.NoError(t, b.Started(t.Context(), p))
			require.NoError(t, b.LosePreview(t.Context(), d.ID, "host-1"))
		},
	} {
		begin()
		require.Zero(t, b.standing(d).FailedStarts, of)
		require.Nil(t, b.standing(d).NextStartAt, of)
		require.Equal(t, time.Minute, b.failStart(d), of)
		b.timeToRetry()
		require.Equal(t, 2*time.Minute, b.failStart(d), of)
	}
}

func TestStartFailed_ProductionIsNotGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	b.live(d, "run-1")
	require.NoError(t, b.LosePreview(t.Context(), d.ID, "host-1"))
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		require.Equal(t, wait*time.Minute, b.failStart(d))
		b.timeToRetry()
		require.Equal(t, deployment.LeaseStart, b.standing(d).Duty(threeStarts).Act)
	}
}

func TestEndPreview(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Store = b.WithPreviewTTL(time.Hour)
	d := b.branch()
	end := func() bool {
		ended, err := b.EndPreview(t.Context(), d.ID)
		require.NoError(t, err)
		return ended
	}
	require.False(t, end())
	b.exec("UPDATE preview_leases SET expires_at = now(), pinned = true")
	require.False(t, end(), "what is pinned does not end")
	b.exec("UPDATE preview_leases SET pinned = false, wake_requested_at = now()")
	require.True(t, end())
	require.True(t, end(), "an attempt repeats")
	lease := b.standing(d)
	require.Equal(t, deployment.PreviewStopped, lease.Preview.State)
	require.Equal(t, deployment.WantedStopped, lease.Wanted)
	require.Nil(t, lease.WakeRequestedAt)

	b.exec("UPDATE preview_leases SET wanted = 'running'")
	p, err := b.BeginStart(t.Context(), again(d, "host-1"))
	require.NoError(t, err)
	require.Greater(t, b.standing(d).ExpiresAt.Sub(b.standing(d).Now), 50*time.Minute, "its time begins anew")
	require.NoError(t, b.Started(t.Context(), p))
	project, err := b.Project(t.Context(), d.ProjectID)
	require.NoError(t, err)
	b.exec("UPDATE preview_leases SET wanted = 'stopped'")
	b.live(b.deploy(project, "branch/a"), "run-2")
	require.False(t, end(), "who replaced it drains it")
}

// A switch that meets a start of what it replaces: the new one is live, and the start is refused or was replaced.
func TestStartAgain_MeetsASwitch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for range 5 {
		d := b.deploy(p, "branch/a")
		b.live(d, "run-1")
		b.idleFor("1 hour")
		_, err := b.FallAsleep(t.Context(), d.ID, "host-1", time.Minute)
		require.NoError(t, err)
		begun, err := b.BeginStart(t.Context(), again(d, "host-1"))
		require.NoError(t, err)
		newer := b.deploy(p, "branch/a")
		b.through(newer, "run-2", deployment.StepRelease)
		var wait sync.WaitGroup
		var started, switched error
		wait.Go(func() { started = b.Started(t.Context(), begun) })
		wait.Go(func() { _, switched = b.SwitchRoute(t.Context(), "run-2", preview(newer)) })
		wait.Wait()
		require.NoError(t, switched)
		if started != nil {
			require.ErrorIs(t, started, deployment.ErrSuperseded)
		}
		replaced, err := b.ReplacedPreviews(t.Context(), newer.ID)
		require.NoError(t, err)
		require.NotEmpty(t, replaced)
		require.Equal(t, newer.ID, b.standing(newer).Preview.DeploymentID)
	}
}

// Of many who put one to sleep at once one does it, and a visitor is never forgotten.
func TestFallAsleep_MeetsAWake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branch()
	for range 5 {
		b.exec("UPDATE previews SET state = 'live', updated_at = now() - interval '1 hour'")
		b.exec("UPDATE preview_leases SET wake_requested_at = NULL")
		var wait sync.WaitGroup
		var mu sync.Mutex
		fell := 0
		for range 4 {
			wait.Go(func() {
				did, err := b.FallAsleep(t.Context(), d.ID, "host-1", time.Minute)
				if err == nil && did {
					mu.Lock()
					fell++
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		require.Equal(t, 1, fell)
		var woken, stayed sync.WaitGroup
		woken.Go(func() {
			_, _ = b.Pool().Exec(t.Context(), "UPDATE preview_leases SET wake_requested_at = now() WHERE environment_id = $1 AND wake_requested_at IS NULL", d.EnvironmentID)
		})
		stayed.Go(func() { _, _ = b.StayAwake(t.Context(), d.ID, "host-1") })
		woken.Wait()
		stayed.Wait()
		lease := b.standing(d)
		require.True(t, lease.Preview.State == deployment.PreviewLive || lease.WakeRequestedAt != nil, "%+v", lease)
	}
}

func TestLosePreview(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branch()
	require.NoError(t, b.LosePreview(t.Context(), d.ID, "host-2"))
	require.Equal(t, deployment.PreviewLive, b.standing(d).Preview.State, "it is elsewhere by now")
	require.NoError(t, b.LosePreview(t.Context(), d.ID, "host-1"))
	require.Equal(t, deployment.PreviewFailed, b.standing(d).Preview.State)
	require.Nil(t, b.standing(d).Failure, "it is to be started again")
}

// Whatever changes a lease is told: a deploy, a request, a visitor, a loss, a deletion.
func TestListenLeases(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	begun, changed, done := make(chan struct{}, 10), make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		b.ListenLeases(ctx, slog.New(slog.DiscardHandler), func() { begun <- struct{}{} }, func(id string) { changed <- id })
	}()
	<-begun
	var d deployment.Deployment
	told := func(of string) {
		t.Helper()
		select {
		case id := <-changed:
			require.Equal(t, d.EnvironmentID, id, of)
		case <-time.After(time.Minute):
			t.Fatal("no word of " + of)
		}
	}
	d = b.branch()
	told("a deploy")
	b.exec("UPDATE preview_leases SET wake_requested_at = now()")
	told("a visitor")
	require.NoError(t, b.LosePreview(t.Context(), d.ID, "host-1"))
	told("a loss")
	container := deployment.Resource{Kind: deployment.ResourceContainer, Name: preview(d).Container, Host: "host-1", DeploymentID: d.ID}
	b.exec("UPDATE previews SET state = 'live'")
	require.NoError(t, b.Own(t.Context(), container))
	require.NoError(t, b.Gone(t.Context(), container, 0))
	told("a container that was removed")
	b.exec("UPDATE previews SET state = 'live'")
	_, err := b.ForgetHost(t.Context(), "host-1")
	require.NoError(t, err)
	told("a host that was forgotten")
	b.remove(deployment.Scope{ProjectID: d.ProjectID, EnvironmentID: d.EnvironmentID})
	told("a deletion")
	cancel()
	<-done
}
