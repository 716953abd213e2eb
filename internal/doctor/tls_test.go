package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/certificates/acmetest"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/doctor"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
)

const day = 24 * time.Hour

// selfSigned returns a certificate in PEM that lasts from one time to another, counted from now, and its key.
func selfSigned(t *testing.T, from, to time.Duration, names ...string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// secure is a machine that serves previews below preview.example.test by TLS, whose store is not to be reached.
func secure(t *testing.T, mode string) doctor.Machine {
	t.Helper()
	m := machine(t)
	m.Config.Gateway.Domain, m.Config.Gateway.TLS.Mode, m.Config.Gateway.PublicPort = "preview.example.test", mode, 443
	m.Store = func(context.Context) (doctor.Store, error) { return nil, errors.New("no way there") }
	return m
}

// withFiles has the machine use a certificate of its operator's, and returns where that lies.
func withFiles(t *testing.T, m *doctor.Machine, certificate, key []byte) string {
	t.Helper()
	dir := t.TempDir()
	m.Config.Gateway.TLS.CertFile, m.Config.Gateway.TLS.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(m.Config.Gateway.TLS.CertFile, certificate, 0o600))
	require.NoError(t, os.WriteFile(m.Config.Gateway.TLS.KeyFile, key, 0o600))
	return m.Config.Gateway.TLS.CertFile
}

// withStore gives the machine a store in which two names were visited.
func withStore(t *testing.T, m *doctor.Machine, names ...string) *postgres.Store {
	t.Helper()
	keys, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json")})
	require.NoError(t, err)
	pool := postgrestest.New(t)
	store := postgres.New(pool, postgres.Options{PreviewDomain: m.Config.Gateway.Domain, Cipher: keys})
	p, err := store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: "https://git.example.com/shop"}.WithDefaults())
	require.NoError(t, err)
	d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: "production"})
	require.NoError(t, err)
	require.NoError(t, store.AddTraffic(t.Context(), []deployment.Traffic{{EnvironmentID: d.EnvironmentID, LastRequestAt: time.Now()}}))
	for _, name := range names {
		domain, _, err := store.AddDomain(t.Context(), d.EnvironmentID, name, "token")
		require.NoError(t, err)
		_, err = store.VerifyDomain(t.Context(), domain)
		require.NoError(t, err)
	}
	m.Store = func(ctx context.Context) (doctor.Store, error) {
		return postgres.Open(ctx, pool.Config().ConnString(), postgres.Options{PreviewDomain: m.Config.Gateway.Domain, Cipher: keys})
	}
	return store
}

func look(t *testing.T, m doctor.Machine) []doctor.Finding {
	t.Helper()
	found := doctor.Run(t.Context(), m, []string{"tls"})
	wellFormed(t, found)
	return found
}

func TestTLSIsOff(t *testing.T) {
	t.Parallel()
	require.Equal(t, doctor.Skipped, find(t, secure(t, config.TLSOff), "tls").Status)
}

func TestTLSWithACertificateOfOnesOwn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, to time.Duration
		names    []string
		want     [2]doctor.Status // of its time, and of what it covers
		says     [2]string
	}{
		"good":           {-day, 60 * day, []string{"*.preview.example.test"}, [2]doctor.Status{doctor.OK, doctor.OK}, [2]string{"valid until", "covers *.preview.example.test"}},
		"soon over":      {-day, 10 * day, []string{"*.preview.example.test"}, [2]doctor.Status{doctor.Warning, doctor.OK}, [2]string{"expires at", ""}},
		"over":           {-9 * day, -day, []string{"*.preview.example.test"}, [2]doctor.Status{doctor.Failed, doctor.OK}, [2]string{"expired at", ""}},
		"not yet":        {day, 60 * day, []string{"*.preview.example.test"}, [2]doctor.Status{doctor.Failed, doctor.OK}, [2]string{"valid from", ""}},
		"of another":     {-day, 60 * day, []string{"*.example.org"}, [2]doctor.Status{doctor.OK, doctor.Failed}, [2]string{"", "covers no name below SLIPWAY_PREVIEW_DOMAIN preview.example.test, but *.example.org"}},
		"of one preview": {-day, 60 * day, []string{"shop.preview.example.test"}, [2]doctor.Status{doctor.OK, doctor.Warning}, [2]string{"", "covers no preview but shop.preview"}},
	} {
		m := secure(t, config.TLSOwn)
		certificate, key := selfSigned(t, tc.from, tc.to, tc.names...)
		withFiles(t, &m, certificate, key)
		found := look(t, m)
		require.Len(t, found, 3)
		for i := range tc.want {
			require.Equal(t, tc.want[i], found[i].Status, "%s: %s", name, found[i].Detail)
			require.Contains(t, found[i].Detail, tc.says[i], name)
			if tc.want[i] != doctor.OK {
				require.Contains(t, found[i].Fix, "SLIPWAY_TLS_CERT_FILE", name)
			}
		}
		require.Equal(t, doctor.Skipped, found[2].Status, "without the store")
	}
}

