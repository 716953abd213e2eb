package roles

import (
	"context"
	"log/slog"
	"net"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/gateway"
	"github.com/slipway-dev/slipway/internal/ops"
	"github.com/slipway-dev/slipway/internal/postgres"
)

// ServeGateway serves previews until ctx ends.
func ServeGateway(ctx context.Context, c config.GatewayRole, store *postgres.Store, t *Telemetry, log *slog.Logger) error {
	scheme := c.Gateway.PublicScheme
	if c.Gateway.TLS.On() {
		scheme = "" // it is the listener's that a visitor came by
	}
	handler := gateway.New(gateway.Options{
		Routes: store, Logger: log, PublicScheme: scheme, Domain: c.Gateway.Domain,
		TrustedProxies: c.Gateway.TrustedProxies, MaxBody: c.Gateway.MaxRequestBody,
		Drain: c.Timeouts.DrainWait, Counter: t.Metrics, AccessLog: c.Gateway.AccessLog, Traffic: store,
		Waking: gateway.Waking{Waker: store, Wait: c.Timeouts.WakeWait},
	})
	listener, err := Listen(ctx, c.Gateway.Addr)
	if err != nil {
		return err
	}
	checks := []ops.Check{postgresCheck(store), schemaCheck(store), listenerCheck("gateway", listener.Addr())}
	var secure net.Listener
	if c.Gateway.TLS.On() {
		if secure, err = Listen(ctx, c.Gateway.TLS.Addr); err != nil {
			listener.Close()
			return err
		}
		// Whether a CA answers is no part of readiness: who has a certificate is served.
		checks = append(checks, listenerCheck("gateway_tls", secure.Addr()))
	}
	go handler.Follow(ctx)
	go store.ListenRoutes(ctx, log, handler.InvalidateAll, func(host string) { handler.Invalidate(host) })
	go store.ListenDeployments(ctx, log, func() { handler.Progressed("") }, handler.Progressed)
	defer writingTraffic(ctx, handler)()
	t.Ops.Needs(checks...)
	log.Info("gateway listens", "addr", listener.Addr())
	if secure != nil {
		return serveTLS(ctx, c, listeners{listener, secure}, handler, store, t, log)
	}
	return gateway.Serve(ctx, listener, handler, c.Timeouts.Shutdown)
}

// writingTraffic has what is visited written until stop is called, which waits for the rest.
func writingTraffic(ctx context.Context, g *gateway.Gateway) (stop func()) {
	writing, end := context.WithCancel(context.WithoutCancel(ctx)) // requests outlive ctx
	written := make(chan struct{})
	go func() { defer close(written); g.WriteTraffic(writing) }()
	return func() { end(); <-written }
}
