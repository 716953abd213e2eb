package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
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
			return deployment.TransientFailure("build.push_failed", "check that the registry runs", "push image: connection refused")
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
