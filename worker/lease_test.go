package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/worker"
)

// keepLeases passes the words of Postgres on until the test ends.
func (s *system) keepLeases(poke func(context.Context, string) error) {
	s.t.Helper()
	keeper := &worker.Keeper{Leases: s.store, Poke: poke, Policy: s.host.policy, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(s.t.Context())
	var keeping sync.WaitGroup
	keeping.Go(func() { keeper.Run(ctx) })
	s.t.Cleanup(func() { cancel(); keeping.Wait() })
}

// newLeased is a system whose previews sleep and end.
func newLeased(t *testing.T, policy deployment.LeasePolicy) *system {
	t.Helper()
	s := newIdleSystem(t)
	s.store = s.store.WithPreviewTTL(policy.TTL)
	s.host.store, s.host.policy = s.store, policy
	s.host.work(s.client, s.writer, s.deploys.Limits)
	return s
}

func (s *system) branch() deployment.Deployment {
	s.t.Helper()
	d, _, err := s.store.CreateDeployment(s.t.Context(), deployment.NewDeployment{Project: s.project, Environment: "branch/a"})
	require.NoError(s.t, err)
	require.NoError(s.t, s.deploys.Start(s.t.Context(), d, s.project))
	return s.until(d, deployment.StatusReady)
}

func (s *system) standing(d deployment.Deployment) deployment.StandingLease {
	s.t.Helper()
	lease, err := s.store.StandingLease(s.t.Context(), d.EnvironmentID)
	require.NoError(s.t, err)
	return lease
}

func (s *system) untilPreview(d deployment.Deployment, state deployment.PreviewState) deployment.Preview {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.standing(d).Preview.State == state }, eventually, tick, "%s", state)
	return s.standing(d).Preview
}

func (s *system) sql(statement string, args ...any) {
	s.t.Helper()
	_, err := s.store.Pool().Exec(s.t.Context(), statement, args...)
	require.NoError(s.t, err)
}

func (s *system) leaseOpen(d deployment.Deployment) bool {
	s.t.Helper()
	described, err := s.client.DescribeWorkflow(s.t.Context(), temporal.LeaseWorkflowID(d.EnvironmentID), "")
	require.NoError(s.t, err)
	return described.WorkflowCloseTime == nil
}

// Nobody does anything but change rows: a deploy, a visitor, the end of the time, a request to start.
func TestLease_SleepsWakesEndsAndBeginsAnew(t *testing.T) {
	t.Parallel()
	s := newLeased(t, deployment.LeasePolicy{TTL: time.Hour, Idle: 2 * time.Second, HostLost: time.Hour})
	s.keepLeases(s.deploys.PokeLease)
	d := s.branch()
	was := s.standing(d).Preview
	s.untilPreview(d, deployment.PreviewAsleep)
	require.Eventually(t, func() bool { return s.host.standsStill(was.Container) }, eventually, tick)

	// Who asks for it asks for a while: it does not fall asleep again before this test has looked.
	s.sql("INSERT INTO preview_traffic (environment_id, last_request_at) VALUES ($1, now() + interval '1 hour')", d.EnvironmentID)
	begun := time.Now()
	s.sql("UPDATE preview_leases SET wake_requested_at = now()")
	woken := s.untilPreview(d, deployment.PreviewLive)
	t.Logf("live again %.0f ms after it was asked for", float64(time.Since(begun).Milliseconds()))
	require.Equal(t, was.Address, woken.Address)
	require.False(t, s.host.standsStill(was.Container))

	s.sql("UPDATE preview_leases SET expires_at = now()")
	s.untilPreview(d, deployment.PreviewStopped)
	require.Eventually(t, func() bool { return len(s.host.running()) == 0 }, eventually, tick)
	require.Eventually(t, func() bool { return !s.leaseOpen(d) }, eventually, tick, "nothing is to be waited for")

	s.sql("UPDATE preview_leases SET wanted = 'running'")
	s.untilPreview(d, deployment.PreviewLive)
	require.Len(t, s.host.running(), 1)
	require.Greater(t, s.standing(d).ExpiresAt.Sub(s.standing(d).Now), 50*time.Minute)

	_, err := s.store.Delete(t.Context(), d.Scope())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !s.leaseOpen(d) }, eventually, tick, "the environment is gone")
}

