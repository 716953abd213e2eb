// Package acmetest runs a CA that speaks ACME, Let's Encrypt's pebble, for tests of who orders certificates.
package acmetest

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/stretchr/testify/require"
)

// CA issues certificates to whoever shows it that a name leads to them.
type CA struct {
	Directory string         // URL
	CAFile    string         // what the directory's own certificate is checked with
	Roots     *x509.CertPool // what its certificates are checked with

	orders, finalized atomic.Int64
}

// Options say whom a CA believes.
type Options struct {
	HTTP, TLS string // host:port where names are looked for, instead of at ports 80 and 443
	DNS       string // host:port of the server that knows where names lead

	EABKeyID, EABKey string // that an account needs; empty for none
}

// pebble waits some seconds before each look otherwise; it reads this when it starts.
func init() { _ = os.Setenv("PEBBLE_VA_NOSLEEP", "1") }

// Start runs a CA until the test ends.
func Start(t *testing.T, o Options) *CA {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	if o.EABKeyID != "" {
		require.NoError(t, store.AddExternalAccountKeyByID(o.EABKeyID, o.EABKey))
	}
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	looker := va.New(quiet, port(t, o.HTTP), port(t, o.TLS), false, o.DNS, store)
	front := wfe.New(quiet, store, looker, authority, []string{"ca.example.test"}, false, o.EABKeyID != "", 1, 1)
	c := &CA{Roots: x509.NewCertPool()}
	c.Roots.AddCert(authority.GetRootCert(0).Cert)
	handler := front.Handler()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &noted{ResponseWriter: w}
		handler.ServeHTTP(answer, r)
		switch { // pebble refuses some requests for nothing, which are sent again
		case r.URL.Path == "/order-plz" && answer.status == http.StatusCreated:
			c.orders.Add(1)
		case strings.HasPrefix(r.URL.Path, "/finalize-order/") && answer.status == http.StatusOK:
			c.finalized.Add(1)
		}
	}))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	c.Directory, c.CAFile = server.URL+wfe.DirectoryPath, filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(c.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	return c
}

// noted is an answer whose status is known.
type noted struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Orders counts what was ordered, whatever came of it.
func (c *CA) Orders() int { return int(c.orders.Load()) }

// Finalized counts the orders that were met, as far as the CA is concerned.
func (c *CA) Finalized() int { return int(c.finalized.Load()) }

func port(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}
