package certificates

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	authorityKey  = "slipway/ca.pem" // where the CA lies: its certificate, then its key
	authorityLock = "slipway_ca"
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 7 * 24 * time.Hour
	clockSkew     = time.Hour
)

// authority is the installation's own CA, made once. It issues certificates for whatever certmagic was allowed to ask for.
type authority struct {
	storage *Storage

	mu          sync.Mutex
	certificate *x509.Certificate // nil until it was needed
	key         crypto.Signer
}

var _ certmagic.Issuer = (*authority)(nil)

// Root returns the certificate of the installation's own CA in PEM, for those who are to trust it. It is made when there is none.
func Root(ctx context.Context, a Assets) ([]byte, error) {
	ca := &authority{storage: NewStorage(a)}
	if err := ca.open(ctx); err != nil {
		return nil, err
	}
	return pemOf("CERTIFICATE", ca.certificate.Raw), nil
}

// IssuerKey names the CA in storage.
func (a *authority) IssuerKey() string { return "slipway" }

// Issue makes a certificate for the names of a request.
func (a *authority) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	now := time.Now()
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(), DNSNames: request.DNSNames, NotBefore: now.Add(-clockSkew), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}, a.certificate, request.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return &certmagic.IssuedCertificate{Certificate: pemOf("CERTIFICATE", leaf)}, nil
}

// open reads the CA, or makes it.
func (a *authority) open(ctx context.Context) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.certificate != nil {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the installation's CA: %w", err)
		}
	}()
	err = a.load(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := a.storage.Lock(ctx, authorityLock); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.storage.Unlock(context.WithoutCancel(ctx), authorityLock)) }()
	if err = a.load(ctx); !errors.Is(err, fs.ErrNotExist) { // another process was quicker
		return err
	}
	if err := a.create(ctx); err != nil {
		return err
	}
	return a.load(ctx)
}

func (a *authority) load(ctx context.Context) error {
	data, err := a.storage.Load(ctx, authorityKey)
	if err != nil {
		return err
	}
	first, rest := pem.Decode(data)
	second, _ := pem.Decode(rest)
	if first == nil || second == nil {
		return errors.New("what is stored is no certificate with its key")
	}
	certificate, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(second.Bytes)
	if err != nil {
		return err
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return fmt.Errorf("what is stored is a key of type %T", parsed)
	}
	a.certificate, a.key = certificate, key
	return nil
}

func (a *authority) create(ctx context.Context) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "slipway " + now.UTC().Format(time.DateOnly)},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(authorityLife), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return a.storage.Store(ctx, authorityKey, append(pemOf("CERTIFICATE", certificate), pemOf("PRIVATE KEY", private)...))
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// serial returns a number that no other certificate has.
func serial() *big.Int {
	n := make([]byte, 16)
	_, _ = rand.Read(n) // it never fails
	n[0] &= 0x7f        // a positive number in 16 bytes
	return new(big.Int).SetBytes(n)
}
