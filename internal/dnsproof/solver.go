package dnsproof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/go-acme/lego/v5/log"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

const (
	defaultLimit  = 2 * time.Minute // for the record to be at the zone's servers, where the provider knows no better
	defaultPause  = 2 * time.Second // between two looks
	progress      = 15 * time.Second
	secretAtLeast = 4                // bytes: what is shorter is part of many words
	cleanUpLimit  = 10 * time.Second // a gateway that ends removes its record first
	shownAtEach   = 500              // bytes of a long error, at its beginning and at its end
)

// Options say who makes the records.
type Options struct {
	Provider    string
	Credentials map[string]string
	DNS         func(servers []string) DNS // that asks these in their order, the system's if there are none
	Servers     []string                   // host:port, asked where names lead; none: the system's
	ZonePort    string                     // of the zones' own servers; empty for 53
	Logger      *slog.Logger
}

// Solver makes a record for a CA to see, waits until it can be seen, and removes it.
type Solver struct {
	name     string
	provider challenge.Provider
	zones    *zones
	log      *slog.Logger
	secrets  []string // that no error may hold
}

var (
	_ acmez.Solver = (*Solver)(nil)
	_ acmez.Waiter = (*Solver)(nil)
)

// New returns a Solver. What lego asks DNS for, and what it logs, is set for the whole process.
func New(o Options) (*Solver, error) {
	s := &Solver{name: o.Provider, zones: newZones(o), log: o.Logger.With("component", "dnsproof")}
	for name, value := range o.Credentials {
		if secret(name) {
			s.secrets = append(s.secrets, parts(value)...)
		}
	}
	s.secrets = slices.DeleteFunc(s.secrets, func(secret string) bool { return len(secret) < secretAtLeast })
	slices.SortFunc(s.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may be part of a longer one
	log.SetDefault(slog.New(quiet{s.log.Handler()}))
	if len(o.Servers) > 0 {
		dns01.SetDefaultClient(dns01.NewClient(&dns01.Options{RecursiveNameservers: o.Servers}))
	}
	build, ok := providers[o.Provider]
	if !ok {
		return nil, fmt.Errorf("SLIPWAY_ACME_DNS_PROVIDER: %q is unknown", o.Provider)
	}
	var err error
	if s.provider, err = build(o.Credentials); err != nil {
		return nil, fmt.Errorf("set up %s from SLIPWAY_ACME_DNS_CREDENTIALS_FILE: %w", o.Provider, s.plain(err))
	}
	return s, nil
}

// Present makes the record.
func (s *Solver) Present(ctx context.Context, c acme.Challenge) error {
	s.log.InfoContext(ctx, "make a DNS record for the CA", "provider", s.name, "domain", c.Identifier.Value)
	if err := s.provider.Present(ctx, c.Identifier.Value, c.Token, c.KeyAuthorization); err != nil {
		return fmt.Errorf("have %s make the record _acme-challenge.%s: %w", s.name, c.Identifier.Value, s.plain(err))
	}
	return nil
}

// Wait returns when all servers of the zone that answer have the record.
func (s *Solver) Wait(ctx context.Context, c acme.Challenge) error {
	limit, pause := defaultLimit, defaultPause
	if patient, ok := s.provider.(challenge.ProviderTimeout); ok {
		limit, pause = patient.Timeout()
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	info := dns01.GetChallengeInfo(bounded, c.Identifier.Value, c.KeyAuthorization)
	record, begun := strings.TrimSuffix(info.EffectiveFQDN, "."), time.Now()
	for said := begun; ; {
		missing := s.zones.missing(ctx, record, info.Value)
		if missing == nil {
			s.log.InfoContext(ctx, "the record is at the zone's servers", "record", record, "after", time.Since(begun).Round(time.Millisecond))
			return nil
		}
		if time.Since(said) >= progress {
			said = time.Now()
			s.log.InfoContext(ctx, "wait for the record to be at the zone's servers", "record", record, "missing", missing, "until", begun.Add(limit).UTC())
		}
		select {
		case <-time.After(pause):
		case <-bounded.Done():
			return fmt.Errorf("wait %s for the record %s at the zone's servers: %w", time.Since(begun).Round(time.Second), record, missing)
		}
	}
}

// CleanUp removes the record, also when what it was made for was given up. Once ctx is over there is little time left for it.
func (s *Solver) CleanUp(ctx context.Context, c acme.Challenge) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), programLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(cleanUpLimit, cancel) })()
	if err := s.provider.CleanUp(bounded, c.Identifier.Value, c.Token, c.KeyAuthorization); err != nil {
		return fmt.Errorf("have %s remove the record _acme-challenge.%s: %w", s.name, c.Identifier.Value, s.plain(err))
	}
	return nil
}

// plain takes secrets out of an error, and shortens it only then: what a provider answers, or a library says of a request, is not ours to know.
func (s *Solver) plain(err error) error {
	text := err.Error()
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	if len(text) > 2*shownAtEach {
		text = strings.ToValidUTF8(text[:shownAtEach]+" … "+text[len(text)-shownAtEach:], "")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// open ends the names of credentials that are none: addresses, names, ways. A URL is not among them: it may hold a password.
var open = []string{"_NAMESERVER", "_TSIG_KEY", "_ALGORITHM", "_PATH", "_MODE"}

// secret reports whether what has this name among the credentials is one. Whatever is not known to be none is one.
func secret(name string) bool {
	return !slices.ContainsFunc(open, func(end string) bool { return strings.HasSuffix(name, end) })
}

// parts returns a credential, and what may be secret in it where it is a URL: that of a request is another one.
func parts(value string) []string {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		return []string{value}
	}
	password, _ := u.User.Password()
	return []string{value, u.User.Username(), password, u.RawQuery}
}

// quiet is a log in which all that lego says is for whoever debugs it.
type quiet struct{ slog.Handler }

// Enabled reports whether that is wanted.
func (q quiet) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle logs it.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level, r.Message = slog.LevelDebug, "lego: "+r.Message
	return q.Handler.Handle(ctx, r)
}
