package certificates_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/certificates/acmetest"
	"github.com/slipway-dev/slipway/internal/dnsproof"
	"github.com/slipway-dev/slipway/internal/dnsproof/knottest"
	"github.com/slipway-dev/slipway/internal/domains"
)

// previews is a front that has one certificate for all names below a domain, shown to be ours by the test's name server.
type previews struct {
	*front
	domain string
	names  *knottest.Server
}

// newPreviews runs a manager. Its CA finds names at this front; with another's options it is that one's.
func newPreviews(t *testing.T, domain string, change func(*certificates.Options, map[string]string)) *previews {
	t.Helper()
	p := &previews{domain: domain, names: knottest.Shared(t)}
	var ca *acmetest.CA
	p.front = newFront(t, func(o *certificates.Options) {
		credentials := p.names.Credentials(knottest.Key)
		ca = acmetest.Start(t, acmetest.Options{HTTP: o.HTTP.String(), TLS: o.TLS.String(), DNS: p.names.Addr})
		o.ACME, o.Domain = certificates.ACME{Directory: ca.Directory, CAFile: ca.CAFile, Email: "ops@example.test"}, domain
		if change != nil {
			change(o, credentials)
		}
		var err error
		o.DNS01, err = dnsproof.New(dnsproof.Options{
			DNS:      func(servers []string) dnsproof.DNS { return domains.NewResolver(servers) },
			Provider: "rfc2136", Credentials: credentials, Servers: []string{p.names.Addr}, ZonePort: p.names.Port, Logger: o.Logger,
		})
		require.NoError(t, err)
	})
	p.ca = ca
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return p
}

// domainOf is one that no other run of a test has: certmagic shares what is under way in a process.
func domainOf(what string) string {
	return what + "-" + strings.ToLower(rand.Text()) + "." + knottest.Zone
}

func TestWildcard_OneOrderForAllPreviewsOfAllGateways(t *testing.T) {
	t.Parallel()
	domain, store := domainOf("shared"), newStore(t)
	one := newPreviews(t, domain, func(o *certificates.Options, _ map[string]string) { o.Assets, o.MaxOrders = store, 1 })
	two := newPreviews(t, domain, func(o *certificates.Options, _ map[string]string) { o.Assets, o.ACME = store, one.account() })
	serial, err := one.visit("shop."+domain, one.ca.Roots)
	require.NoError(t, err, "whoever comes meanwhile waits")
	for _, p := range []*previews{one, two} {
		for _, label := range []string{"shop", "0a1b2c3d-preview", "SHOP"} {
			same, err := p.visit(label+"."+domain, one.ca.Roots)
			require.NoError(t, err)
			require.Equal(t, serial, same)
			require.True(t, p.Has(t.Context(), strings.ToLower(label)+"."+domain))
		}
		require.WithinDuration(t, time.Now(), p.Expires()["wildcard"], 10*365*24*time.Hour)
	}
	require.Equal(t, 1, one.ca.Orders())
	require.Equal(t, 1, one.outcomes()["issued"]+two.outcomes()["issued"])
	require.Empty(t, one.names.TXT(t, "_acme-challenge."+domain), "the record is gone")

	custom := domainOf("custom")
	other, err := one.visit(custom, one.ca.Roots)
	require.NoError(t, err, "people's domains are ordered when they are visited, and the wildcard is none of MaxOrders")
	require.NotEqual(t, serial, other)
	require.Equal(t, 2, one.ca.Orders())
	stored, err := certificates.Stored(t.Context(), store, []string{"*." + domain, "shop." + domain, custom})
	require.NoError(t, err)
	require.Len(t, stored, 2)
	require.Equal(t, serial, stored["*."+domain].SerialNumber.String())
	for _, p := range []*previews{one, two} {
		require.NotContains(t, p.log.String(), p.names.Secret)
	}
}