// An app that is woken and does not come up, since something that it needs is away, comes up by itself; one that never does is given up.
func TestLease_WhatDoesNotComeUpIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newLeased(t, deployment.LeasePolicy{TTL: time.Hour, Idle: time.Hour, HostLost: time.Hour, RetryInitial: time.Second, RetryMaximum: time.Second, Starts: 3})
	s.keepLeases(s.deploys.PokeLease)
	d := s.branch()
	var tries atomic.Int32
	failing := deployment.UserFailure("release.app_exited", "mend it", "no database")
	s.host.on("probe", func(context.Context) error {
		if tries.Add(1) < 3 {
			return failing
		}
		return nil
	})
	restart := func() {
		s.sql("UPDATE preview_leases SET wanted = 'stopped'")
		s.untilPreview(d, deployment.PreviewStopped)
		s.sql("UPDATE preview_leases SET wanted = 'running'")
	}
	restart()
	s.untilPreview(d, deployment.PreviewLive)
	require.EqualValues(t, 3, tries.Load())
	require.Nil(t, s.standing(d).Failure)
	require.Len(t, s.host.running(), 1)

	s.host.on("probe", func(context.Context) error { tries.Add(1); return failing })
	restart()
	require.Eventually(t, func() bool {
		lease := s.standing(d)
		return lease.Preview.State == deployment.PreviewFailed && lease.Failure != nil && lease.NextStartAt == nil
	}, eventually, tick)
	require.EqualValues(t, 6, tries.Load())
	require.Eventually(t, func() bool { return !s.leaseOpen(d) && len(s.host.running()) == 0 }, eventually, tick, "nothing is to be waited for")

	s.host.on("probe", nil)
	_, err := s.store.StartPreview(t.Context(), d.ID)
	require.NoError(t, err)
	s.untilPreview(d, deployment.PreviewLive)
}

// Production neither sleeps nor ends: nobody has to look after it.
func TestLease_OfProduction(t *testing.T) {
	t.Parallel()
	s := newLeased(t, deployment.LeasePolicy{TTL: time.Hour, Idle: time.Millisecond, HostLost: time.Hour})
	var pokes atomic.Int32
	s.keepLeases(func(ctx context.Context, id string) error {
		err := s.deploys.PokeLease(ctx, id)
		pokes.Add(1)
		return err
	})
	d := s.until(s.deploy(), deployment.StatusReady)
	require.Eventually(t, func() bool { return pokes.Load() > 0 && !s.leaseOpen(d) }, eventually, tick)
	require.Equal(t, deployment.PreviewLive, s.standing(d).Preview.State)
}

// A host falls silent: what is live on it is started on another from the image, and it removes what it holds when it is back.
func TestLease_OfALostHost(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	s.host.policy.HostLost = time.Minute
	stop := s.host.work(s.client, s.writer, s.deploys.Limits)
	d := s.until(s.deploy(), deployment.StatusReady)
	require.Equal(t, "a", s.standing(d).Preview.Host)
	other := &host{id: "b", store: s.store, t: t, namespace: s.host.namespace, unscheduled: true, policy: s.host.policy}
	other.work(s.client, s.writer, s.deploys.Limits)
	stop()
	s.sql("UPDATE hosts SET last_seen_at = now() - interval '5 minutes' WHERE id = 'a'")
	require.Eventually(t, func() bool {
		id, err := s.store.PreviewHost(t.Context())
		return err == nil && id == "b"
	}, eventually, tick)
	s.sql("UPDATE hosts SET alive_since = now() - interval '5 minutes'") // the other one has spoken all the time
	_, err := s.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		p := s.standing(d).Preview
		return p.Host == "b" && p.State == deployment.PreviewLive
	}, eventually, tick)
	require.Len(t, other.running(), 1)
	s.sql("UPDATE deployments SET finished_at = finished_at - interval '1 hour', ready_at = ready_at - interval '1 hour'")
	left, err := s.store.LeftOver(t.Context(), "a", time.Minute, time.Minute)
	require.NoError(t, err)
	require.NotEmpty(t, left)
	left, err = s.store.LeftOver(t.Context(), "b", time.Minute, time.Minute)
	require.NoError(t, err)
	require.Empty(t, left)
}

// Temporal does not hear a word: it is said again. Words that were missed are found in the rows.
func TestKeeper_SaysAgainWhatWasNotHeard(t *testing.T) {
	t.Parallel()
	s := newLeased(t, deployment.LeasePolicy{HostLost: time.Hour})
	d := s.until(s.deploy(), deployment.StatusReady)
	s.sql("UPDATE previews SET state = 'stopped'") // and nobody was told that it is to run
	heard := make(chan string, 100)
	var deaf atomic.Bool
	deaf.Store(true)
	s.keepLeases(func(_ context.Context, id string) error {
		if deaf.Swap(false) {
			return errors.New("temporal is away")
		}
		heard <- id
		return nil
	})
	listen := func(why string) {
		t.Helper()
		select {
		case id := <-heard:
			require.Equal(t, d.EnvironmentID, id)
		case <-time.After(eventually):
			t.Fatal(why)
		}
	}
	listen("what is due when the keeper begins")
	deaf.Store(true)
	s.sql("UPDATE preview_leases SET updated_at = now()")
	listen("what was not heard at first")
}
