package roles

import (
	"context"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/gateway"
	"github.com/slipway-dev/slipway/internal/postgres"
)

// listeners are where the gateway is reached.
type listeners struct{ plain, secure net.Listener }

// serveTLS serves previews by TLS, and beside it what comes without.
func serveTLS(ctx context.Context, c config.GatewayRole, at listeners, handler *gateway.Gateway, store *postgres.Store, t *Telemetry, log *slog.Logger) error {
	issued, err := certificates.New(certificateOptions(c.Gateway.TLS, at, handler, store, t, log))
	if err != nil {
		at.plain.Close()
		at.secure.Close()
		return err
	}
	defer issued.Close()
	t.Metrics.Certificates(issued.Expires)
	go issued.Run(ctx)
	log.Info("gateway listens for TLS", "addr", at.secure.Addr(), "certificates", c.Gateway.TLS.Mode)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return gateway.Serve(ctx, at.plain, handler.Plain(issued, c.Gateway.PublicPort), c.Timeouts.Shutdown)
	})
	group.Go(func() error {
		return gateway.Serve(ctx, gateway.ListenTLS(at.secure, issued.TLSConfig(), log), handler, c.Timeouts.Shutdown)
	})
	return group.Wait()
}

func certificateOptions(c config.TLS, at listeners, handler *gateway.Gateway, store *postgres.Store, t *Telemetry, log *slog.Logger) certificates.Options {
	issuer := map[string]string{config.TLSACME: certificates.IssuerACME, config.TLSInternal: certificates.IssuerInternal}[c.Mode]
	return certificates.Options{
		Assets: store, Issuer: issuer, CertFile: c.CertFile, KeyFile: c.KeyFile, Logger: log,
		ACME: certificates.ACME{
			Directory: c.Directory, Email: c.Email, CAFile: c.CAFile, EABKeyID: c.EABKeyID, EABKey: c.EABKey, Challenges: c.Challenges,
		},
		Allow: handler.Knows, MaxOrders: c.MaxOrders, HTTP: at.plain.Addr(), TLS: at.secure.Addr(), Ordered: t.Metrics.CertificateOrdered,
	}
}