func TestWildcard_AProviderThatRefuses(t *testing.T) {
	t.Parallel()
	domain, store := domainOf("refused"), newStore(t)
	p := newPreviews(t, domain, func(o *certificates.Options, credentials map[string]string) {
		o.Assets, credentials["DNSUPDATE_TSIG_KEY"] = store, "nobody"
	})
	for range 5 {
		_, err := p.visit("shop."+domain, p.ca.Roots)
		require.Error(t, err)
		require.False(t, p.Has(t.Context(), "shop."+domain))
	}
	require.Equal(t, 1, p.ca.Orders(), "neither again at once, nor for the name alone")
	require.Zero(t, p.ca.Finalized())
	require.Equal(t, map[string]int{"failed": 1}, p.outcomes())
	require.Eventually(t, func() bool {
		return strings.Contains(p.log.String(), "the certificate of all previews was not had")
	}, time.Minute, 20*time.Millisecond)
	require.Equal(t, time.Unix(0, 0), p.Expires()["wildcard"], "an alert sees that there is none")
	require.Contains(t, p.log.String(), "NOTAUTH")
	require.NotContains(t, p.log.String(), p.names.Secret)
	failure, err := certificates.WildcardFailure(t.Context(), store, domain)
	require.NoError(t, err)
	require.Contains(t, failure, "refuses to change _acme-challenge."+domain)

	custom := domainOf("custom")
	_, err = p.visit(custom, p.ca.Roots)
	require.NoError(t, err)

	healed := newPreviews(t, domain, func(o *certificates.Options, _ map[string]string) { o.Assets = store })
	_, err = healed.visit("shop."+domain, healed.ca.Roots)
	require.NoError(t, err)
	failure, err = certificates.WildcardFailure(t.Context(), store, domain)
	require.NoError(t, err)
	require.Empty(t, failure)
}

func TestWildcard_IsRenewedWithoutVisitors(t *testing.T) {
	t.Parallel()
	domain := domainOf("renewed")
	p := newPreviews(t, domain, func(o *certificates.Options, _ map[string]string) {
		o.RenewalShare, o.RenewalLooks = 1-1e-9, 50*time.Millisecond
	})
	first, err := p.visit("shop."+domain, p.ca.Roots)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.outcomes()["renewed"] > 0 }, time.Minute, 20*time.Millisecond)
	require.Eventually(t, func() bool {
		now, err := p.visit("shop."+domain, p.ca.Roots)
		return err == nil && now != first
	}, time.Minute, 20*time.Millisecond)
	require.Equal(t, 1, p.outcomes()["issued"])
	require.Zero(t, p.outcomes()["failed"], p.log)
}

// What was ordered before is served at once by a gateway that starts while the CA is away.
func TestWildcard_ACAThatIsAway(t *testing.T) {
	t.Parallel()
	domain, store := domainOf("away"), newStore(t)
	before := newPreviews(t, domain, func(o *certificates.Options, _ map[string]string) { o.Assets = store })
	serial, err := before.visit("shop."+domain, before.ca.Roots)
	require.NoError(t, err)
	after := newPreviews(t, domain, func(o *certificates.Options, _ map[string]string) {
		o.Assets, o.ACME = store, before.account()
		o.ACME.CAFile = "" // it does not trust the directory
	})
	same, err := after.visit("shop."+domain, before.ca.Roots)
	require.NoError(t, err)
	require.Equal(t, serial, same)
	require.True(t, after.Has(t.Context(), "shop."+domain))
}

// A wildcard that nothing renews any more serves nobody: each name has a certificate of its own then.
func TestWildcard_IsServedNoLongerOnceItIsNotWanted(t *testing.T) {
	t.Parallel()
	domain, store := domainOf("unwanted"), newStore(t)
	before := newPreviews(t, domain, func(o *certificates.Options, _ map[string]string) { o.Assets = store })
	shared, err := before.visit("shop."+domain, before.ca.Roots)
	require.NoError(t, err)
	after := newFront(t, func(o *certificates.Options) { o.Assets, o.ACME = store, before.account() }) // its CA asks the first one
	own, err := after.visit("shop."+domain, before.ca.Roots)
	require.NoError(t, err)
	require.NotEqual(t, shared, own)
}

// noRoom is a store that keeps no wildcard.
type noRoom struct{ certificates.Assets }

func (s noRoom) SaveAsset(ctx context.Context, key string, value []byte) error {
	if strings.Contains(key, "wildcard_.") {
		return errors.New("no room")
	}
	return s.Assets.SaveAsset(ctx, key, value)
}

// What the CA gives and nobody can keep is not asked for again at once: CAs count what they give.
func TestWildcard_OneThatCannotBeKept(t *testing.T) {
	t.Parallel()
	p := newPreviews(t, domainOf("unkept"), func(o *certificates.Options, _ map[string]string) { o.Assets = noRoom{newStore(t)} })
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "again_in=") }, time.Minute, 20*time.Millisecond)
	require.NotContains(t, p.log.String(), "again_in=5s")
	require.Equal(t, 1, p.ca.Orders())
}

func TestWildcard_AStrangerDoesNotWaitForIt(t *testing.T) {
	t.Parallel()
	f := newFront(t, func(o *certificates.Options) { // which nobody orders here
		o.Domain, o.DNS01 = "example.test", struct{ acmez.Solver }{}
	})
	begun := time.Now()
	_, err := f.visit("stranger.example.test", f.ca.Roots)
	require.Error(t, err)
	require.Less(t, time.Since(begun), time.Minute, "visitors of previews wait longer")
}
