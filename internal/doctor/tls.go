package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/config"
)

// Store is what of an installation's store is looked at.
type Store interface {
	certificates.Reader
	// VisitedNames returns the host names of environments that had a visitor within a time, and their domains.
	VisitedNames(ctx context.Context, within time.Duration) ([]string, error)
	Close()
}

const (
	soon   = 14 * 24 * time.Hour // within which a certificate of the operator's own has to be replaced
	lately = 24 * time.Hour      // within which a name was visited, for its certificate to matter
)

// previewTLS looks at what previews are served with.
func previewTLS(ctx context.Context, m Machine) []Finding {
	g := m.Config.Gateway
	if !g.TLS.On() {
		return []Finding{skipped("SLIPWAY_TLS is off")}
	}
	var found []Finding
	var own *x509.Certificate
	if g.TLS.CertFile != "" {
		var looks []Finding
		own, looks = ownCertificate(g)
		found = append(found, looks...)
	}
	if g.TLS.Mode == config.TLSACME {
		found = append(found, directory(ctx, g.TLS), waysIn(g))
	}
	if own == nil && !g.TLS.Issues() {
		return append(found, skipped("which names that are visited are covered can be told only from a certificate that can be read"))
	}
	return append(found, stored(ctx, m, own)...)
}

// ownCertificate looks at the operator's files.
func ownCertificate(g config.Gateway) (*x509.Certificate, []Finding) {
	pair, err := tls.LoadX509KeyPair(g.TLS.CertFile, g.TLS.KeyFile)
	if err != nil {
		return nil, []Finding{failed("name a certificate with its chain in SLIPWAY_TLS_CERT_FILE and the key that fits it in SLIPWAY_TLS_KEY_FILE, both in PEM and readable by the gateway", "%v", err)}
	}
	return pair.Leaf, []Finding{validity(g.TLS.CertFile, pair.Leaf), coverage(g, pair.Leaf)}
}

func validity(file string, c *x509.Certificate) Finding {
	const fix = "replace the files of SLIPWAY_TLS_CERT_FILE and SLIPWAY_TLS_KEY_FILE: the gateway reads them again"
	now, end := time.Now(), c.NotAfter.UTC().Format(time.DateTime)
	switch {
	case now.Before(c.NotBefore):
		return failed("correct this machine's clock, or "+fix, "%s is valid from %s UTC only", file, c.NotBefore.UTC().Format(time.DateTime))
	case now.After(c.NotAfter):
		return failed(fix, "%s expired at %s UTC", file, end)
	case c.NotAfter.Sub(now) < soon:
		return warning(fix, "%s expires at %s UTC", file, end)
	}
	return ok("%s is valid until %s UTC", file, end)
}

// coverage tells whether previews, which have a name each below the preview domain, are covered.
func coverage(g config.Gateway, c *x509.Certificate) Finding {
	wildcard := "*." + g.Domain
	fix := "name a certificate for " + wildcard + " in SLIPWAY_TLS_CERT_FILE, or issue others with SLIPWAY_TLS=acme or internal"
	below := slices.DeleteFunc(slices.Clone(c.DNSNames), func(name string) bool { return !strings.HasSuffix(name, "."+g.Domain) })
	switch {
	case covered(g, c):
		return ok("%s covers %s", g.TLS.CertFile, wildcard)
	case g.TLS.Issues():
		return ok("%s covers %s; certificates for other names are issued", g.TLS.CertFile, some(c.DNSNames))
	case len(below) == 0:
		return failed(fix, "%s covers no name below SLIPWAY_PREVIEW_DOMAIN %s, but %s", g.TLS.CertFile, g.Domain, some(c.DNSNames))
	}
	return warning(fix, "%s covers no preview but %s", g.TLS.CertFile, some(below))
}

// covered reports whether a certificate is good for whatever preview.
func covered(g config.Gateway, c *x509.Certificate) bool {
	return c.VerifyHostname("slipway-doctor."+g.Domain) == nil
}

