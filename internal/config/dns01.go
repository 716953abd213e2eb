package config

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// dnsProvider says what the credentials file of a DNS provider holds.
type dnsProvider struct {
	needs, takes []string
	more         bool // and whatever else
}

// dnsProviders are those that can show a CA that the previews' domain is ours. The names of their credentials are lego's.
var dnsProviders = map[string]dnsProvider{
	"acme-dns":     {needs: []string{"ACME_DNS_API_BASE", "ACME_DNS_USERNAME", "ACME_DNS_PASSWORD", "ACME_DNS_SUBDOMAIN"}},
	"cloudflare":   {needs: []string{"CF_DNS_API_TOKEN"}, takes: []string{"CF_ZONE_API_TOKEN"}},
	"digitalocean": {needs: []string{"DO_AUTH_TOKEN"}},
	"exec":         {needs: []string{"EXEC_PATH"}, more: true},
	"gandi":        {needs: []string{"GANDIV5_PERSONAL_ACCESS_TOKEN"}},
	"hetzner":      {needs: []string{"HETZNER_API_TOKEN"}},
	"httpreq":      {needs: []string{"HTTPREQ_ENDPOINT"}, takes: []string{"HTTPREQ_USERNAME", "HTTPREQ_PASSWORD", "HTTPREQ_MODE"}},
	"ovh":          {needs: []string{"OVH_APPLICATION_KEY", "OVH_APPLICATION_SECRET", "OVH_CONSUMER_KEY"}, takes: []string{"OVH_ENDPOINT"}},
	"porkbun":      {needs: []string{"PORKBUN_API_KEY", "PORKBUN_SECRET_API_KEY"}},
	"rfc2136": {
		needs: []string{"DNSUPDATE_NAMESERVER", "DNSUPDATE_TSIG_KEY", "DNSUPDATE_TSIG_SECRET"}, takes: []string{"DNSUPDATE_TSIG_ALGORITHM"},
	},
}

// DNSProviders names the providers, and what the credentials file of each has to hold.
func DNSProviders() map[string][]string {
	all := map[string][]string{}
	for name, p := range dnsProviders {
		all[name] = slices.Clone(p.needs)
	}
	return all
}

// dnsProvidersDoc lists them for docs/configuration.md.
func dnsProvidersDoc() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(dnsProviders)) {
		p := dnsProviders[name]
		text := "`" + name + "`: " + strings.Join(p.needs, ", ")
		if len(p.takes) > 0 {
			text += " (and maybe " + strings.Join(p.takes, ", ") + ")"
		}
		if p.more {
			text += " (and what else the program is to find in its environment)"
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

// quoted lists words as docs/configuration.md shows them.
func quoted(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

const credentialsVariable = "SLIPWAY_ACME_DNS_CREDENTIALS_FILE"

// readCredentials reads those of the DNS provider. No fault shows a line of the file: it may be a secret that stands in the wrong place.
func (t *TLS) readCredentials() Faults {
	provider, ok := dnsProviders[t.DNSProvider]
	if t.Mode != TLSACME || !ok {
		return nil
	}
	format := "a line NAME=value for each of " + strings.Join(provider.needs, ", ")
	if t.DNSCredentialsFile == "" {
		return Faults{{Key: credentialsVariable, Problem: t.DNSProvider + " needs credentials", Fix: "name a file with " + format}}
	}
	text, err := os.ReadFile(t.DNSCredentialsFile)
	if err != nil {
		return Faults{{Key: credentialsVariable, Problem: err.Error(), Fix: "name a file that this account may read, with " + format}}
	}
	var faults Faults
	t.DNSCredentials = map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, is := strings.Cut(line, "=")
		name = strings.TrimSpace(strings.TrimPrefix(name, "export ")) // files that shells read have it
		known := provider.more || slices.Contains(provider.needs, name) || slices.Contains(provider.takes, name)
		if !is || !known {
			faults = append(faults, Fault{
				Key: credentialsVariable, Problem: fmt.Sprintf("line %d of %s is nothing that %s takes", n, t.DNSCredentialsFile, t.DNSProvider),
				Fix: "it holds " + format + also(provider.takes),
			})
			continue
		}
		t.DNSCredentials[name] = unquoted(strings.TrimSpace(value))
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, Fault{Key: credentialsVariable, Problem: err.Error(), Fix: "name a file with " + format})
	}
	for _, name := range provider.needs {
		if t.DNSCredentials[name] == "" {
			faults = append(faults, Fault{
				Key: credentialsVariable, Problem: name + ", which " + t.DNSProvider + " needs, is missing", Fix: "add a line " + name + "=… to " + t.DNSCredentialsFile,
			})
		}
	}
	return faults
}

func also(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", and maybe " + strings.Join(names, ", ")
}

// unquoted takes a pair of quotes away, as shells do.
func unquoted(s string) string {
	for _, quote := range []string{`"`, "'"} {
		if len(s) >= 2 && strings.HasPrefix(s, quote) && strings.HasSuffix(s, quote) {
			return s[1 : len(s)-1]
		}
	}
	return s
}
