package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// A worker that dies between the lease and its answer leaves a lease that nobody works with: the host's only slot is not lost to
// the deployment itself, which claims again.
func TestClaim_WhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	s.host.unanswered = time.Second
	s.host.on("claim", onTheFirst(errors.New("the worker has died")))
	s.host.work(s.client, s.writer, s.deploys.Limits)
	d := s.until(s.deploy(), deployment.StatusReady)
	s.requireLive(d, d.RunID)
	leases, err := s.store.OpenLeases(t.Context(), s.host.id)
	require.NoError(t, err)
	require.Empty(t, leases)
}

func onTheFirst(err error) func(context.Context) error {
	var mu sync.Mutex
	var met bool
	return func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if met {
			return nil
		}
		met = true
		return err
	}
}

// Whoever waits for a build slot is not late: the deploy's own deadline begins with the slot. The wait has a limit of its own.
func TestClaim_WaitsAsLongAsItMay(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	s.host.controlOnly = true // nobody takes the claim
	s.deploys.Limits.Deploy = 500 * time.Millisecond
	s.deploys.Limits.Line = 3 * time.Second
	s.host.work(s.client, s.writer, s.deploys.Limits)
	begun := time.Now()
	d := s.until(s.deploy(), deployment.StatusFailed)
	require.GreaterOrEqual(t, time.Since(begun), s.deploys.Limits.Line)
	require.Equal(t, "deploy.no_build_slot", d.Failure.Code)
	require.Equal(t, deployment.ClassPlatform, d.Failure.Class)
	require.Contains(t, d.Failure.Message, "within 3s")
	require.Contains(t, d.Failure.Fix, "slipway admin hosts list")
}

// A cancel does not wait for a build host that is gone for as long as a deploy would.
func TestCancel_OfABuildWhoseHostIsGone(t *testing.T) {
	t.Parallel()
	const heartbeat = 15 * time.Second // the cancel is to come before
	for name, c := range map[string]struct {
		gone  func(s *system, stop func())
		waits time.Duration // for the host to remove the workspace
	}{
		// Its worker was stopped: the next attempt waits for it, and a cancel ends that at once.
		"stopped": {func(s *system, stop func()) { stop() }, heartbeat},
		// It was killed: nothing is heard of the attempt, and the cancel is answered by the heartbeat's time-out.
		"killed": {func(s *system, stop func()) { s.host.deaf.Store(true); stop() }, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIdleSystem(t)
			s.deploys.Limits.Heartbeat = heartbeat
			building, release := make(chan struct{}), make(chan struct{})
			s.host.on("solve", func(ctx context.Context) error {
				close(building)
				if name == "killed" {
					<-release
					return ctx.Err()
				}
				<-ctx.Done()
				return ctx.Err()
			})
			t.Cleanup(func() { close(release) })
			other := &host{id: "control", controlOnly: true, unscheduled: true, store: s.store, t: t, namespace: s.deploys.Namespace}
			other.work(s.client, s.writer, s.deploys.Limits)
			stop := s.host.work(s.client, s.writer, s.deploys.Limits)
			d := s.deploy()
			<-building
			c.gone(s, stop)

			_, err := s.store.RequestCancel(t.Context(), d.ID)
			require.NoError(t, err)
			found, err := s.deploys.Cancel(t.Context(), d.ID)
			require.NoError(t, err)
			require.True(t, found)
			d = s.until(d, deployment.StatusCanceled)
			require.Equal(t, c.waits, s.waitsFor(d, "VacateHost"))
			leases, err := s.store.OpenLeases(t.Context(), s.host.id)
			require.NoError(t, err)
			require.Empty(t, leases, "its slot is free, though nobody was there to give it back")
		})
	}
}

// waitsFor returns how long an activity waits until a worker takes it.
func (s *system) waitsFor(d deployment.Deployment, activity string) time.Duration {
	s.t.Helper()
	for _, e := range s.history(d, d.RunID) {
		a := e.GetActivityTaskScheduledEventAttributes()
		if e.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED && a.GetActivityType().GetName() == activity {
			return a.GetScheduleToStartTimeout().AsDuration()
		}
	}
	require.Fail(s.t, "no activity "+activity)
	return 0
}