// directory looks whether the CA answers.
func directory(ctx context.Context, c config.TLS) Finding {
	wantsKnown, err := certificates.ACME{Directory: c.Directory, CAFile: c.CAFile}.Ask(ctx)
	var stranger x509.UnknownAuthorityError
	switch {
	case errors.As(err, &stranger):
		return failed("name the certificates that the CA's own is checked with in SLIPWAY_ACME_CA_FILE", "%v", err)
	case err != nil:
		return failed("see that SLIPWAY_ACME_DIRECTORY and SLIPWAY_ACME_CA_FILE are right and the CA can be reached from here: until then no name gets its first certificate", "%v", err)
	case wantsKnown && c.EABKeyID == "":
		return failed("set SLIPWAY_ACME_EAB_KEY_ID and SLIPWAY_ACME_EAB_KEY_FILE, which the CA hands out", "%s wants an account that it knows", c.Directory)
	}
	return ok("%s answers", c.Directory)
}

// waysIn tells whether the CA can come, as far as the settings say: by the port of previews' URLs, or by port 80.
func waysIn(g config.Gateway) Finding {
	byTLS, byHTTP := slices.Contains(g.TLS.Challenges, "tls-alpn-01"), slices.Contains(g.TLS.Challenges, "http-01")
	switch {
	case byTLS && g.PublicPort == 443:
		return ok("the CA comes by port 443, which leads to %s", g.TLS.Addr)
	case byHTTP && !onLoopback(g.Addr) && strings.HasSuffix(g.Addr, ":80"):
		return ok("the CA comes by port 80 at %s", g.Addr)
	}
	if g.TLS.DNSProvider != "" {
		return ok("previews need no way in for the CA; people's domains get certificates by port 443 or 80 alone, and the gateway listens at %s and %s", g.TLS.Addr, g.Addr)
	}
	var ways []string
	if byTLS {
		ways = append(ways, "have SLIPWAY_TLS_ADDR listen at port 443, or forward that there and set SLIPWAY_PREVIEW_PORT=443")
	}
	if byHTTP {
		ways = append(ways, "have SLIPWAY_GATEWAY_ADDR listen at port 80, or forward that there")
	}
	return warning(strings.Join(ways, "; or "), "the CA comes by port 443 (tls-alpn-01) or 80 (http-01), and the gateway listens at %s and %s; SLIPWAY_PREVIEW_PORT is %d",
		g.TLS.Addr, g.Addr, g.PublicPort)
}

// stored looks at what the installation keeps, which is what visitors get.
func stored(ctx context.Context, m Machine, own *x509.Certificate) []Finding {
	store, err := m.Store(ctx)
	if err != nil {
		return []Finding{skipped("what is stored cannot be read from here: %v", err)}
	}
	defer store.Close()
	var found []Finding
	if m.Config.Gateway.TLS.Mode == config.TLSInternal {
		found = append(found, ownCA(ctx, store))
	}
	names, err := store.VisitedNames(ctx, lately)
	if err != nil {
		return append(found, failed("see postgres", "%v", err))
	}
	g := m.Config.Gateway
	names = slices.DeleteFunc(names, func(name string) bool { return own != nil && own.VerifyHostname(name) == nil })
	if !g.TLS.Issues() {
		return append(found, uncovered(g, names))
	}
	if g.TLS.Mode == config.TLSACME && (own == nil || !covered(g, own)) {
		found = append(found, wildcard(ctx, g, store))
		names = slices.DeleteFunc(names, func(name string) bool {
			_, below, _ := strings.Cut(name, ".")
			return g.TLS.DNSProvider != "" && below == g.Domain
		})
	}
	return append(found, renewals(ctx, m.Config.Gateway.TLS, store, names))
}

const sealedByAnother = "put the keyset back that certificates were stored with (SLIPWAY_KEYSET_FILE, SLIPWAY_KEYSET_KMS)"

func ownCA(ctx context.Context, store Store) Finding {
	root, err := certificates.StoredRoot(ctx, store)
	switch {
	case err != nil:
		return failed(sealedByAnother, "the installation's own CA: %v", err)
	case root == nil:
		return ok("the installation's own CA is made with its first certificate, or by `slipway admin ca`")
	case time.Until(root.NotAfter) < soon:
		return warning("delete the row slipway/ca.pem of tls_assets, restart the gateways, and have clients trust what `slipway admin ca` prints then",
			"the installation's own CA ends at %s UTC", root.NotAfter.UTC().Format(time.DateTime))
	}
	return ok("the installation's own CA is valid until %s UTC", root.NotAfter.UTC().Format(time.DateTime))
}

