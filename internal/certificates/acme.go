package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
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

// anew is a CA as certmagic asks it without saying which certificate an order replaces, which it says to an ACMEIssuer alone. A CA refuses
// that of another account's certificate, as after a change of SLIPWAY_ACME_EMAIL, and of one that was replaced already by an order
// whose answer was lost; certmagic leaves it away at the third attempt in a row, which orders does not let it make.
type anew struct{ *certmagic.ACMEIssuer }

var _ interface {
	certmagic.PreChecker
	certmagic.RenewalInfoGetter
} = anew{}

// PreCheck never asks whoever sits before the machine for an address, as certmagic does where an order is made once.
func (a anew) PreCheck(ctx context.Context, names []string, _ bool) error {
	return a.ACMEIssuer.PreCheck(ctx, names, false)
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

// HandleChallenge answers a CA that asks whether a name leads here; false when a request is none of that.
func (m *Manager) HandleChallenge(w http.ResponseWriter, r *http.Request) bool {
	return m.acme != nil && m.acme.HandleHTTPChallenge(w, r)
}

// Ask asks the CA for its directory, without an account, and reports whether it wants accounts that it knows (external account binding).
func (a ACME) Ask(ctx context.Context) (wantsKnown bool, err error) {
	roots, err := a.roots()
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Directory, nil)
	if err != nil {
		return false, fmt.Errorf("ask %s: %w", a.Directory, err)
	}
	client := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	answer, err := client.Do(request)
	if err != nil {
		return false, err // it names the URL
	}
	defer answer.Body.Close()
	var directory acme.Directory
	err = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&directory)
	if answer.StatusCode != http.StatusOK || err != nil || directory.NewOrder == "" {
		return false, fmt.Errorf("%s is no directory of a CA that speaks ACME (%s)", a.Directory, answer.Status)
	}
	return directory.Meta != nil && directory.Meta.ExternalAccountRequired, nil
}
