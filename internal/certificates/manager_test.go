package certificates_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/certificates/acmetest"
	"github.com/slipway-dev/slipway/internal/domains/domainstest"
)

// front is a server that takes its certificates from a Manager, and the CA that those are from. certmagic knows of what is under way by its
// name, in a whole process: each test has names of its own.
type front struct {
	*certificates.Manager
	t      *testing.T
	addr   string
	ca     *acmetest.CA
	dns    *domainstest.Server
	log    *syncBuffer
	mu     sync.Mutex
	counts map[string]int // outcomes of orders
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var errStranger = errors.New("nobody's")

// newFront serves TLS; every name but "stranger.example.test" is allowed.
func newFront(t *testing.T, change func(*certificates.Options)) *front {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &front{t: t, addr: secure.Addr().String(), dns: domainstest.New(t), log: &syncBuffer{}, counts: map[string]int{}}
	f.ca = acmetest.Start(t, acmetest.Options{HTTP: plain.Addr().String(), TLS: f.addr, DNS: f.dns.Addr})
	o := certificates.Options{
		Assets: newStore(t), Issuer: certificates.IssuerACME, Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		ACME: f.account(), HTTP: plain.Addr(), TLS: secure.Addr(),
		Allow: func(_ context.Context, name string) error {
			if name == "stranger.example.test" {
				return errStranger
			}
			return nil
		},
		Ordered: func(outcome string) { f.mu.Lock(); defer f.mu.Unlock(); f.counts[outcome]++ },
	}
	if change != nil {
		change(&o)
	}
	f.Manager, err = certificates.New(o)
	require.NoError(t, err)
	challenges := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.HandleChallenge(w, r) {
			http.NotFound(w, r)
		}
	})}
	server := &http.Server{Handler: http.NotFoundHandler(), TLSConfig: f.TLSConfig(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	for _, serve := range []func() error{func() error { return challenges.Serve(plain) }, func() error { return server.ServeTLS(secure, "", "") }} {
		ended := make(chan error, 1)
		go func() { ended <- serve() }()
		t.Cleanup(func() { require.ErrorIs(t, <-ended, http.ErrServerClosed) })
	}
	t.Cleanup(func() {
		_ = challenges.Close()
		_ = server.Close()
		f.Close()
	})
	return f
}

// account says how the CA is asked. certmagic takes an account's address from whichever manager of the process had one first: with one
// of its own, no manager of a test takes another's.
func (f *front) account() certificates.ACME {
	return certificates.ACME{Directory: f.ca.Directory, CAFile: f.ca.CAFile, Email: "ops@example.test"}
}

// visit shakes hands as a visitor of a name, and returns the serial number of the certificate.
func (f *front) visit(name string, roots *x509.CertPool) (string, error) {
	d := tls.Dialer{Config: &tls.Config{ServerName: name, RootCAs: roots}}
	conn, err := d.DialContext(f.t.Context(), "tcp", f.addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

func (f *front) outcomes() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.counts)
}

func TestManager_ACertificateIsRenewedWhileItIsUsed(t *testing.T) {
	t.Parallel()
	f := newFront(t, func(o *certificates.Options) { o.RenewalShare = 1 - 1e-9 }) // at once
	name := "renewed-" + strings.ToLower(rand.Text()) + ".example.test"           // certmagic shares what is under way in a process, and this goes on
	f.dns.Host(name)
	first, err := f.visit(name, f.ca.Roots)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := f.visit(name, f.ca.Roots)
		return err == nil && now != first
	}, time.Minute, 20*time.Millisecond)
	require.Equal(t, 1, f.outcomes()["issued"])
	require.Positive(t, f.outcomes()["renewed"])
	require.NotContains(t, f.log.String(), "PRIVATE KEY")
}

// A CA refuses an order that is said to replace the certificate of another account.
func TestManager_AnotherAccountRenews(t *testing.T) {
	t.Parallel()
	name := "moved-" + strings.ToLower(rand.Text()) + ".example.test" // renewals of a test that ran before may be under way
	store := newStore(t)
	before := newFront(t, func(o *certificates.Options) { o.Assets = store })
	before.dns.Host(name)
	first, err := before.visit(name, before.ca.Roots)
	require.NoError(t, err)
	after := newFront(t, func(o *certificates.Options) {
		o.Assets, o.ACME, o.RenewalShare = store, before.account(), 1-1e-9
		o.ACME.Email = "others@example.test"
	})
	require.Eventually(t, func() bool {
		now, err := after.visit(name, before.ca.Roots)
		if err != nil {
			t.Errorf("a visitor sees an error: %v", err)
		}
		return err != nil || now != first
	}, time.Minute, 20*time.Millisecond)
	require.Zero(t, after.outcomes()["failed"], after.log)
	require.Positive(t, after.outcomes()["renewed"])
	accounts, err := store.AssetKeys(t.Context(), "acme")
	require.NoError(t, err)
	require.Contains(t, strings.Join(accounts, " "), "/others@example.test/")
}