func TestTLSWithFilesThatDoNotFit(t *testing.T) {
	t.Parallel()
	m := secure(t, config.TLSOwn)
	certificate, _ := selfSigned(t, -day, day)
	_, key := selfSigned(t, -day, day)
	file := withFiles(t, &m, certificate, key)
	found := look(t, m)
	require.Equal(t, doctor.Failed, found[0].Status)
	require.Contains(t, found[0].Fix, "SLIPWAY_TLS_KEY_FILE")
	require.NoError(t, os.Remove(file))
	require.Contains(t, look(t, m)[0].Detail, file)
}

func TestTLSOfNamesThatAreVisited(t *testing.T) {
	t.Parallel()
	m := secure(t, config.TLSOwn)
	withStore(t, &m, "shop.example.test")
	certificate, key := selfSigned(t, -day, 60*day, "*.preview.example.test")
	withFiles(t, &m, certificate, key)
	found := look(t, m)
	require.Equal(t, doctor.Warning, found[2].Status)
	require.Contains(t, found[2].Detail, "within a day: shop.example.test")
	certificate, key = selfSigned(t, -day, 60*day, "*.preview.example.test", "shop.example.test")
	file := withFiles(t, &m, certificate, key)
	require.Equal(t, doctor.OK, look(t, m)[2].Status)
	require.NoError(t, os.Remove(file))
	found = look(t, m)
	require.Len(t, found, 2)
	require.Equal(t, doctor.Failed, found[0].Status)
	require.Equal(t, doctor.Skipped, found[1].Status, "nothing is known of what it covers")
}

func TestTLSByACME(t *testing.T) {
	t.Parallel()
	free := acmetest.Start(t, acmetest.Options{HTTP: unused(t), TLS: unused(t), DNS: unused(t)})
	key := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	closed := acmetest.Start(t, acmetest.Options{HTTP: unused(t), TLS: unused(t), DNS: unused(t), EABKeyID: "kid-1", EABKey: key})
	for name, tc := range map[string]struct {
		change func(*config.TLS)
		want   doctor.Status
		fix    string
	}{
		"it answers":           {func(*config.TLS) {}, doctor.OK, ""},
		"it is not trusted":    {func(c *config.TLS) { c.CAFile = "" }, doctor.Failed, "SLIPWAY_ACME_CA_FILE"},
		"a file that is none":  {func(c *config.TLS) { c.CAFile = os.Args[0] }, doctor.Failed, "SLIPWAY_ACME_CA_FILE"},
		"nobody is there":      {func(c *config.TLS) { c.Directory = "https://" + unused(t) }, doctor.Failed, "SLIPWAY_ACME_DIRECTORY"},
		"it is something else": {func(c *config.TLS) { c.Directory += "/not" }, doctor.Failed, "SLIPWAY_ACME_DIRECTORY"},
		"it wants a known one": {func(c *config.TLS) { c.Directory, c.CAFile = closed.Directory, closed.CAFile }, doctor.Failed, "SLIPWAY_ACME_EAB_KEY_ID"},
		"and gets a known one": {func(c *config.TLS) { c.Directory, c.CAFile, c.EABKeyID = closed.Directory, closed.CAFile, "kid-1" }, doctor.OK, ""},
	} {
		m := secure(t, config.TLSACME)
		m.Config.Gateway.TLS.Directory, m.Config.Gateway.TLS.CAFile = free.Directory, free.CAFile
		tc.change(&m.Config.Gateway.TLS)
		found := look(t, m)
		require.Equal(t, tc.want, found[0].Status, "%s: %s", name, found[0].Detail)
		require.Contains(t, found[0].Fix, tc.fix, name)
		require.Equal(t, doctor.OK, found[1].Status, found[1].Detail)
	}
	require.Zero(t, free.Orders(), "it only looks")
}

