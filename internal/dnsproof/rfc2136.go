package dnsproof

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/miekg/dns"
)

const (
	recordTTL   = 60               // seconds
	updateLimit = 10 * time.Second // for the server's answer
	clockSkew   = 300              // seconds that its clock may differ, as BIND has it
)

// rfc2136 is a name server that takes dynamic updates, signed with a key (TSIG). lego's own provider brings Kerberos.
type rfc2136 struct {
	server                 string
	key, secret, algorithm string
}

func newRFC2136(c credentials) (challenge.Provider, error) {
	r := &rfc2136{
		server: nameServer(c["DNSUPDATE_NAMESERVER"]), key: dns.CanonicalName(c["DNSUPDATE_TSIG_KEY"]), secret: c["DNSUPDATE_TSIG_SECRET"],
		algorithm: dns.CanonicalName(cmp.Or(c["DNSUPDATE_TSIG_ALGORITHM"], dns.HmacSHA256)),
	}
	if _, err := base64.StdEncoding.DecodeString(r.secret); err != nil {
		return nil, errors.New("DNSUPDATE_TSIG_SECRET is not base64")
	}
	switch r.algorithm {
	case dns.HmacSHA1, dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512:
		return r, nil
	}
	return nil, fmt.Errorf("DNSUPDATE_TSIG_ALGORITHM is %s; give hmac-sha256, or another of the SHA family", r.algorithm)
}

// nameServer completes an address that has no port.
func nameServer(address string) string {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return net.JoinHostPort(strings.Trim(address, "[]"), "53")
	}
	return address
}

// Timeout says how long the record may take to be at all servers of the zone, and how often to look.
func (r *rfc2136) Timeout() (limit, pause time.Duration) { return 2 * time.Minute, time.Second }

// Present adds the record beside what there is: others may show something by the same name.
func (r *rfc2136) Present(ctx context.Context, domain, _, keyAuth string) error {
	return r.update(ctx, domain, keyAuth, (*dns.Msg).Insert)
}

// CleanUp removes it.
func (r *rfc2136) CleanUp(ctx context.Context, domain, _, keyAuth string) error {
	return r.update(ctx, domain, keyAuth, (*dns.Msg).Remove)
}

func (r *rfc2136) update(ctx context.Context, domain, keyAuth string, change func(*dns.Msg, []dns.RR)) error {
	info := dns01.GetChallengeInfo(ctx, domain, keyAuth)
	zone, err := dns01.DefaultClient().FindZoneByFqdnCustom(ctx, info.EffectiveFQDN, []string{r.server})
	if err != nil {
		return fmt.Errorf("ask %s for the zone of %s: %w", r.server, info.EffectiveFQDN, err)
	}
	m := new(dns.Msg).SetUpdate(zone)
	change(m, []dns.RR{&dns.TXT{
		Hdr: dns.RR_Header{Name: info.EffectiveFQDN, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: recordTTL}, Txt: []string{info.Value},
	}})
	m.SetTsig(r.key, r.algorithm, clockSkew, time.Now().Unix())
	client := dns.Client{Net: "tcp", Timeout: updateLimit, TsigSecret: map[string]string{r.key: r.secret}}
	answer, _, err := client.ExchangeContext(ctx, m, r.server)
	switch {
	case answer != nil && answer.Rcode != dns.RcodeSuccess: // an answer that refuses the key is not signed, which is an error too
		return fmt.Errorf("%s refuses to change %s in zone %s: %s", r.server, info.EffectiveFQDN, zone, dns.RcodeToString[answer.Rcode])
	case err != nil:
		return fmt.Errorf("have %s change %s in zone %s: %w", r.server, info.EffectiveFQDN, zone, err)
	}
	return nil
}
