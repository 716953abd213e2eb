package roles

import (
	"context"
	"errors"
	"log/slog"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/source"
)

// parts are what the API and a worker are both made of.
type parts struct {
	store     *postgres.Store
	client    sdkclient.Client
	git       *source.Client
	telemetry *Telemetry
}

// place says where the parts of a role are.
type place struct {
	telemetry config.Telemetry
	postgres  config.Postgres
	domain    string // of previews
	temporal  config.Temporal
	git       config.Git
}

// RunAPI is `slipway api`: it opens what the API needs and serves until ctx ends.
func RunAPI(ctx context.Context, c config.APIRole, version string, log *slog.Logger) error {
	where := place{c.Telemetry, c.Postgres, c.Gateway.Domain, c.Temporal, c.Git}
	return withParts(ctx, "slipway-api", where, version, log, func(p parts) error {
		return ServeAPI(ctx, c, APIParts{Store: p.store, Client: p.client, Git: p.git, Version: version, Telemetry: p.telemetry, Log: log})
	})
}

// RunHost is `slipway worker`: it opens what a build and preview host needs and works until ctx ends.
func RunHost(ctx context.Context, c config.WorkerRole, version string, log *slog.Logger) error {
	where := place{c.Telemetry, c.Postgres, c.Gateway.Domain, c.Temporal, c.Git}
	return withParts(ctx, "slipway-worker", where, version, log, func(p parts) error {
		return RunWorker(ctx, c, WorkerParts{Store: p.store, Client: p.client, Git: p.git, Version: version, Telemetry: p.telemetry, Log: log})
	})
}

// withParts runs a role with its parts opened, and closes them after it.
func withParts(ctx context.Context, service string, where place, version string, log *slog.Logger, run func(parts) error) (err error) {
	t, err := StartTelemetry(ctx, where.telemetry, service, version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	store, err := JoinStore(ctx, where.postgres, where.domain)
	if err != nil {
		return err
	}
	defer store.Close()
	client, err := DialTemporal(ctx, where.temporal, where.postgres, t, log)
	if err != nil {
		return err
	}
	defer client.Close()
	git, err := NewGit(where.git, store)
	if err != nil {
		return err
	}
	return run(parts{store: store, client: client, git: git, telemetry: t})
}

// RunGateway is `slipway gateway`: it serves previews until ctx ends.
func RunGateway(ctx context.Context, c config.GatewayRole, version string, log *slog.Logger) (err error) {
	t, err := StartTelemetry(ctx, c.Telemetry, "slipway-gateway", version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	store, err := joinStoreLater(ctx, c.Postgres, c.Gateway.Domain, log)
	if err != nil {
		return err
	}
	defer store.Close()
	return ServeGateway(ctx, c, store, t, log)
}
