package deployment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestDuty(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	ago := func(d time.Duration) *time.Time { return new(at(d)) }
	policy := deployment.LeasePolicy{TTL: 24 * time.Hour, Idle: 30 * time.Minute, HostLost: 2 * time.Minute}
	const start, stop, sleep = deployment.LeaseStart, deployment.LeaseStop, deployment.LeaseSleep
	failure := &deployment.Failure{Code: "x", Class: deployment.ClassUser}
	away := &deployment.Failure{Code: "y", Class: deployment.ClassTransient}
	for name, test := range map[string]struct {
		change func(*deployment.StandingLease, *deployment.LeasePolicy)
		want   deployment.LeaseAct
		since  time.Duration // ago, of what is due
		next   time.Duration // from now, of what is not; 0 for never
	}{
		"live and visited":           {nil, "", 0, 25 * time.Minute},
		"its end comes before sleep": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) { l.ExpiresAt = ago(-10 * time.Minute) }, "", 0, 10 * time.Minute},
		"nobody came":                {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) { l.LastRequestAt = ago(31 * time.Minute) }, sleep, time.Minute, 0},
		"nobody came since it was started": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.LastRequestAt, l.Since = nil, at(31*time.Minute)
		}, sleep, time.Minute, 0},
		"nobody came, and it was woken just now": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.LastRequestAt, l.Since = ago(time.Hour), at(time.Minute)
		}, "", 0, 29 * time.Minute},
		"nobody came, and its host is away": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.LastRequestAt, l.HostLives = ago(time.Hour), false
		}, "", 0, 2 * time.Minute},
		"nobody came to production": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.LastRequestAt, l.Kind, l.ExpiresAt = ago(time.Hour), deployment.KindProduction, nil
		}, "", 0, 0},
		"nobody came to what never sleeps": {func(l *deployment.StandingLease, p *deployment.LeasePolicy) {
			l.LastRequestAt, p.Idle = ago(time.Hour), 0
		}, "", 0, time.Hour},
		"pinned": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.LastRequestAt, l.Pinned = ago(time.Hour), true
		}, "", 0, 0},
		"over": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) { l.ExpiresAt = ago(time.Second) }, stop, time.Second, 0},
		"over, and pinned": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.ExpiresAt, l.Pinned = ago(time.Second), true
		}, "", 0, 0},
		"over while it sleeps": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.ExpiresAt, l.Preview.State = ago(time.Second), deployment.PreviewAsleep
		}, stop, time.Second, 0},
		"asleep": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State = deployment.PreviewAsleep
		}, "", 0, time.Hour},
		"asleep for ever": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.ExpiresAt = deployment.PreviewAsleep, nil
		}, "", 0, 0},
		"asleep on a lost host": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.HostSeenAt = deployment.PreviewAsleep, ago(time.Hour)
		}, "", 0, time.Hour},
		"somebody wakes it": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.WakeRequestedAt = deployment.PreviewAsleep, ago(time.Second)
		}, start, time.Second, 0},
		"pinned while it slept": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Pinned = deployment.PreviewAsleep, true
		}, start, 2 * time.Hour, 0},
		"to be stopped": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) { l.Wanted = deployment.WantedStopped }, stop, 2 * time.Hour, 0},
		"stopped, as it is to be": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Wanted, l.Preview.State = deployment.WantedStopped, deployment.PreviewStopped
		}, "", 0, 0},
		"failed, and to be stopped": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Wanted, l.Preview.State = deployment.WantedStopped, deployment.PreviewFailed
		}, "", 0, 0},
		"stopped, and to run": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.ExpiresAt = deployment.PreviewStopped, ago(time.Hour)
		}, start, 2 * time.Hour, 0},
		"its container is gone": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State = deployment.PreviewFailed
		}, start, 2 * time.Hour, 0},
		"it cannot be started": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure = deployment.PreviewFailed, failure
		}, "", 0, 0},
		"Docker was away, and its container is gone": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure, l.FailedStarts = deployment.PreviewStopped, away, 0
		}, start, 2 * time.Hour, 0},
		"it was given up before starts were counted": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure, l.FailedStarts, l.ExpiresAt = deployment.PreviewFailed, failure, 0, ago(time.Minute)
		}, "", 0, 0},
		"it did not come up, and is tried again later": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure, l.NextStartAt = deployment.PreviewFailed, failure, ago(-time.Minute)
		}, "", 0, time.Minute},
		"it did not come up, and is tried again now": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure, l.NextStartAt = deployment.PreviewFailed, failure, ago(time.Second)
		}, start, time.Second, 0},
		"it did not come up before its time was over": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure, l.NextStartAt, l.ExpiresAt = deployment.PreviewFailed, failure, ago(time.Second), ago(time.Minute)
		}, "", 0, 0},
		"it did not come up, and somebody asks": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure, l.NextStartAt, l.WakeRequestedAt = deployment.PreviewFailed, failure, ago(-time.Minute), ago(time.Second)
		}, start, time.Second, 0},
		"it did not come up, and is to be stopped": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure, l.NextStartAt, l.Wanted = deployment.PreviewFailed, failure, ago(time.Second), deployment.WantedStopped
		}, "", 0, 0},
		"it could not be started, and somebody asks": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State, l.Failure, l.WakeRequestedAt = deployment.PreviewFailed, failure, ago(time.Second)
		}, start, time.Second, 0},
		"a start was broken off": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.Preview.State = deployment.PreviewStarting
		}, start, 2 * time.Hour, 0},
		"its host is lost": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.HostSeenAt, l.HostLives = ago(3*time.Minute), false
		}, start, time.Minute, 0},
		"production's host is lost": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.HostSeenAt, l.Kind = ago(3*time.Minute), deployment.KindProduction
		}, start, time.Minute, 0},
		"its host is lost, and there is no other": {func(l *deployment.StandingLease, _ *deployment.LeasePolicy) {
			l.HostSeenAt, l.AnotherHost = ago(3*time.Minute), false
		}, "", 0, 25 * time.Minute},
		"its host was never known": {func(l *deployment.StandingLease, p *deployment.LeasePolicy) { l.HostSeenAt = nil }, start, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := deployment.StandingLease{
				PreviewLease: deployment.PreviewLease{Wanted: deployment.WantedRunning, ExpiresAt: ago(-time.Hour)},
				Now:          now, Kind: deployment.KindBranch, Preview: deployment.Preview{State: deployment.PreviewLive, Host: "h"}, Since: at(2 * time.Hour),
				FailedStarts: 1, LastRequestAt: ago(5 * time.Minute), HostSeenAt: ago(time.Second), HostLives: true, AnotherHost: true,
			}
			p := policy
			if test.change != nil {
				test.change(&l, &p)
			}
			duty := l.Duty(p)
			require.Equal(t, test.want, duty.Act)
			switch {
			case test.want != "" && test.since >= 0:
				require.Equal(t, at(test.since), duty.Since)
				require.NotEmpty(t, duty.Why)
			case test.want == "" && test.next == 0:
				require.Zero(t, duty.Next)
			case test.want == "":
				require.Equal(t, at(-test.next), duty.Next)
				require.NotEmpty(t, duty.Why)
			}
		})
	}
}

// What does not come up is tried again after waits that grow: production for ever, anything else so often.
func TestNextStart(t *testing.T) {
	t.Parallel()
	policy := deployment.LeasePolicy{RetryInitial: time.Second, RetryMaximum: 5 * time.Second, Starts: 5}
	for kind, most := range map[deployment.EnvironmentKind]int{deployment.KindBranch: 4, deployment.KindPullRequest: 4, deployment.KindProduction: 1000} {
		for failed, want := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
			wait, again := policy.NextStart(kind, failed)
			require.Equal(t, failed <= most, again, "%s, %d", kind, failed)
			if again && failed > 0 {
				require.Equal(t, want, wait, "%s, %d", kind, failed)
			}
		}
	}
	wait, again := policy.NextStart(deployment.KindProduction, 1_000_000)
	require.True(t, again)
	require.Equal(t, 5*time.Second, wait)
}