// wildcard tells whether previews share a certificate, and if not, why.
func wildcard(ctx context.Context, g config.Gateway, store Store) Finding {
	name := "*." + g.Domain
	if g.TLS.DNSProvider == "" {
		return ok("each preview has a certificate of its own, ordered when it is visited; with SLIPWAY_ACME_DNS_PROVIDER they share one for %s", name)
	}
	have, err := certificates.Stored(ctx, store, []string{name})
	if err != nil {
		return failed(sealedByAnother, "certificates in storage: %v", err)
	}
	failure, err := certificates.WildcardFailure(ctx, store, g.Domain)
	if err != nil {
		return failed(sealedByAnother, "why there is no certificate for %s: %v", name, err)
	}
	fix := "see that the credentials in SLIPWAY_ACME_DNS_CREDENTIALS_FILE may change the zone of " + g.Domain + " at " + g.TLS.DNSProvider + "; the gateway tries again within an hour (a renewal within six), or when it is restarted"
	switch found := have[name]; {
	case found == nil && failure == "":
		return warning("start a gateway: it orders it, and its log says how that goes", "%s has not been ordered yet", name)
	case found == nil:
		return failed(fix, "there is no certificate for %s: %s", name, failure)
	case time.Now().After(found.NotAfter):
		return failed(fix, "the certificate for %s has expired at %s UTC: %s", name, found.NotAfter.UTC().Format(time.DateTime), cmp.Or(failure, "no gateway tried to renew it"))
	case certificates.Overdue(found, time.Now()):
		return warning(fix, "%s is valid until %s UTC and was not renewed in time: %s", name, found.NotAfter.UTC().Format(time.DateTime), cmp.Or(failure, "no gateway tried"))
	case failure != "":
		return warning(fix, "%s is valid until %s UTC, and the last attempt to renew it failed: %s", name, found.NotAfter.UTC().Format(time.DateTime), failure)
	default:
		return ok("previews share %s, valid until %s UTC, which is ordered by DNS records at %s", name, found.NotAfter.UTC().Format(time.DateTime), g.TLS.DNSProvider)
	}
}

// uncovered are visited names for which there is no certificate.
func uncovered(g config.Gateway, names []string) Finding {
	if len(names) == 0 {
		return ok("%s covers all names that were visited within a day", g.TLS.CertFile)
	}
	return warning("add them to the certificate of SLIPWAY_TLS_CERT_FILE, or have theirs issued with SLIPWAY_TLS=acme or internal",
		"%s covers not all names that were visited within a day: %s", g.TLS.CertFile, some(names))
}

// renewals looks for certificates that are in use and were not renewed in time. One that nobody visits is not renewed, and need not be.
func renewals(ctx context.Context, c config.TLS, store Store, names []string) Finding {
	have, err := certificates.Stored(ctx, store, names)
	if err != nil {
		return failed(sealedByAnother, "certificates in storage: %v", err)
	}
	var late []string
	for _, name := range names {
		if found := have[name]; found != nil && certificates.Overdue(found, time.Now()) {
			late = append(late, name+" (until "+found.NotAfter.UTC().Format(time.DateTime)+" UTC)")
		}
	}
	if len(late) == 0 {
		return ok("certificates of names that were visited within a day: %d, none late for renewal", len(have))
	}
	fix := "see why in the gateway's log (got no certificate)"
	if c.Mode == config.TLSACME {
		fix += "; names have to lead to the gateway, and the CA to reach SLIPWAY_TLS_ADDR by port 443 or SLIPWAY_GATEWAY_ADDR by port 80"
	}
	return warning(fix, "not renewed in time: %s", some(late))
}

// some lists a few.
func some(all []string) string {
	const most = 5
	if len(all) == 0 {
		return "none"
	}
	text := strings.Join(all[:min(most, len(all))], ", ")
	if more := len(all) - most; more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}
