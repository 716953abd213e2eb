package deployment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

var lookedAt = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// livePreview is one of a branch that runs, with time before it.
func livePreview() deployment.PreviewDetail {
	return deployment.PreviewDetail{
		Preview: deployment.Preview{DeploymentID: "d", State: deployment.PreviewLive}, Kind: deployment.KindBranch, LiveID: "d",
		Lease:   &deployment.PreviewLease{Wanted: deployment.WantedRunning, ExpiresAt: new(lookedAt.Add(time.Hour))},
		ReadyAt: new(lookedAt.Add(-time.Hour)), UpdatedAt: lookedAt.Add(-time.Hour), Now: lookedAt,
		Sample: &deployment.Sample{At: lookedAt.Add(-10 * time.Second)},
	}
}

func TestConditionOfAPreview(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(p *deployment.PreviewDetail)
		want   deployment.PreviewCondition
	}{
		"runs":    {func(*deployment.PreviewDetail) {}, ""},
		"crashes": {func(p *deployment.PreviewDetail) { p.Sample.CrashLooping = true }, deployment.ConditionCrashLooping},
		"crashed when seen last": {func(p *deployment.PreviewDetail) {
			p.Sample.CrashLooping, p.Sample.At = true, lookedAt.Add(-time.Minute)
		}, ""},
		"to be stopped":   {func(p *deployment.PreviewDetail) { p.Lease.Wanted = deployment.WantedStopped }, deployment.ConditionStopping},
		"its time over":   {func(p *deployment.PreviewDetail) { p.Lease.ExpiresAt = &p.Now }, deployment.ConditionStopping},
		"pinned, for all": {func(p *deployment.PreviewDetail) { p.Lease.ExpiresAt, p.Lease.Pinned = &p.Now, true }, ""},
		"stopped, its container not gone": {func(p *deployment.PreviewDetail) {
			p.Lease.Wanted, p.State, p.Stands = deployment.WantedStopped, deployment.PreviewStopped, true
		}, deployment.ConditionStopping},
		"stopped": {func(p *deployment.PreviewDetail) {
			p.Lease.Wanted, p.State = deployment.WantedStopped, deployment.PreviewStopped
		}, ""},
		"to start": {func(p *deployment.PreviewDetail) { p.State = deployment.PreviewStopped }, deployment.ConditionStarting},
		"again":    {func(p *deployment.PreviewDetail) { p.State = deployment.PreviewFailed }, deployment.ConditionStarting},
		"did not": {func(p *deployment.PreviewDetail) {
			p.State, p.Lease.Failure = deployment.PreviewFailed, &deployment.Failure{}
		}, ""},
		"is tried again": {func(p *deployment.PreviewDetail) {
			p.State, p.Lease.Failure, p.Lease.NextStartAt = deployment.PreviewFailed, &deployment.Failure{}, &p.Now
		}, deployment.ConditionRetrying},
		"is tried now": {func(p *deployment.PreviewDetail) {
			p.State, p.Lease.Failure, p.Lease.NextStartAt = deployment.PreviewStarting, &deployment.Failure{}, &p.Now
		}, ""},
		"is not tried again, its time over": {func(p *deployment.PreviewDetail) {
			p.State, p.Lease.Failure, p.Lease.NextStartAt, p.Lease.ExpiresAt = deployment.PreviewFailed, &deployment.Failure{}, &p.Now, &p.Now
		}, ""},
		"asleep":        {func(p *deployment.PreviewDetail) { p.State = deployment.PreviewAsleep }, ""},
		"to wake":       {func(p *deployment.PreviewDetail) { p.State, p.Lease.WakeRequestedAt = deployment.PreviewAsleep, &p.Now }, deployment.ConditionWaking},
		"without lease": {func(p *deployment.PreviewDetail) { p.Lease, p.LiveID = nil, "another" }, ""},
	} {
		p := livePreview()
		c.change(&p)
		require.Equal(t, c.want, p.Condition(), name)
		require.Equal(t, c.want == deployment.ConditionRetrying, p.NextAttemptAt() != nil, name)
	}
}

func TestWhenAPreviewFallsAsleep(t *testing.T) {
	t.Parallel()
	p := livePreview()
	require.Equal(t, lookedAt.Add(-time.Hour), *p.IdleSince(), "nobody has asked for it: since it is live")
	require.Equal(t, lookedAt, *p.SleepsAt(time.Hour))
	p.UpdatedAt = lookedAt.Add(-time.Minute) // woken without a request
	require.Equal(t, lookedAt.Add(59*time.Minute), *p.SleepsAt(time.Hour))
	p.Traffic = &deployment.Traffic{LastRequestAt: lookedAt.Add(-time.Second)}
	require.Equal(t, p.Traffic.LastRequestAt, *p.IdleSince())
	require.Equal(t, lookedAt.Add(time.Hour-time.Second), *p.SleepsAt(time.Hour))

	for name, never := range map[string]func(p *deployment.PreviewDetail){
		"production": func(p *deployment.PreviewDetail) { p.Kind = deployment.KindProduction },
		"pinned":     func(p *deployment.PreviewDetail) { p.Lease.Pinned = true },
		"asleep":     func(p *deployment.PreviewDetail) { p.State = deployment.PreviewAsleep },
		"stopping":   func(p *deployment.PreviewDetail) { p.Lease.Wanted = deployment.WantedStopped },
		"replaced":   func(p *deployment.PreviewDetail) { p.Lease = nil },
	} {
		p := livePreview()
		never(&p)
		require.Nil(t, p.SleepsAt(time.Hour), name)
	}
	require.Nil(t, p.SleepsAt(0), "where nothing sleeps")
}

func TestASampleIsCurrentForAWhile(t *testing.T) {
	t.Parallel()
	p := livePreview()
	require.True(t, p.SampleIsCurrent())
	p.Sample.At = lookedAt.Add(-3 * deployment.SampleInterval)
	require.False(t, p.SampleIsCurrent(), "its host is away")
	p = livePreview()
	p.State = deployment.PreviewAsleep
	require.False(t, p.SampleIsCurrent(), "it does not run any more")
	p.Sample = nil
	require.False(t, p.SampleIsCurrent())
}
