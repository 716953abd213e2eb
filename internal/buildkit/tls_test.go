package buildkit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
)

// authority signs certificates for 127.0.0.1, all of which are for servers and clients alike.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca", true)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// sign writes NAME.pem and NAME.key.
func (a *authority) sign(t *testing.T, name string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: ca, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if ca {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, key
}

// behindTLS puts the shared daemon behind TLS that asks both sides, and returns the address.
func (a *authority) behindTLS(t *testing.T, name string) string {
	t.Helper()
	a.sign(t, name, false)
	own, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
	require.NoError(t, err)
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, NextProtos: []string{"h2"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			outer, err := ln.Accept()
			if err != nil {
				return
			}
			inner, err := net.Dial("unix", strings.TrimPrefix(stack.Address, "unix://"))
			if err != nil {
				_ = outer.Close()
				continue
			}
			both := func(to, from net.Conn) { _, _ = io.Copy(to, from); _ = to.Close(); _ = from.Close() }
			go both(inner, outer)
			go both(outer, inner)
		}
	}()
	return "tcp://" + ln.Addr().String()
}

// The same files open every builder of a pool, and nobody gets in without.
func TestPoolSpeaksMutualTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.sign(t, "worker", false)
	addresses := []string{a.behindTLS(t, "one"), a.behindTLS(t, "two")}
	files := buildkit.Options{CA: a.file("ca.pem"), Cert: a.file("worker.pem"), Key: a.file("worker.key"), RegistryInsecure: true}
	open := func(opts buildkit.Options) *buildkit.Pool {
		p, err := buildkit.NewPool(t.Context(), opts, addresses, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		return p
	}
	p := open(files)
	require.NoError(t, p.Ping(t.Context()))
	for _, s := range p.Status() {
		require.True(t, s.Up, s.Address)
	}
	r, heard := request(t, from+"RUN echo # "+uuid.NewString()+"\n", nil), &transcript{}
	_, err := p.Solve(t.Context(), addresses[1], r, heard)
	require.NoError(t, err, heard.text())

	stranger := newAuthority(t)
	stranger.sign(t, "worker", false)
	for name, opts := range map[string]buildkit.Options{
		"no certificate":      {CA: files.CA},
		"of somebody else":    {CA: files.CA, Cert: stranger.file("worker.pem"), Key: stranger.file("worker.key")},
		"of a server unknown": {CA: stranger.file("ca.pem"), Cert: files.Cert, Key: files.Key},
		"plain":               {},
	} {
		require.Error(t, open(opts).Ping(t.Context()), name)
	}
}
