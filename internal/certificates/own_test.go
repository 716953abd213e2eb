package certificates_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/certificates"
)

// selfSigned returns a certificate for names, and its key, in PEM.
func selfSigned(t *testing.T, serial int64, names ...string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func TestOwnCertificate_IsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	replace := func(path string, data []byte) {
		require.NoError(t, os.WriteFile(path+".new", data, 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	var log bytes.Buffer
	o := certificates.Options{CertFile: certFile, KeyFile: keyFile, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	_, err := certificates.New(o)
	require.ErrorContains(t, err, "SLIPWAY_TLS_CERT_FILE")

	cert, key := selfSigned(t, 1, "*.preview.example.test")
	replace(certFile, cert)
	replace(keyFile, key)
	m, err := certificates.New(o)
	require.NoError(t, err)
	defer m.Close()
	serial := func(name string) int64 {
		found, err := m.TLSConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		require.NoError(t, err)
		return found.Leaf.SerialNumber.Int64()
	}
	require.EqualValues(t, 1, serial("shop.preview.example.test"))
	require.EqualValues(t, 1, serial(""), "who says no name")
	require.True(t, m.Has(t.Context(), "shop.preview.example.test"))
	for _, name := range []string{"preview.example.test", "a.b.preview.example.test", "shop.example.org"} {
		_, err := m.TLSConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		require.ErrorContains(t, err, "does not cover", name)
		require.False(t, m.Has(t.Context(), name))
	}
	require.WithinDuration(t, time.Now().Add(48*time.Hour), m.Expires()["own"], time.Minute)

	cert, key = selfSigned(t, 2, "*.preview.example.test")
	replace(certFile, cert)
	require.EqualValues(t, 1, serial("shop.preview.example.test"), "the key does not fit yet")
	require.Contains(t, log.String(), "the one before is used")
	replace(keyFile, key)
	require.EqualValues(t, 2, serial("shop.preview.example.test"))
	require.NoError(t, os.Remove(certFile))
	require.EqualValues(t, 2, serial("shop.preview.example.test"))
	require.NotContains(t, log.String(), "PRIVATE")
}
