package certificates

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
)

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
	case m.wildcard.covers(hello.ServerName) && !challenge:
		return m.previewCertificate(hello)
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

// firstOrder is how long a visitor waits for the first order of the wildcard. A connection is given up then anyway.
const firstOrder = 90 * time.Second

// previewCertificate returns the wildcard. Who comes before the first attempt to have it is over waits for that, if there is such a
// preview; nobody waits for a second attempt.
func (m *Manager) previewCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	ctx, cancel := context.WithTimeout(hello.Context(), firstOrder)
	defer cancel()
	if !m.wildcard.valid() {
		if err := m.options.Allow(ctx, hello.ServerName); err != nil {
			return nil, err
		}
		if err := m.wildcard.firstTry(ctx); err != nil {
			return nil, err
		}
	}
	return m.wildcard.config.GetCertificateWithContext(ctx, hello)
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
	if m.wildcard.covers(name) {
		return m.wildcard.soon(ctx)
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
