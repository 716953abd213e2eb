package roles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/domains"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/source"
	"github.com/slipway-dev/slipway/temporal"
)

// APIParts are what the API needs besides its configuration.
type APIParts struct {
	Store   *postgres.Store
	Client  sdkclient.Client
	Git     *source.Client
	Version string

	Telemetry *Telemetry
	Log       *slog.Logger
}

// ServeAPI serves the REST API until ctx ends; then running requests have c.Timeouts.Shutdown to finish.
func ServeAPI(ctx context.Context, c config.APIRole, p APIParts) error {
	reader := logs.NewReader(p.Store.Pool(), p.Log)
	defer reader.Close()
	closing := make(chan struct{})
	handler, err := api.New(api.Options{
		Store: p.Store.WithPreviewTTL(c.Leases.TTL), PreviewIdle: c.Leases.Idle, Logs: reader, Guard: p.Git, DNS: domains.NewResolver(c.Gateway.DNSServers), Closing: closing,
		Deploys: &temporal.Deploys{Client: p.Client, Namespace: c.Temporal.Namespace, Limits: Limits(c.Timeouts)},
		URLs:    api.URLs{Gateway: PublicGateway(c.Gateway), Domain: c.Gateway.Domain, TemporalUI: c.Temporal.UIURL, Namespace: c.Temporal.Namespace},
		Version: p.Version, Logger: p.Log, PingInterval: c.API.PingInterval, MaxQueued: c.API.MaxQueued,
		Tracer: p.Telemetry.Tracer(), Answered: p.Telemetry.Metrics.APIAnswered,
	})
	if err != nil {
		return err
	}
	if handler, err = withCodec(ctx, handler, c, p.Store); err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug),
	}
	listener, err := Listen(ctx, c.API.Addr)
	if err != nil {
		return err
	}
	p.Telemetry.Metrics.Count(p.Store)
	p.Telemetry.Ops.Needs(postgresCheck(p.Store), schemaCheck(p.Store), temporalCheck(p.Client))
	drained := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(drained)
		close(closing)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeouts.Shutdown)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			p.Log.Warn("API stopped with requests under way", "error", err)
		}
	})
	p.Log.Info("API listens", "addr", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve API: %w", err)
	}
	<-drained // Serve returns as soon as Shutdown begins
	return nil
}

// NewGit returns the client for repositories; keys remembers hosts that are met for the first time, where that is wanted,
// and trusted are origins that pass its guard by themselves.
func NewGit(c config.Git, keys source.HostKeys, trusted ...string) (*source.Client, error) {
	o := source.Options{AllowSchemes: c.AllowSchemes, AllowNets: c.AllowNets, TrustedOrigins: trusted, MaxBytes: int64(c.MaxMB) << 20, MaxFiles: c.MaxFiles}
	if c.AcceptNewHostKeys {
		o.AcceptNewHostKeys = keys
	}
	return source.New(o)
}

// PublicGateway says how people reach the gateway.
func PublicGateway(c config.Gateway) deployment.Gateway {
	return deployment.Gateway{Scheme: c.PublicScheme, Port: c.PublicPort}
}

// Listen opens a TCP listener; an address in use is an error that says what to do.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w: stop what holds the port (`ss -ltnp` shows it), or choose another address", addr, err)
	}
	return listener, nil
}
