package roles

import (
	"context"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/dnsproof"
	"github.com/slipway-dev/slipway/internal/domains"
	"github.com/slipway-dev/slipway/internal/gateway"
	"github.com/slipway-dev/slipway/internal/postgres"
)

// listeners are where the gateway is reached.
type listeners struct{ plain, secure net.Listener }

// serveTLS serves previews by TLS, and beside it what comes without.
func serveTLS(ctx context.Context, c config.GatewayRole, at listeners, handler *gateway.Gateway, store *postgres.Store, t *Telemetry, log *slog.Logger) error {
	options, err := certificateOptions(c.Gateway, at, handler, store, t, log)
	var issued *certificates.Manager
	if err == nil {
		issued, err = certificates.New(options)
	}
	if err != nil {
		at.plain.Close()
		at.secure.Close()
		return err
	}
	defer issued.Close()
	t.Metrics.Certificates(issued.Expires)
	log.Info("gateway listens for TLS", "addr", at.secure.Addr(), "certificates", c.Gateway.TLS.Mode)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		issued.Run(ctx)
		return nil
	})
	group.Go(func() error {
		return gateway.Serve(ctx, at.plain, handler.Plain(issued, c.Gateway.PublicPort), c.Timeouts.Shutdown)
	})
	group.Go(func() error {
		return gateway.Serve(ctx, gateway.ListenTLS(at.secure, issued.TLSConfig(), log), handler, c.Timeouts.Shutdown)
	})
	return group.Wait()
}

// zonePort is where the servers of DNS zones answer; empty for 53.
var zonePort string

func certificateOptions(g config.Gateway, at listeners, handler *gateway.Gateway, store *postgres.Store, t *Telemetry, log *slog.Logger) (certificates.Options, error) {
	c := g.TLS
	issuer := map[string]string{config.TLSACME: certificates.IssuerACME, config.TLSInternal: certificates.IssuerInternal}[c.Mode]
	o := certificates.Options{
		Assets: store, Issuer: issuer, CertFile: c.CertFile, KeyFile: c.KeyFile, Logger: log,
		ACME: certificates.ACME{
			Directory: c.Directory, Email: c.Email, CAFile: c.CAFile, EABKeyID: c.EABKeyID, EABKey: c.EABKey, Challenges: c.Challenges,
		},
		Allow: handler.Knows, MaxOrders: c.MaxOrders, HTTP: at.plain.Addr(), TLS: at.secure.Addr(), Ordered: t.Metrics.CertificateOrdered,
	}
	if c.Mode == config.TLSACME && c.DNSProvider != "" {
		solver, err := dnsproof.New(dnsproof.Options{
			Provider: c.DNSProvider, Credentials: c.DNSCredentials, Servers: g.DNSServers, ZonePort: zonePort, Logger: log,
			DNS: func(servers []string) dnsproof.DNS { return domains.NewResolver(servers) },
		})
		if err != nil {
			return certificates.Options{}, err
		}
		o.DNS01, o.Domain = solver, g.Domain
	}
	return o, nil
}
