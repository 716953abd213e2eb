package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/temporal"
)

// The waits between the attempts at a step, at the intervals of production, outlast a component that is away for a minute.
func TestAttemptsOutlastAMinute(t *testing.T) {
	t.Parallel()
	limits := temporal.DefaultLimits()
	waited, next := time.Duration(0), limits.RetryInitial
	for range limits.Attempts - 1 {
		waited += min(next, limits.RetryMaximum)
		next *= 2
	}
	require.Equal(t, 91*time.Second, waited)
}

// away fails as often as it is told to, because a component does not answer; then it is back.
func away(times int32) (hook func(context.Context) error, asked *atomic.Int32) {
	asked = &atomic.Int32{}
	return func(context.Context) error {
		if asked.Add(1) <= times {
			return deployment.AwayFailure(deployment.ComponentRegistry, "build.push_failed", "check that the registry runs", "push image: connection refused")
		}
		return nil
	}, asked
}

func TestOutage_OfSevenAttempts(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	s.deploys.Limits.RetryInitial, s.deploys.Limits.RetryMaximum = 10*time.Millisecond, 50*time.Millisecond
	hook, asked := away(temporal.DefaultLimits().Attempts - 1)
	s.host.on("solve", hook)
	s.host.work(s.client, s.writer, s.deploys.Limits)
	d := s.until(s.deploy(), deployment.StatusReady)
	require.Equal(t, temporal.DefaultLimits().Attempts, asked.Load())
	run, _ := s.current(d)
	s.requireLive(d, run)
}

// An outage that is longer than the attempts last, at intervals that are shortened for it: the deploy fails for what was away,
// leaves nothing behind, and a retry needs no more than that the component is back.
func TestOutage_OfMoreAttemptsThanThereAre(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	s.deploys.Limits.Attempts, s.deploys.Limits.RetryInitial, s.deploys.Limits.RetryMaximum = 3, 10*time.Millisecond, 20*time.Millisecond
	hook, asked := away(3)
	s.host.on("solve", hook)
	s.host.work(s.client, s.writer, s.deploys.Limits)
	d := s.until(s.deploy(), deployment.StatusFailed)
	require.Equal(t, int32(3), asked.Load())
	require.Equal(t, "build.push_failed", d.Failure.Code)
	require.Equal(t, deployment.ComponentRegistry, d.Failure.Component)
	requireNothingHeld(t, s, d)
	require.NoError(t, s.retry(t.Context(), d))
	s.until(d, deployment.StatusReady)
}

// The real server is dead for longer than the record of a step waits, and than the attempts at one last. What gives the
// build slot back and records the end then waits for it, and the end is the true one.
func TestOutage_OfPostgres(t *testing.T) {
	t.Parallel()
	own := postgrestest.NewOwn(t)
	s := newSystemOn(t, own.Open)
	s.host.patience = 50 * time.Millisecond
	s.deploys.Limits.Attempts, s.deploys.Limits.RetryInitial, s.deploys.Limits.RetryMaximum = 2, 100*time.Millisecond, 200*time.Millisecond
	s.host.on("fetch", func(context.Context) error {
		s.host.on("fetch", func(context.Context) error { return nil })
		own.Kill()
		return nil
	})
	s.host.work(s.client, s.writer, s.deploys.Limits)
	d := s.deploy()
	var pending *workflowpb.PendingActivityInfo
	require.Eventually(t, func() bool {
		pending = s.pending(d, "VacateHost")
		return pending.GetAttempt() > 1
	}, eventually, tick, "the attempts at the step are used up, and what cleans up goes on")
	require.Contains(t, pending.GetLastFailure().GetMessage(), "needs Postgres: ")
	require.NotNil(t, pending.GetScheduledTime(), "Temporal tells when the next one begins")

	own.Start()
	d = s.until(d, deployment.StatusFailed)
	require.Equal(t, "postgres.unavailable", d.Failure.Code)
	require.Equal(t, deployment.ComponentPostgres, d.Failure.Component)
	requireNothingHeld(t, s, d)
	require.NoError(t, s.retry(t.Context(), d))
	s.until(d, deployment.StatusReady)
}

// pending is what Temporal tells of an activity that is to be tried again; nil when there is none of the name.
func (s *system) pending(d deployment.Deployment, activity string) *workflowpb.PendingActivityInfo {
	s.t.Helper()
	described, err := s.client.DescribeWorkflowExecution(s.t.Context(), temporal.DeployWorkflowID(d.ID), "")
	require.NoError(s.t, err)
	for _, a := range described.GetPendingActivities() {
		if a.GetActivityType().GetName() == activity {
			return a
		}
	}
	return nil
}

// requireNothingHeld is for the end of a deploy that was never live.
func requireNothingHeld(t *testing.T, s *system, d deployment.Deployment) {
	t.Helper()
	require.Empty(t, s.host.running())
	owned, err := s.store.Owned(t.Context(), d.ID, "", deployment.ResourceContainer, deployment.ResourceNetwork, deployment.ResourceLease)
	require.NoError(t, err)
	require.Empty(t, owned)
}