func TestTLSByACMENeedsAWayIn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		challenges []string
		gateway    string
		publicPort int
		want       doctor.Status
		not        string // in the fix
	}{
		"by 443":           {[]string{"http-01", "tls-alpn-01"}, "127.0.0.1:8000", 443, doctor.OK, ""},
		"by 80":            {[]string{"http-01", "tls-alpn-01"}, "0.0.0.0:80", 8443, doctor.OK, ""},
		"by neither":       {[]string{"http-01", "tls-alpn-01"}, "0.0.0.0:8000", 8443, doctor.Warning, "nothing"},
		"by 80, from here": {[]string{"http-01", "tls-alpn-01"}, "127.0.0.1:80", 8443, doctor.Warning, "nothing"},
		"443 is not asked": {[]string{"http-01"}, "0.0.0.0:8000", 443, doctor.Warning, "SLIPWAY_TLS_ADDR"},
		"80 is not asked":  {[]string{"tls-alpn-01"}, "0.0.0.0:80", 8443, doctor.Warning, "SLIPWAY_GATEWAY_ADDR"},
	} {
		m := secure(t, config.TLSACME)
		m.Config.Gateway.TLS.Directory = "https://" + unused(t)
		m.Config.Gateway.TLS.Challenges, m.Config.Gateway.Addr, m.Config.Gateway.PublicPort = tc.challenges, tc.gateway, tc.publicPort
		f := look(t, m)[1]
		require.Equal(t, tc.want, f.Status, "%s: %s", name, f.Detail)
		if tc.not != "" {
			require.NotContains(t, f.Fix, tc.not, name)
		}
	}
}

func TestTLSOfTheInstallationsOwnCA(t *testing.T) {
	t.Parallel()
	m := secure(t, config.TLSInternal)
	store := withStore(t, &m)
	found := look(t, m)
	require.Len(t, found, 2)
	require.Equal(t, doctor.OK, found[0].Status)
	require.Contains(t, found[0].Detail, "is made with its first certificate")
	keys, err := store.AssetKeys(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, keys, "it only looks")
	_, err = certificates.Root(t.Context(), store)
	require.NoError(t, err)
	require.Contains(t, look(t, m)[0].Detail, "CA is valid until")

	dying, key := selfSigned(t, -day, day)
	require.NoError(t, store.SaveAsset(t.Context(), "slipway/ca.pem", append(dying, key...)))
	found = look(t, m)
	require.Equal(t, doctor.Warning, found[0].Status)
	require.NotContains(t, found[0].Detail+found[0].Fix, "PRIVATE")

	other, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json")})
	require.NoError(t, err)
	m.Store = func(ctx context.Context) (doctor.Store, error) {
		return postgres.Open(ctx, store.Pool().Config().ConnString(), postgres.Options{Cipher: other})
	}
	require.Equal(t, doctor.Failed, look(t, m)[0].Status)
	require.Contains(t, look(t, m)[0].Fix, "SLIPWAY_KEYSET_FILE")
}

