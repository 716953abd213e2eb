package config

import (
	"errors"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The ways to serve previews by TLS.
const (
	TLSOff      = "off"
	TLSOwn      = "own"      // with the certificate of CertFile alone
	TLSACME     = "acme"     // and with certificates that a CA issues
	TLSInternal = "internal" // and with certificates of a CA of the installation's own
)

// letsEncrypt is the directory of the CA that most people mean.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// TLS says how the gateway serves previews by TLS.
type TLS struct {
	Mode     string
	Addr     string // where it listens, host:port
	CertFile string // certificate with its chain, and its key; empty for none
	KeyFile  string

	Directory  string   // of the CA, a URL
	Email      string   // of the account there; empty for none
	CAFile     string   // that the directory's own certificate is checked with; empty for the system's
	Challenges []string // by which the CA is shown that names lead here
	EABKeyID   string   // external account binding; empty for none
	EABKeyFile string
	EABKey     string // what that file holds, once loaded
	MaxOrders  int    // certificates that a gateway orders an hour; 0 for no bound

	DNSProvider        string // that shows the CA that the previews' domain is ours, for one wildcard; empty for none
	DNSCredentialsFile string
	DNSCredentials     map[string]string // what that file holds, once loaded
}

// On reports whether previews are served by TLS.
func (t *TLS) On() bool { return t.Mode != TLSOff }

// Issues reports whether certificates are made, so that the keyset is needed to keep them.
func (t *TLS) Issues() bool { return t.Mode == TLSACME || t.Mode == TLSInternal }

func (t *TLS) keys(addr addrCheck) []key {
	return []key{
		{
			env: "SLIPWAY_TLS", path: "gateway.tls", initial: TLSOff, value: oneOf(&t.Mode, TLSOff, TLSOwn, TLSACME, TLSInternal),
			doc: "How the gateway serves previews by TLS, the same for every role: `off`; `own`, with the certificate of `SLIPWAY_TLS_CERT_FILE` alone; `acme`, with certificates that a CA issues when a " +
				"name is visited first (that accepts the CA's terms); `internal`, with those of a CA of the installation's own, which `slipway admin ca` prints. Preview URLs are `https` then.",
		},
		{
			env: "SLIPWAY_TLS_ADDR", path: "gateway.tls_addr", initial: "127.0.0.1:8443", value: text(&t.Addr, addr),
			doc: "Where the gateway listens for TLS. With `acme` the CA has to reach this at port 443, or `SLIPWAY_GATEWAY_ADDR` at port 80.",
		},
		{
			env: "SLIPWAY_TLS_CERT_FILE", path: "gateway.tls_cert_file", value: text(&t.CertFile),
			doc: "Certificate of your own in PEM, with its chain: a wildcard for the preview domain, as a rule. It is used for every name that it covers, before another is issued, and read again when the file changes.",
		},
		{
			env: "SLIPWAY_TLS_KEY_FILE", path: "gateway.tls_key_file", value: text(&t.KeyFile),
			doc: "Its key.",
		},
		{
			env: "SLIPWAY_ACME_DIRECTORY", path: "gateway.acme_directory", initial: letsEncrypt, value: text(&t.Directory, httpsURL),
			doc: "Directory of the CA that is asked for certificates by ACME.",
		},
		{
			env: "SLIPWAY_ACME_EMAIL", path: "gateway.acme_email", value: text(&t.Email),
			doc: "Address that the CA may write to; empty for none, or for an account that was made before, with its address. Another address makes another account, which renews what the first one ordered.",
		},
		{
			env: "SLIPWAY_ACME_CA_FILE", path: "gateway.acme_ca_file", value: text(&t.CAFile),
			doc: "Certificates in PEM that the directory's own is checked with, for a CA of your own; empty for the system's.",
		},
		{
			env: "SLIPWAY_ACME_CHALLENGES", path: "gateway.acme_challenges", initial: "http-01,tls-alpn-01",
			value: words(&t.Challenges, "http-01", "tls-alpn-01"),
			doc:   "How the CA is shown that a name leads here: `http-01` needs port 80, `tls-alpn-01` port 443.",
		},
		{
			env: "SLIPWAY_ACME_DNS_PROVIDER", path: "gateway.acme_dns_provider", value: optional(oneOf(&t.DNSProvider, slices.Sorted(maps.Keys(dnsProviders))...)),
			doc: "Who holds the preview domain's zone: " + quoted(slices.Sorted(maps.Keys(dnsProviders))) + ". With `acme` all previews share one wildcard certificate then, ordered by a DNS record " +
				"(DNS-01) when the gateway starts; people's domains are ordered as before. Empty: each name is ordered alone.",
		},
		{
			env: "SLIPWAY_ACME_DNS_CREDENTIALS_FILE", path: "gateway.acme_dns_credentials_file", value: text(&t.DNSCredentialsFile),
			doc: "File with its credentials, which only gateways need, a line `NAME=value` each. " + dnsProvidersDoc() + ".",
		},
		{
			env: "SLIPWAY_ACME_EAB_KEY_ID", path: "gateway.acme_eab_key_id", value: text(&t.EABKeyID),
			doc: "Key id of an account that exists elsewhere (external account binding), for CAs that want one.",
		},
		{
			env: "SLIPWAY_ACME_EAB_KEY_FILE", path: "gateway.acme_eab_key_file", value: text(&t.EABKeyFile),
			doc: "File that holds its key, in base64 as the CA gives it.",
		},
		{
			env: "SLIPWAY_TLS_MAX_ORDERS", path: "gateway.tls_max_orders", initial: "50", value: number(&t.MaxOrders, 0, 1_000_000),
			doc: "New certificates that a gateway orders within an hour; 0 for no bound. Every deployment has a name of its own: where many are visited, a wildcard saves you from the CA's limits. That, and what is renewed, is not counted.",
		},
	}
}

// settle reports what contradicts, and fills in what previews' URLs look like.
func (t *TLS) settle(g *Gateway) Faults {
	var faults Faults
	if (t.CertFile == "") != (t.KeyFile == "") {
		faults = append(faults, Fault{Key: "SLIPWAY_TLS_CERT_FILE", Problem: "a certificate and its key go together", Fix: "set SLIPWAY_TLS_CERT_FILE and SLIPWAY_TLS_KEY_FILE, or neither"})
	}
	if t.Mode == TLSOwn && t.CertFile == "" {
		faults = append(faults, Fault{Key: "SLIPWAY_TLS", Problem: "own needs a certificate", Fix: "set SLIPWAY_TLS_CERT_FILE and SLIPWAY_TLS_KEY_FILE, or choose acme or internal"})
	}
	if (t.EABKeyID == "") != (t.EABKeyFile == "") {
		faults = append(faults, Fault{Key: "SLIPWAY_ACME_EAB_KEY_ID", Problem: "a key id and its key go together", Fix: "set SLIPWAY_ACME_EAB_KEY_ID and SLIPWAY_ACME_EAB_KEY_FILE, or neither"})
	}
	if t.Mode == TLSACME && t.DNSProvider == "" && t.DNSCredentialsFile != "" {
		faults = append(faults, Fault{Key: credentialsVariable, Problem: "nobody is told whose credentials these are", Fix: "set SLIPWAY_ACME_DNS_PROVIDER, or leave both empty"})
	}
	if t.Mode == TLSACME && t.DNSProvider != "" && !strings.Contains(g.Domain, ".") {
		faults = append(faults, Fault{Key: "SLIPWAY_PREVIEW_DOMAIN", Problem: "no CA gives a certificate for *." + g.Domain, Fix: "name a domain of yours, or leave SLIPWAY_ACME_DNS_PROVIDER empty"})
	}
	if !t.On() || len(faults) > 0 {
		return faults
	}
	g.PublicScheme = "https"
	if g.PublicPort == 0 {
		_, port, _ := net.SplitHostPort(t.Addr) // checked as host:port
		g.PublicPort, _ = strconv.Atoi(port)
	}
	return nil
}

// readSecrets reads the files that only a gateway needs.
func (t *TLS) readSecrets() Faults { return slices.Concat(t.readKey(), t.readCredentials()) }

// readKey reads the key of an account at a CA.
func (t *TLS) readKey() Faults {
	if t.Mode != TLSACME || t.EABKeyFile == "" {
		return nil
	}
	key, err := os.ReadFile(t.EABKeyFile)
	if err != nil {
		return Faults{{Key: "SLIPWAY_ACME_EAB_KEY_FILE", Problem: err.Error(), Fix: "name a file that this account may read"}}
	}
	t.EABKey = strings.TrimSpace(string(key))
	return nil
}

// httpsURL takes the URL of something that is asked by TLS.
func httpsURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return errors.New("give an https URL, such as " + letsEncrypt)
	}
	return nil
}
