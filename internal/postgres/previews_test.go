package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestSwitchRoute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	first := b.deploy(p, "production")
	b.live(first, "run-1")
	second := b.deploy(p, "production")
	b.through(second, "run-2", deployment.StepRelease)

	for range 2 { // the answer to the first call may be lost
		replaced, err := b.SwitchRoute(t.Context(), "run-2", preview(second))
		require.NoError(t, err)
		want := preview(first)
		want.State = deployment.PreviewLive
		require.Equal(t, []deployment.Preview{want}, replaced)
	}
	listed, err := b.ReplacedPreviews(t.Context(), second.ID)
	require.NoError(t, err)
	require.Len(t, listed, 1)

	ready, err := b.Deployment(t.Context(), second.ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusReady, ready.Status)
	require.NotNil(t, ready.ReadyAt)
	require.NotNil(t, ready.FinishedAt)
	require.Nil(t, ready.Step)
	former, err := b.Deployment(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusReady, former.Status)
	require.Equal(t, second.ID, former.SupersededBy)
	environment, err := b.Environment(t.Context(), p.ID, "production")
	require.NoError(t, err)
	require.Equal(t, second.ID, environment.LiveDeploymentID)

	b.exec("UPDATE deployments SET ready_at = now() - interval '1 minute' WHERE id = $1", second.ID)
	since, err := b.ReplacedFor(t.Context(), first.ID)
	require.NoError(t, err)
	require.InDelta(t, time.Minute, since, float64(30*time.Second))
	since, err = b.ReplacedFor(t.Context(), second.ID)
	require.NoError(t, err)
	require.Greater(t, since, 24*time.Hour, "nobody replaced it: there is nothing to wait for")

	require.NoError(t, b.SetPreviewState(t.Context(), first.ID, deployment.PreviewStopped))
	replaced, err := b.SwitchRoute(t.Context(), "run-2", preview(second))
	require.NoError(t, err)
	require.Empty(t, replaced)
}

func TestAnOlderDeploymentNeverReplacesANewerOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	abreast := b.abreast(p, "production", 2)
	older, newer := abreast[0], abreast[1]
	b.through(older, "run-1", deployment.StepRelease)
	b.live(newer, "run-2")
	_, err := b.SwitchRoute(t.Context(), "run-1", preview(older))
	require.ErrorIs(t, err, deployment.ErrSuperseded)
	route, err := b.Route(t.Context(), newer.EnvHost)
	require.NoError(t, err)
	require.Equal(t, newer.ID, route.DeploymentID)
}

func TestSwitchesThatMeetLeaveTheNewestLive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for range 5 {
		abreast := b.abreast(p, "production", 2)
		older, newer := abreast[0], abreast[1]
		b.through(older, "run-1", deployment.StepRelease)
		b.through(newer, "run-2", deployment.StepRelease)
		var wait sync.WaitGroup
		var olderErr, newerErr error
		wait.Go(func() { _, olderErr = b.SwitchRoute(t.Context(), "run-1", preview(older)) })
		wait.Go(func() { _, newerErr = b.SwitchRoute(t.Context(), "run-2", preview(newer)) })
		wait.Wait()
		require.NoError(t, newerErr)
		if olderErr != nil {
			require.ErrorIs(t, olderErr, deployment.ErrSuperseded)
		}
		environment, err := b.Environment(t.Context(), p.ID, "production")
		require.NoError(t, err)
		require.Equal(t, newer.ID, environment.LiveDeploymentID)
	}
}

