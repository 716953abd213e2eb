package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	attemptLimit = 15 * time.Minute // of an order of the wildcard, another gateway's before it included
	retryPause   = 5 * time.Second  // after what the CA had no part in, such as Postgres being away

	failureKey = "slipway/wildcard.failure" // where the reason lies why there is none; for who looks, as `slipway doctor` does
)

// wildcard is the certificate of all previews' names, which visitors share. It is ordered when a gateway starts, and renewed whether it is
// visited or not. It has a cache of its own: certificates on demand may push one another out of theirs.
type wildcard struct {
	name   string // *.preview.example.com
	cache  *certmagic.Cache
	config *certmagic.Config
	tried  chan struct{} // closed when the first attempt to have it is over
}

// newWildcard orders by DNS-01 alone, and otherwise as the template says.
func (m *Manager) newWildcard(template certmagic.ACMEIssuer) *wildcard {
	w := &wildcard{name: "*." + m.options.Domain, tried: make(chan struct{})}
	log := logger(m.log)
	w.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return w.config, nil },
		RenewCheckInterval: m.options.RenewalLooks, Logger: log,
	})
	w.config = certmagic.New(w.cache, certmagic.Config{
		Storage: m.storage, Logger: log, OnEvent: m.event, ShouldEmitFunc: concernsOrders, DisableStorageCheck: true, RenewalWindowRatio: m.options.RenewalShare,
		Issuers: m.config.Issuers,
	})
	template.DNS01Solver = m.options.DNS01
	w.config.Issuers = []certmagic.Issuer{anew{certmagic.NewACMEIssuer(w.config, template)}}
	return w
}

// is reports whether this is its name.
func (w *wildcard) is(name string) bool { return w != nil && name == w.name }

// covers reports whether a host name is one label below the domain.
func (w *wildcard) covers(host string) bool {
	if w == nil {
		return false
	}
	label, below, _ := strings.Cut(strings.ToLower(host), ".")
	return label != "" && "*."+below == w.name
}

// newest returns what is served; nil when there is none.
func (w *wildcard) newest() *x509.Certificate {
	if w == nil {
		return nil
	}
	var newest *x509.Certificate
	for _, found := range w.cache.AllMatchingCertificates(w.name) {
		if newest == nil || found.Leaf.NotAfter.After(newest.NotAfter) {
			newest = found.Leaf
		}
	}
	return newest
}

func (w *wildcard) valid() bool {
	found := w.newest()
	return found != nil && time.Now().Before(found.NotAfter)
}

// certificate returns it. Who comes before the first attempt is over waits for that, and nobody for a second one.
func (w *wildcard) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !w.valid() {
		select {
		case <-w.tried:
		case <-hello.Context().Done():
			return nil, fmt.Errorf("wait for the certificate of %s: %w", w.name, context.Cause(hello.Context()))
		}
	}
	return w.config.GetCertificateWithContext(hello.Context(), hello)
}

// soon reports whether there is one, or a moment later.
func (w *wildcard) soon(ctx context.Context) bool {
	if w.valid() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-w.tried:
	case <-ctx.Done():
	}
	return w.valid()
}

// orderWildcard has the wildcard, from storage or from the CA; certmagic renews it from then on. After a failure it waits as orders demands.
func (m *Manager) orderWildcard(ctx context.Context) {
	for first := true; ; first = false {
		attempt, cancel := context.WithTimeout(ctx, attemptLimit)
		err := m.wildcard.config.ManageSync(attempt, []string{m.wildcard.name})
		cancel()
		if first {
			close(m.wildcard.tried)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		pause := max(m.orders.pause(m.wildcard.name), retryPause)
		m.log.WarnContext(ctx, "previews have no certificate", "name", m.wildcard.name, "again_in", pause.Round(time.Second), "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// noteWildcard keeps why an order of the wildcard failed, until one succeeds.
func (m *Manager) noteWildcard(ctx context.Context, name string, failure error) {
	if !m.wildcard.is(name) {
		return
	}
	var err error
	if failure == nil {
		err = m.storage.Delete(ctx, failureKey)
	} else {
		err = m.storage.Store(ctx, failureKey, fmt.Appendf(nil, "%s UTC: %v", time.Now().UTC().Format(time.DateTime), failure))
	}
	if err != nil {
		m.log.WarnContext(ctx, "cannot keep how an order ended", "name", name, "error", err)
	}
}

// WildcardFailure returns when and why the last order of the wildcard failed; empty when it did not.
func WildcardFailure(ctx context.Context, from Reader) (string, error) {
	value, err := from.Asset(ctx, failureKey)
	if errors.Is(err, deployment.ErrNotFound) {
		return "", nil
	}
	return string(value), err
}