// A certificate that nobody visits is not renewed; one that is visited should have been.
func TestTLSThatIsNotRenewed(t *testing.T) {
	t.Parallel()
	m := secure(t, config.TLSInternal)
	store := withStore(t, &m, "shop.example.test")
	save := func(issuer, name string, from, to time.Duration) {
		certificate, _ := selfSigned(t, from, to, name)
		require.NoError(t, store.SaveAsset(t.Context(), certmagic.StorageKeys.SiteCert(issuer, name), certificate))
	}
	save("slipway", "quiet.example.test", -80*day, 10*day)
	save("slipway", "shop.example.test", -70*day, 20*day)
	f := look(t, m)[1]
	require.Equal(t, doctor.OK, f.Status, f.Detail)
	require.Contains(t, f.Detail, "visited within a day: 1, none late")
	save("slipway", "shop.example.test", -80*day, 10*day)
	f = look(t, m)[1]
	require.Equal(t, doctor.Warning, f.Status)
	require.Contains(t, f.Detail, "not renewed in time: shop.example.test (until ")
	require.NotContains(t, f.Fix, "SLIPWAY_GATEWAY_ADDR")

	certificate, key := selfSigned(t, -day, 60*day, "*.preview.example.test", "shop.example.test")
	covered := m
	withFiles(t, &covered, certificate, key)
	found := look(t, covered)
	require.Equal(t, doctor.OK, found[len(found)-1].Status, "the operator's own is served")
	save("another CA", "shop.example.test", -day, 89*day)
	require.Equal(t, doctor.OK, look(t, m)[1].Status)
}

func TestTLSByAWildcard(t *testing.T) {
	t.Parallel()
	m := secure(t, config.TLSACME)
	m.Config.Gateway.TLS.Directory, m.Config.Gateway.TLS.Addr, m.Config.Gateway.PublicPort = "https://"+unused(t), "0.0.0.0:8443", 8443
	store := withStore(t, &m)
	f := look(t, m)[2]
	require.Equal(t, doctor.OK, f.Status)
	require.Contains(t, f.Detail, "each preview has a certificate of its own")

	m.Config.Gateway.TLS.DNSProvider = "cloudflare"
	require.Equal(t, doctor.OK, look(t, m)[1].Status, "the CA need not come")
	f = look(t, m)[2]
	require.Equal(t, doctor.Warning, f.Status)
	require.Contains(t, f.Detail, "*.preview.example.test has not been ordered yet")
	refuse := func() {
		require.NoError(t, store.SaveAsset(t.Context(), "slipway/wildcard/preview.example.test", []byte("2026-01-02 12:00:00 UTC: no permission")))
	}
	refuse()
	f = look(t, m)[2]
	require.Equal(t, doctor.Failed, f.Status)
	require.Contains(t, f.Detail, "there is no certificate for *.preview.example.test: 2026-01-02 12:00:00 UTC: no permission")
	require.Contains(t, f.Fix, "SLIPWAY_ACME_DNS_CREDENTIALS_FILE")

	save := func(to time.Duration) {
		certificate, _ := selfSigned(t, -80*day, to, "*.preview.example.test")
		require.NoError(t, store.SaveAsset(t.Context(), certmagic.StorageKeys.SiteCert("ca", "*.preview.example.test"), certificate))
	}
	save(-day)
	f = look(t, m)[2]
	require.Equal(t, doctor.Failed, f.Status)
	require.Contains(t, f.Detail, "has expired at 20")
	save(10 * day)
	f = look(t, m)[2]
	require.Equal(t, doctor.Warning, f.Status)
	require.Contains(t, f.Detail, "not renewed in time: 2026")
	save(40 * day)
	require.Contains(t, look(t, m)[2].Detail, "the last attempt to renew it failed: 2026")
	require.NoError(t, store.DeleteAssets(t.Context(), "slipway/wildcard/preview.example.test"))
	found := look(t, m)
	require.Equal(t, doctor.OK, found[2].Status)
	require.Contains(t, found[2].Detail, "previews share *.preview.example.test, valid until")
	require.Contains(t, found[3].Detail, "visited within a day: 0", "previews are covered")

	certificate, key := selfSigned(t, -day, 60*day, "*.preview.example.test")
	withFiles(t, &m, certificate, key)
	for _, f := range look(t, m) {
		require.NotContains(t, f.Detail, "share", "the operator's own is served")
	}
}
