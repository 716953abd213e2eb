package roles

import (
	"context"
	"errors"
	"log/slog"

	"github.com/slipway-dev/slipway/internal/config"
)

// RunAPI is `slipway api`: it opens what the API needs and serves until ctx ends.
func RunAPI(ctx context.Context, c config.APIRole, version string, log *slog.Logger) (err error) {
	t, err := StartTelemetry(ctx, c.Telemetry, "slipway-api", version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	store, err := JoinStore(ctx, c.Postgres, c.Gateway.Domain)
	if err != nil {
		return err
	}
	defer store.Close()
	client, err := DialTemporal(ctx, c.Temporal, c.Postgres.Keyset, t, log)
	if err != nil {
		return err
	}
	defer client.Close()
	git, err := NewGit(c.Git, store)
	if err != nil {
		return err
	}
	return ServeAPI(ctx, c, APIParts{Store: store, Client: client, Git: git, Version: version, Telemetry: t, Log: log})
}

// RunHost is `slipway worker`: it opens what a build and preview host needs and works until ctx ends.
func RunHost(ctx context.Context, c config.WorkerRole, version string, log *slog.Logger) (err error) {
	t, err := StartTelemetry(ctx, c.Telemetry, "slipway-worker", version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	store, err := JoinStore(ctx, c.Postgres, c.Gateway.Domain)
	if err != nil {
		return err
	}
	defer store.Close()
	client, err := DialTemporal(ctx, c.Temporal, c.Postgres.Keyset, t, log)
	if err != nil {
		return err
	}
	defer client.Close()
	git, err := NewGit(c.Git, store)
	if err != nil {
		return err
	}
	return RunWorker(ctx, c, WorkerParts{Store: store, Client: client, Git: git, Telemetry: t, Log: log})
}

// RunGateway is `slipway gateway`: it serves previews until ctx ends.
func RunGateway(ctx context.Context, c config.GatewayRole, version string, log *slog.Logger) (err error) {
	t, err := StartTelemetry(ctx, c.Telemetry, "slipway-gateway", version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	store, err := JoinStore(ctx, c.Postgres, c.Gateway.Domain)
	if err != nil {
		return err
	}
	defer store.Close()
	return ServeGateway(ctx, c, store, t, log)
}
