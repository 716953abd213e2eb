package certificates_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/certificates"
)

func TestRoot_IsMadeOnce(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	made := make(chan []byte, 8)
	for range cap(made) {
		go func() {
			root, err := certificates.Root(t.Context(), store)
			if err != nil {
				root = []byte(err.Error())
			}
			made <- root
		}()
	}
	first := <-made
	for range cap(made) - 1 {
		require.Equal(t, string(first), string(<-made))
	}
	block, rest := pem.Decode(first)
	require.Empty(t, rest, "the certificate alone")
	root, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.True(t, root.IsCA)
	require.Greater(t, time.Until(root.NotAfter), 9*365*24*time.Hour)
	require.NoError(t, root.CheckSignatureFrom(root))
	var row []byte
	require.NoError(t, store.Pool().QueryRow(t.Context(), "SELECT value FROM tls_assets").Scan(&row))
	require.False(t, bytes.Contains(row, []byte("BEGIN")))
}