func TestWhoMayNotSwitch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	d := b.deploy(p, "production")
	b.through(d, "run", deployment.StepBuild)
	_, err := b.SwitchRoute(t.Context(), "run", preview(d))
	require.ErrorIs(t, err, deployment.ErrInvalidMove)
	b.through(d, "run", deployment.StepRelease)
	_, err = b.SwitchRoute(t.Context(), "another", preview(d))
	require.ErrorIs(t, err, deployment.ErrStaleRun)
	_, err = b.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	_, err = b.SwitchRoute(t.Context(), "run", preview(d))
	require.ErrorIs(t, err, deployment.ErrCancelRequested)
	_, err = b.Finish(t.Context(), d.ID, "run", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	_, err = b.SwitchRoute(t.Context(), "run", preview(d))
	require.ErrorIs(t, err, deployment.ErrCancelRequested)

	failed := b.deploy(p, "production")
	b.through(failed, "run", deployment.StepRelease)
	_, err = b.Finish(t.Context(), failed.ID, "run", deployment.StatusFailed, nil)
	require.NoError(t, err)
	_, err = b.SwitchRoute(t.Context(), "run", preview(failed))
	require.ErrorIs(t, err, deployment.ErrStaleRun)
	_, err = b.SwitchRoute(t.Context(), "run", deployment.Preview{DeploymentID: p.ID})
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestLivePreviews(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	first, second := b.deploy(p, "production"), b.deploy(p, "branch/a")
	elsewhere := preview(second)
	elsewhere.Host = "host-2"
	for d, at := range map[*deployment.Deployment]deployment.Preview{&first: preview(first), &second: elsewhere} {
		require.NoError(t, b.begin(*d, "run"))
		b.through(*d, "run", deployment.StepRelease)
		require.NoError(t, b.SetPreview(t.Context(), "run", at))
		if d == &second {
			live, err := b.LivePreviews(t.Context(), "host-2")
			require.NoError(t, err)
			require.Empty(t, live, "one that is starting is not live")
		}
		_, err := b.SwitchRoute(t.Context(), "run", at)
		require.NoError(t, err)
	}
	elsewhere.State = deployment.PreviewLive
	for host, want := range map[string]int{"host-1": 1, "host-2": 1, "host-3": 0, "": 2} {
		live, err := b.LivePreviews(t.Context(), host)
		require.NoError(t, err)
		require.Len(t, live, want, host)
	}
	require.NoError(t, b.SetPreviewState(t.Context(), first.ID, deployment.PreviewFailed))
	live, err := b.LivePreviews(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []deployment.Preview{elsewhere}, live)
}

func TestRoute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	first := b.deploy(p, "production")
	route := func(host string) deployment.Route {
		r, err := b.Route(t.Context(), host)
		require.NoError(t, err)
		return r
	}
	own := deployment.Route{
		Hostname: first.PreviewHost, DeploymentID: first.ID, DeploymentNumber: 1, Project: "app", Environment: "production",
		EnvironmentID: first.EnvironmentID, Status: deployment.StatusQueued,
	}
	require.Equal(t, own, route(first.PreviewHost))
	stable := own
	stable.Hostname, stable.Stable = first.EnvHost, true
	require.Equal(t, stable, route(first.EnvHost), "while nothing is live, the newest is shown")

	b.through(first, "run-1", deployment.StepRelease)
	require.NoError(t, b.SetPreview(t.Context(), "run-1", preview(first)))
	require.Equal(t, deployment.PreviewStarting, route(first.PreviewHost).State)
	require.Empty(t, route(first.PreviewHost).Address, "nobody is led to what is not live")
	b.live(first, "run-1")
	require.Equal(t, "172.18.0.2:3000", route(first.EnvHost).Address)

	broken := b.deploy(p, "production")
	require.Equal(t, first.ID, route(first.EnvHost).DeploymentID, "a newer one that is not live changes nothing")
	failure := &deployment.Failure{Class: deployment.ClassUser, Code: "x", Message: "broken"}
	_, err := b.Finish(t.Context(), broken.ID, "", deployment.StatusFailed, failure)
	require.NoError(t, err)
	require.Equal(t, failure, route(broken.PreviewHost).Failure)
	require.Zero(t, route(broken.PreviewHost).ReplacedBy)

	third := b.deploy(p, "production")
	b.live(third, "run-3")
	require.Equal(t, third.ID, route(first.EnvHost).DeploymentID)
	require.Equal(t, 3, route(first.PreviewHost).ReplacedBy)
	require.Zero(t, route(third.PreviewHost).ReplacedBy)
	for _, host := range []string{"", "nope.localhost", "nul\x00", "\xff"} {
		_, err := b.Route(t.Context(), host)
		require.ErrorIs(t, err, deployment.ErrNotFound, "%q", host)
	}
}