func TestManager_WhatFailsIsNotOrderedAgainAtOnce(t *testing.T) {
	t.Parallel()
	f := newFront(t, nil) // DNS does not know the name: the CA cannot find us
	begun := time.Now()
	_, err := f.visit("lost.example.test", f.ca.Roots)
	require.Error(t, err)
	require.Equal(t, 1, f.outcomes()["failed"])
	orders := f.ca.Orders()
	require.Positive(t, orders)
	for range 5 {
		_, err = f.visit("lost.example.test", f.ca.Roots)
		require.Error(t, err)
	}
	require.Equal(t, orders, f.ca.Orders())
	require.Zero(t, f.ca.Finalized())
	require.Less(t, time.Since(begun), 50*time.Second, "nobody waits for a second attempt")
	require.Contains(t, f.log.String(), "got no certificate")
	require.False(t, f.Has(t.Context(), "lost.example.test"))

	_, err = f.visit("stranger.example.test", f.ca.Roots)
	require.Error(t, err)
	require.Equal(t, orders, f.ca.Orders())
	require.NotContains(t, f.dns.Asked(), "A stranger.example.test")
}

func TestManager_ACAThatIsAwayIsNoneOfItsVisitorsBusiness(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	f := newFront(t, func(o *certificates.Options) { o.Assets = store })
	f.dns.Host("away.example.test")
	serial, err := f.visit("away.example.test", f.ca.Roots)
	require.NoError(t, err)

	away := newFront(t, func(o *certificates.Options) {
		o.Assets = store
		o.ACME = f.account()
		o.ACME.CAFile = "" // it does not trust the directory: nothing can be ordered
	})
	same, err := away.visit("away.example.test", f.ca.Roots)
	require.NoError(t, err, "what another gateway has ordered is in storage")
	require.Equal(t, serial, same)
	require.True(t, away.Has(t.Context(), "away.example.test"))
	stored, err := certificates.Stored(t.Context(), store, []string{"away.example.test", "new.example.test"})
	require.NoError(t, err)
	require.Len(t, stored, 1)
	require.Equal(t, serial, stored["away.example.test"].SerialNumber.String())
	require.False(t, certificates.Overdue(stored["away.example.test"], time.Now()))
	_, err = away.visit("new.example.test", f.ca.Roots)
	require.Error(t, err)
}

func TestManager_SoManyOrders(t *testing.T) {
	t.Parallel()
	f := newFront(t, func(o *certificates.Options) { o.MaxOrders = 1 })
	f.dns.Host("one.example.test")
	f.dns.Host("two.example.test")
	_, err := f.visit("one.example.test", f.ca.Roots)
	require.NoError(t, err)
	_, err = f.visit("two.example.test", f.ca.Roots)
	require.Error(t, err)
	require.Equal(t, 1, f.ca.Orders())
	require.Contains(t, f.log.String(), "SLIPWAY_TLS_MAX_ORDERS")
}

func TestManager_AnAccountOfTheOperators(t *testing.T) {
	t.Parallel()
	key := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))
	dns := domainstest.New(t)
	dns.Host("eab.example.test")
	var closed *acmetest.CA
	for _, with := range []bool{false, true} {
		f := newFront(t, func(o *certificates.Options) {
			closed = acmetest.Start(t, acmetest.Options{HTTP: o.HTTP.String(), TLS: o.TLS.String(), DNS: dns.Addr, EABKeyID: "kid-1", EABKey: key})
			o.ACME = certificates.ACME{Directory: closed.Directory, CAFile: closed.CAFile, Email: "ops@example.test"}
			if with {
				o.ACME.EABKeyID, o.ACME.EABKey = "kid-1", key
			}
		})
		_, err := f.visit("eab.example.test", closed.Roots)
		require.Equal(t, with, err == nil, "%v", err)
	}
}
