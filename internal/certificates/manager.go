package certificates

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
)

// Who issues certificates, besides the operator's own files.
const (
	IssuerNone     = ""
	IssuerACME     = "acme"
	IssuerInternal = "internal" // a CA of the installation's own
)

// Options make a Manager.
type Options struct {
	Assets  Assets
	Issuer  string
	ACME    ACME
	Logger  *slog.Logger
	Ordered func(outcome string) // told how each order ended: issued, renewed, failed, or refused by MaxOrders or after a failure; nil for nobody

	CertFile, KeyFile string // the operator's own; empty for none

	// Allow says by an error which names get no certificate. It is asked before anything is looked for or ordered.
	Allow     func(ctx context.Context, name string) error
	MaxOrders int // an hour; 0 for no bound

	// One certificate for all names a label below Domain, ordered by DNS-01: how the CA is shown that Domain is ours. Nil for none.
	DNS01  acmez.Solver
	Domain string

	// Where HTTP and TLS are served, that is where the CA's challenges arrive, maybe through other ports.
	HTTP, TLS net.Addr

	RenewalShare float64       // of a certificate's life, at its end, in which it is renewed; 0 for a third
	RenewalLooks time.Duration // between two looks whether the wildcard is to be renewed; 0 for ten minutes
}

// Manager has the certificates of a gateway.
type Manager struct {
	options Options
	log     *slog.Logger
	own     *own
	orders  *orders
	served  served
	storage *Storage

	// nil where nothing is issued
	cache  *certmagic.Cache
	config *certmagic.Config
	acme   *certmagic.ACMEIssuer // of IssuerACME alone

	wildcard *wildcard // nil without DNS01
}

// New returns a Manager; Close ends it.
func New(o Options) (*Manager, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Ordered == nil {
		o.Ordered = func(string) {}
	}
	m := &Manager{options: o, log: o.Logger.With("component", "certificates"), orders: newOrders(o.MaxOrders), storage: NewStorage(o.Assets)}
	var err error
	if m.own, err = openOwn(o.CertFile, o.KeyFile, m.log); err != nil {
		return nil, err
	}
	if o.Issuer == IssuerNone {
		return m, nil
	}
	template, err := m.acmeTemplate()
	if err != nil {
		return nil, err
	}
	log := logger(m.log)
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return m.config, nil },
		Capacity:         10_000, Logger: log,
	})
	m.config = certmagic.New(m.cache, certmagic.Config{
		Storage: single{m.storage}, Logger: log, OnEvent: m.event, ShouldEmitFunc: concernsOrders, DisableStorageCheck: true, RenewalWindowRatio: o.RenewalShare,
		OnDemand: &certmagic.OnDemandConfig{DecisionFunc: o.Allow}, Issuers: []certmagic.Issuer{&authority{storage: m.storage}},
	})
	if o.Issuer == IssuerACME {
		template.Logger = log
		m.acme = certmagic.NewACMEIssuer(m.config, template)
		m.config.Issuers = []certmagic.Issuer{anew{m.acme}}
	}
	if o.Issuer == IssuerACME && o.DNS01 != nil {
		m.wildcard = m.newWildcard(template)
	}
	return m, nil
}

// Close ends the upkeep of certificates.
func (m *Manager) Close() {
	if m.cache != nil {
		m.cache.Stop()
	}
	if m.wildcard != nil {
		m.wildcard.cache.Stop()
	}
}

// TLSConfig is for the listener of visitors and, with ACME, of the CA's challenges.
func (m *Manager) TLSConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: m.certificate, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1", acmez.ACMETLS1Protocol},
	}
}

// Expires returns when the first certificate expires of those that visitors got in the last minutes: of the operator's "own", and of
// those that were "issued"; and the "wildcard", whether anybody came or not: at the epoch, when there is none.
func (m *Manager) Expires() map[string]time.Time {
	soonest := m.served.soonest()
	switch found := m.wildcard.newest(); {
	case found != nil:
		soonest[sourceWildcard] = found.NotAfter
	case m.wildcard != nil:
		soonest[sourceWildcard] = time.Unix(0, 0)
	}
	return soonest
}

// Between two looks for what has expired, whichever gateway takes them, and how long that is kept.
const (
	cleanInterval = 24 * time.Hour
	keepExpired   = 14 * 24 * time.Hour
)

// Run orders the wildcard, and removes certificates that have expired from storage now and then, until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	if m.config == nil {
		return
	}
	var work sync.WaitGroup
	if m.wildcard != nil {
		work.Go(func() { m.orderWildcard(ctx) })
	}
	work.Go(func() { m.cleanStorage(ctx) })
	work.Wait()
}

func (m *Manager) cleanStorage(ctx context.Context) {
	for {
		err := certmagic.CleanStorage(ctx, m.storage, certmagic.CleanStorageOptions{
			Logger: logger(m.log), Interval: cleanInterval, OCSPStaples: true, ExpiredCerts: true, ExpiredCertGracePeriod: keepExpired,
		})
		if err != nil && ctx.Err() == nil {
			m.log.WarnContext(ctx, "cannot remove expired certificates", "error", err)
		}
		select {
		case <-time.After(cleanInterval):
		case <-ctx.Done():
			return
		}
	}
}
