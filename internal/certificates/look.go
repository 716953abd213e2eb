package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Reader is the part of Assets that a look needs.
type Reader interface {
	Asset(ctx context.Context, key string) ([]byte, error)
	AssetKeys(ctx context.Context, below string) ([]string, error)
}

// Stored returns the certificates in storage for names: of several for one name, as of two CAs, the one that lasts longest.
func Stored(ctx context.Context, from Reader, names []string) (map[string]*x509.Certificate, error) {
	wanted := map[string]string{} // by what they are called in storage
	for _, name := range names {
		wanted[certmagic.StorageKeys.Safe(name)] = name
	}
	keys, err := from.AssetKeys(ctx, certmagic.StorageKeys.CertsPrefix(""))
	if err != nil {
		return nil, err
	}
	stored := map[string]*x509.Certificate{}
	for _, key := range keys {
		called, is := strings.CutSuffix(path.Base(key), ".crt")
		name := wanted[called]
		if !is || name == "" {
			continue
		}
		found, err := storedAt(ctx, from, key)
		if err != nil {
			return nil, err
		}
		if found != nil && (stored[name] == nil || found.NotAfter.After(stored[name].NotAfter)) {
			stored[name] = found
		}
	}
	return stored, nil
}

// StoredRoot returns the certificate of the installation's own CA; nil when none has been made.
func StoredRoot(ctx context.Context, from Reader) (*x509.Certificate, error) {
	return storedAt(ctx, from, authorityKey)
}

// storedAt reads the first certificate of a value; nil when there is no such value, any more maybe.
func storedAt(ctx context.Context, from Reader, key string) (*x509.Certificate, error) {
	value, err := from.Asset(ctx, key)
	if errors.Is(err, deployment.ErrNotFound) {
		return nil, nil //nolint:nilnil // none is no error
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(value)
	if block == nil {
		return nil, fmt.Errorf("what is stored as %s is no certificate in PEM", key)
	}
	return x509.ParseCertificate(block.Bytes)
}

// Overdue reports whether a certificate in use should have been renewed for a while: the time for it begins when a third of its life is
// left, and half of that has passed.
func Overdue(c *x509.Certificate, now time.Time) bool {
	return c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/6
}
