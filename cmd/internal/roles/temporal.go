package roles

import (
	"context"
	"fmt"
	"log/slog"

	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/temporal"
)

// DialTemporal connects to the Temporal frontend. keyset says where the keys are that payloads are encrypted with, and read
// with even when encryption is off by now. The SDK's metrics and the traces go where t says; call it once for each t.
func DialTemporal(ctx context.Context, c config.Temporal, keyset config.Postgres, t *Telemetry, logger *slog.Logger) (sdkclient.Client, error) {
	payloads, err := openCodec(ctx, keyset)
	if err != nil {
		return nil, err
	}
	options := temporalOptions(c, logger)
	payloads.Use(&options, c.Encryption)
	meter, err := t.Metrics.Meter("temporal-sdk-go")
	if err != nil {
		return nil, err
	}
	options.MetricsHandler = temporal.MetricsHandler(meter, logger)
	if options.Interceptors, err = t.interceptors(); err != nil {
		return nil, err
	}
	client, err := sdkclient.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("connect to temporal at %s: %w", c.Addr, err)
	}
	return client, nil
}

func temporalOptions(c config.Temporal, logger *slog.Logger) sdkclient.Options {
	return sdkclient.Options{
		HostPort: c.Addr, Namespace: c.Namespace, Logger: log.NewStructuredLogger(logger.With("component", "temporal")),
	}
}

// Limits returns the bounds that every deploy is started with.
func Limits(t config.Timeouts) temporal.Limits {
	return temporal.Limits{
		Line: t.Line, Deploy: t.Deploy, Resolve: t.Resolve, Fetch: t.Fetch, Plan: t.Plan, Release: t.Release, Drain: t.Drain,
		CleanUp: t.CleanUp, Short: t.Short, Heartbeat: t.Heartbeat, ScheduleToStart: t.ScheduleToStart,
		RetryInitial: t.RetryInitial, RetryMaximum: t.RetryMaximum, Attempts: t.Attempts, Hosts: t.Hosts,
	}
}
