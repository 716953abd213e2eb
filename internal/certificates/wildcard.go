package certificates

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	attemptLimit = time.Hour       // of an order of the wildcard, another gateway's before it included; DNS providers take up to 20 minutes
	retryPause   = 5 * time.Second // after what the CA had no part in, such as Postgres being away

	failureKey  = "slipway/wildcard/" // below it, by domain, the reason lies why there is none; for who looks, as `slipway doctor` does
	failureTime = 5 * time.Second     // to keep it
)

// wildcard is the certificate of all previews' names, which visitors share. It is ordered when a gateway starts, and renewed whether it is
// visited or not. It has a cache of its own: certificates on demand may push one another out of theirs.
type wildcard struct {
	name   string // *.preview.example.com
	cache  *certmagic.Cache
	config *certmagic.Config
	tried  chan struct{} // closed when the first attempt to have it is over
	asked  atomic.Bool   // the CA is being asked
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

// firstTry waits until the first attempt to have it is over.
func (w *wildcard) firstTry(ctx context.Context) error {
	select {
	case <-w.tried:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the certificate of %s: %w", w.name, context.Cause(ctx))
	}
}

// soon reports whether there is one, or a moment later.
func (w *wildcard) soon(ctx context.Context) bool {
	if w.valid() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return w.firstTry(ctx) == nil && w.valid()
}

// orderWildcard has the wildcard, from storage or from the CA; certmagic renews it from then on. After a failure it waits as orders demands.
func (m *Manager) orderWildcard(ctx context.Context) {
	for first := true; ; first = false {
		attempt, cancel := context.WithTimeout(ctx, attemptLimit)
		err := m.wildcard.config.ManageSync(attempt, []string{m.wildcard.name})
		cancel()
		if err != nil && m.wildcard.asked.Swap(false) { // what the CA gave was not kept: asking at once would use up its limits
			m.orders.ended(m.wildcard.name, true)
		}
		if first {
			close(m.wildcard.tried)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		pause := max(m.orders.pause(m.wildcard.name), retryPause)
		m.log.WarnContext(ctx, "the certificate of all previews was not had", "name", m.wildcard.name, "there_is_one", m.wildcard.valid(), "again_in", pause.Round(time.Second), "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// noteOrder keeps that the CA is asked for the wildcard.
func (m *Manager) noteOrder(name string) {
	if m.wildcard.is(name) {
		m.wildcard.asked.Store(true)
	}
}

// noteWildcard keeps why an order of the wildcard failed, until one succeeds. That the gateway ended is no reason.
func (m *Manager) noteWildcard(ctx context.Context, name string, failure error) {
	if !m.wildcard.is(name) {
		return
	}
	m.wildcard.asked.Store(false)
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureTime)
	defer cancel()
	key := failureKey + m.options.Domain
	var err error
	if failure == nil {
		err = m.storage.Delete(ctx, key)
	} else {
		err = m.storage.Store(ctx, key, fmt.Appendf(nil, "%s UTC: %v", time.Now().UTC().Format(time.DateTime), failure))
	}
	if err != nil {
		m.log.WarnContext(ctx, "cannot keep how an order ended", "name", name, "error", err)
	}
}

// WildcardFailure returns when and why the last order of the wildcard below a domain failed; empty when it did not.
func WildcardFailure(ctx context.Context, from Reader, domain string) (string, error) {
	value, err := from.Asset(ctx, failureKey+domain)
	if errors.Is(err, deployment.ErrNotFound) {
		return "", nil
	}
	return string(value), err
}
