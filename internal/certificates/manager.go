package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// Who issues certificates, besides the operator's own files.
const (
	IssuerNone     = ""
	IssuerACME     = "acme"
	IssuerInternal = "internal" // a CA of the installation's own
)

// The ways to show a CA that names lead here.
const (
	ChallengeHTTP = acme.ChallengeTypeHTTP01
	ChallengeTLS  = acme.ChallengeTypeTLSALPN01
)

// ACME says which CA is asked.
type ACME struct {
	Directory  string // URL
	Email      string // of the account; empty for none
	CAFile     string // certificates that the directory's own is checked with; empty for the system's
	EABKeyID   string // external account binding; empty for none
	EABKey     string
	Challenges []string // empty for all
}

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

	// Where HTTP and TLS are served, that is where the CA's challenges arrive, maybe through other ports.
	HTTP, TLS net.Addr

	RenewalShare float64 // of a certificate's life, at its end, in which it is renewed; 0 for a third
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
		Storage: m.storage, Logger: log, OnEvent: m.event, ShouldEmitFunc: concernsOrders, DisableStorageCheck: true, RenewalWindowRatio: o.RenewalShare,
		OnDemand: &certmagic.OnDemandConfig{DecisionFunc: o.Allow}, Issuers: []certmagic.Issuer{&authority{storage: m.storage}},
	})
	if o.Issuer == IssuerACME {
		template.Logger = log
		m.acme = certmagic.NewACMEIssuer(m.config, template)
		m.config.Issuers = []certmagic.Issuer{m.acme}
	}
	return m, nil
}

// acmeTemplate says how ACME is spoken. certmagic listens for challenges where nobody does, and so has to know where we do.
func (m *Manager) acmeTemplate() (certmagic.ACMEIssuer, error) {
	a := m.options.ACME
	template := certmagic.ACMEIssuer{CA: a.Directory, Email: a.Email, Agreed: true}
	if m.options.Issuer != IssuerACME {
		return template, nil
	}
	if len(a.Challenges) > 0 {
		template.DisableHTTPChallenge = !slices.Contains(a.Challenges, ChallengeHTTP)
		template.DisableTLSALPNChallenge = !slices.Contains(a.Challenges, ChallengeTLS)
	}
	for _, listener := range []struct {
		at   net.Addr
		port *int
	}{{m.options.HTTP, &template.AltHTTPPort}, {m.options.TLS, &template.AltTLSALPNPort}} {
		tcp, ok := listener.at.(*net.TCPAddr)
		if !ok {
			return template, fmt.Errorf("order certificates: %v is no TCP address", listener.at)
		}
		*listener.port = tcp.Port
		if !tcp.IP.IsUnspecified() {
			template.ListenHost = tcp.IP.String()
		}
	}
	if a.EABKeyID != "" {
		template.ExternalAccount = &acme.EAB{KeyID: a.EABKeyID, MACKey: a.EABKey}
	}
	var err error
	template.TrustedRoots, err = a.roots()
	return template, err
}

// roots are what the directory's own certificate is checked with; nil for the system's.
func (a ACME) roots() (*x509.CertPool, error) {
	if a.CAFile == "" {
		return nil, nil //nolint:nilnil // as crypto/tls has it
	}
	data, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read SLIPWAY_ACME_CA_FILE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read SLIPWAY_ACME_CA_FILE: %s holds no certificate in PEM", a.CAFile)
	}
	return roots, nil
}

// Close ends the upkeep of certificates.
func (m *Manager) Close() {
	if m.cache != nil {
		m.cache.Stop()
	}
}

// TLSConfig is for the listener of visitors and, with ACME, of the CA's challenges.
func (m *Manager) TLSConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: m.certificate, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1", acmez.ACMETLS1Protocol},
	}
}

// abandonKey is where a context holds what ends a visitor's wait for a certificate.
type abandonKey struct{}

var errNoName = errors.New("the visitor names no host, and there is no certificate for that")

// certificate finds a visitor's certificate, and orders it if need be. An order that fails ends the visitor's wait: certmagic would try
// again a minute later.
func (m *Manager) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	challenge := slices.Equal(hello.SupportedProtos, []string{acmez.ACMETLS1Protocol})
	if found := m.own.certificate(hello.ServerName); found != nil && !challenge {
		m.served.note("", found.Leaf.NotAfter)
		return found, nil
	}
	switch {
	case hello.ServerName == "":
		return nil, errNoName
	case m.config == nil:
		return nil, fmt.Errorf("the certificate of SLIPWAY_TLS_CERT_FILE does not cover %q", hello.ServerName)
	}
	ctx, abandon := context.WithCancel(hello.Context())
	defer abandon()
	found, err := m.config.GetCertificateWithContext(context.WithValue(ctx, abandonKey{}, abandon), hello)
	if err != nil {
		return nil, err
	}
	if !challenge && found.Leaf != nil {
		m.served.note(hello.ServerName, found.Leaf.NotAfter)
	}
	return found, nil
}

func concernsOrders(event string) bool { return strings.HasPrefix(event, "cert_") }

// event hears what certmagic does, and keeps it from ordering too much.
func (m *Manager) event(ctx context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	renewal, _ := data["renewal"].(bool)
	switch event {
	case "cert_obtaining":
		if err := m.orders.begin(name, renewal); err != nil {
			m.options.Ordered("refused")
			m.log.DebugContext(ctx, "no certificate is ordered", "name", name, "error", err) // strangers may ask as often as they like
			return certmagic.ErrNoRetry{Err: err}
		}
	case "cert_obtained":
		m.orders.ended(name, false)
		m.options.Ordered(outcome(renewal))
		m.log.InfoContext(ctx, "got a certificate", "name", name, "issuer", data["issuer"], "renewal", renewal)
	case "cert_failed":
		m.orders.ended(name, true)
		m.options.Ordered("failed")
		m.log.WarnContext(ctx, "got no certificate", "name", name, "renewal", renewal, "error", data["error"])
		if abandon, ok := ctx.Value(abandonKey{}).(context.CancelFunc); ok {
			abandon()
		}
	}
	return nil
}

func outcome(renewal bool) string {
	if renewal {
		return "renewed"
	}
	return "issued"
}

// patience is how long a visitor waits to hear whether there is a certificate: what they came for does not depend on it.
const patience = 250 * time.Millisecond

// Has reports whether a name has a certificate already, as far as that can be told at once.
func (m *Manager) Has(ctx context.Context, name string) bool {
	if name == "" {
		return false
	}
	if m.own.certificate(name) != nil {
		return true
	}
	if m.config == nil {
		return false
	}
	for _, found := range m.cache.AllMatchingCertificates(name) {
		if !found.Expired() {
			return true
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return m.storage.Exists(ctx, certmagic.StorageKeys.SiteCert(m.config.Issuers[0].IssuerKey(), name))
}

// HandleChallenge answers a CA that asks whether a name leads here; false when a request is none of that.
func (m *Manager) HandleChallenge(w http.ResponseWriter, r *http.Request) bool {
	return m.acme != nil && m.acme.HandleHTTPChallenge(w, r)
}

// Expires returns when the first certificate expires of those that visitors got in the last minutes: of the operator's "own", and of
// those that were "issued".
func (m *Manager) Expires() map[string]time.Time { return m.served.soonest() }

// Between two looks for what has expired, whichever gateway takes them, and how long that is kept.
const (
	cleanInterval = 24 * time.Hour
	keepExpired   = 14 * 24 * time.Hour
)

// Run removes certificates that have expired from storage now and then, until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	if m.config == nil {
		return
	}
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
