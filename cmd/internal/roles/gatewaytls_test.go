package roles_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/certificates/acmetest"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/dnsproof/knottest"
	"github.com/slipway-dev/slipway/internal/domains/domainstest"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
)

// asGateway is what a test sets to have its own program run `slipway gateway`: certmagic shares what is under way in a process, and so
// several gateways are several processes.
const asGateway = "SLIPWAY_TEST_GATEWAY"

func runAsGateway() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	g, err := config.LoadGateway(config.Environ())
	if err == nil {
		err = roles.RunGateway(ctx, g, "test", slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// tlsWorld is an installation with an app that is live, whose previews are below <name>.example.test.
type tlsWorld struct {
	t      *testing.T
	domain string
	dir    string
	store  *postgres.Store
	dns    *domainstest.Server
	live   deployment.Deployment
	log    *logged
}

func newTLSWorld(t *testing.T, name string) *tlsWorld {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Header.Get("X-Forwarded-Proto"), r.Host)
	}))
	t.Cleanup(app.Close)
	w := &tlsWorld{t: t, domain: name + ".example.test", dir: t.TempDir(), dns: domainstest.New(t), log: &logged{}}
	keys, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(w.dir, "keyset.json")})
	require.NoError(t, err)
	w.store = postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: w.domain, Cipher: keys})
	project, err := w.store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: "https://git.example.com/shop"}.WithDefaults())
	require.NoError(t, err)
	w.live = goLive(t, w.store, project, "production", strings.TrimPrefix(app.URL, "http://"))
	for _, host := range []string{w.live.EnvHost, w.live.PreviewHost} {
		w.dns.Host(host)
	}
	return w
}

// database is where the store is, as settings say it.
func (w *tlsWorld) database() string {
	at := w.store.Pool().Config().ConnConfig
	return "postgres:///" + at.Database + "?user=" + at.User + "&host=" + url.QueryEscape(at.Host)
}

// tlsGateway is one of the world's gateways.
type tlsGateway struct {
	*tlsWorld
	plain, secure, ops string
}

// settings are those of a gateway.
func (w *tlsWorld) settings(mode string, more ...string) (tlsGateway, []string) {
	w.t.Helper()
	g := tlsGateway{w, freeAddr(w.t), freeAddr(w.t), freeAddr(w.t)}
	return g, append([]string{
		"SLIPWAY_DATA_DIR=" + w.dir, "SLIPWAY_DATABASE_URL=" + w.database(), "SLIPWAY_PREVIEW_DOMAIN=" + w.domain,
		"SLIPWAY_GATEWAY_ADDR=" + g.plain, "SLIPWAY_TLS_ADDR=" + g.secure, "SLIPWAY_OPS_ADDR=" + g.ops, "SLIPWAY_TLS=" + mode, "SLIPWAY_SHUTDOWN_TIMEOUT=1s",
	}, more...)
}

// begin runs a gateway in this process.
func (g tlsGateway) begin(settings []string) {
	g.t.Helper()
	c, err := config.LoadGateway(settings)
	require.NoError(g.t, err)
	start(g.t, g.ops, map[string]string{"postgres": "ok", "schema": "ok", "gateway": "ok", "gateway_tls": "ok"}, func(ctx context.Context) error {
		return roles.RunGateway(ctx, c, "1", slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	})
}

// beginApart runs a gateway in a process of its own.
func (g tlsGateway) beginApart(settings []string) {
	g.t.Helper()
	self, err := os.Executable()
	require.NoError(g.t, err)
	command := exec.Command(self)
	command.Env, command.Stderr = append(settings, asGateway+"=1"), g.log
	require.NoError(g.t, command.Start())
	g.t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		require.NoError(g.t, command.Wait(), g.log)
	})
	require.Eventually(g.t, func() bool {
		conn, err := net.Dial("tcp", g.secure)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, time.Minute, 20*time.Millisecond)
}

// seen is what remains of a response once its body is read.
type seen struct {
	StatusCode, ProtoMajor int
	Header                 http.Header
	TLS                    *tls.ConnectionState
}

// get visits a URL, whose host leads to the gateway; redirects are not followed.
func (g tlsGateway) get(target string, roots *x509.CertPool, http2 bool) (seen, string, error) {
	g.t.Helper()
	u, err := url.Parse(target)
	require.NoError(g.t, err)
	addr := g.secure
	if u.Scheme == "http" {
		addr = g.plain
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	if !http2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, target, nil)
	require.NoError(g.t, err)
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return seen{}, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return seen{answer.StatusCode, answer.ProtoMajor, answer.Header, answer.TLS}, string(body), err
}

// requireServed requires that a host name is served by TLS, by HTTP/2 and 1.1, and that its plain address leads there.
func (g tlsGateway) requireServed(host string, roots *x509.CertPool) {
	g.t.Helper()
	for _, http2 := range []bool{true, false} {
		answer, body, err := g.get("https://"+host+"/", roots, http2)
		require.NoError(g.t, err)
		require.Equal(g.t, "https "+host, body)
		require.Equal(g.t, http2, answer.ProtoMajor == 2)
		require.Empty(g.t, answer.Header.Get("Strict-Transport-Security"), "that is the app's to decide")
	}
	answer, _, err := g.get("http://"+host+"//a%2Fb?x=y&z", roots, false)
	require.NoError(g.t, err)
	require.Equal(g.t, http.StatusPermanentRedirect, answer.StatusCode)
	_, port, _ := net.SplitHostPort(g.secure)
	require.Equal(g.t, "https://"+host+":"+port+"//a%2Fb?x=y&z", answer.Header.Get("Location"))
}

// requireRefused requires that there is no certificate for a host name.
func (g tlsGateway) requireRefused(host string) {
	g.t.Helper()
	conn, err := tls.Dial("tcp", g.secure, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err == nil {
		conn.Close()
	}
	require.Error(g.t, err, host)
}

// domainOf adds a domain to what is live.
func (w *tlsWorld) domainOf(name string) deployment.Domain {
	w.t.Helper()
	d, _, err := w.store.AddDomain(w.t.Context(), w.live.EnvironmentID, name, "token")
	require.NoError(w.t, err)
	w.dns.Host(name)
	return d
}

func (w *tlsWorld) verify(d deployment.Domain) {
	w.t.Helper()
	_, err := w.store.VerifyDomain(w.t.Context(), d)
	require.NoError(w.t, err)
}

func TestGatewayTLS_ACME(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{certificates.ChallengeHTTP, certificates.ChallengeTLS} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			w := newTLSWorld(t, challenge)
			g, settings := w.settings("acme", "SLIPWAY_ACME_CHALLENGES="+challenge)
			ca := acmetest.Start(t, acmetest.Options{HTTP: g.plain, TLS: g.secure, DNS: w.dns.Addr})
			g.begin(append(settings, "SLIPWAY_ACME_DIRECTORY="+ca.Directory, "SLIPWAY_ACME_CA_FILE="+ca.CAFile))

			_, body, err := g.get("http://"+w.live.EnvHost+"/", nil, false)
			require.NoError(t, err)
			require.Equal(t, "http "+w.live.EnvHost, body, "without a certificate it is served as it came")
			for _, stranger := range []string{"", "nobody-preview." + w.domain, w.domain, "www.example.org", "192.0.2.1"} {
				g.requireRefused(stranger)
			}
			require.Zero(t, ca.Orders())
			g.requireServed(w.live.EnvHost, ca.Roots)
			g.requireServed(w.live.PreviewHost, ca.Roots)
			require.Equal(t, 2, ca.Orders())

			d := w.domainOf("shop-" + challenge + ".example.org")
			g.requireRefused(d.Name)
			answer, _, err := g.get("http://"+d.Name+"/", nil, false)
			require.NoError(t, err)
			require.Equal(t, http.StatusNotFound, answer.StatusCode)
			require.Equal(t, 2, ca.Orders())
			w.verify(d)
			g.requireServed(d.Name, ca.Roots)
			require.Equal(t, 3, ca.Orders())
			require.NoError(t, w.store.DeleteDomain(t.Context(), d.EnvironmentID, d.Name))
			require.Eventually(t, func() bool {
				answer, _, err := g.get("http://"+d.Name+"/", nil, false)
				return err == nil && answer.StatusCode == http.StatusNotFound
			}, time.Minute, 20*time.Millisecond)

			w.requireKeysAreSealed()
			metrics := metricsOf(t, g.ops)
			require.Contains(t, metrics, `slipway_certificate_orders_total{outcome="issued"} 3`)
			require.Contains(t, metrics, `slipway_certificate_expiry_timestamp_seconds{source="issued"}`)
		})
	}
}

// requireKeysAreSealed looks for keys in the table, and in the log.
func (w *tlsWorld) requireKeysAreSealed() {
	w.t.Helper()
	keys, err := w.store.AssetKeys(w.t.Context(), "certificates")
	require.NoError(w.t, err)
	var dump strings.Builder
	rows, err := w.store.Pool().Query(w.t.Context(), "SELECT encode(value, 'escape') FROM tls_assets")
	require.NoError(w.t, err)
	for rows.Next() {
		var value string
		require.NoError(w.t, rows.Scan(&value))
		dump.WriteString(value)
	}
	require.NoError(w.t, rows.Err())
	found := 0
	for _, key := range keys {
		value, err := w.store.Asset(w.t.Context(), key)
		require.NoError(w.t, err)
		if strings.HasSuffix(key, ".key") {
			found++
			secret := strings.Split(string(value), "\n")[1]
			require.Greater(w.t, len(secret), 40)
			require.NotContains(w.t, dump.String(), secret)
			require.NotContains(w.t, w.log.String(), secret)
		}
	}
	require.Positive(w.t, found)
	for _, place := range []string{dump.String(), w.log.String()} {
		require.NotContains(w.t, place, "PRIVATE KEY")
		require.NotContains(w.t, place, "BEGIN CERTIFICATE")
	}
}

// The CA reaches one gateway alone. Whichever of them orders, that one shows it what it looks for, and both have the same certificate.
func TestGatewayTLS_TwoGatewaysOrderOneCertificate(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t, "two")
	reached, first := w.settings("acme")
	other, second := w.settings("acme")
	ca := acmetest.Start(t, acmetest.Options{HTTP: reached.plain, TLS: reached.secure, DNS: w.dns.Addr})
	issuer := []string{"SLIPWAY_ACME_DIRECTORY=" + ca.Directory, "SLIPWAY_ACME_CA_FILE=" + ca.CAFile}
	reached.beginApart(append(first, issuer...))
	other.beginApart(append(second, issuer...))

	serials := make(chan string, 8)
	for i := range cap(serials) {
		g := []tlsGateway{reached, other}[i%2]
		go func() {
			answer, body, err := g.get("https://"+w.live.EnvHost+"/", ca.Roots, true)
			if err != nil {
				serials <- err.Error()
				return
			}
			serials <- body + answer.TLS.PeerCertificates[0].SerialNumber.String()
		}()
	}
	one := <-serials
	require.Contains(t, one, "https "+w.live.EnvHost)
	for range cap(serials) - 1 {
		require.Equal(t, one, <-serials)
	}
	require.Equal(t, 1, ca.Orders())

	other.requireServed(w.live.PreviewHost, ca.Roots)
	reached.requireServed(w.live.PreviewHost, ca.Roots)
	require.Equal(t, 2, ca.Orders(), "the one that the CA does not reach orders too")
}

// One certificate serves all previews, whether a name is known or not; people's domains have their own.
func TestGatewayTLS_Wildcard(t *testing.T) {
	t.Parallel()
	names := knottest.Shared(t)
	roles.SetZonePort(names.Port)
	w := newTLSWorld(t, "wildcard")
	credentials := filepath.Join(w.dir, "dns")
	var lines strings.Builder
	for name, value := range names.Credentials(knottest.Key) {
		fmt.Fprintf(&lines, "%s=%s\n", name, value)
	}
	require.NoError(t, os.WriteFile(credentials, []byte(lines.String()), 0o600))
	g, settings := w.settings("acme", "SLIPWAY_ACME_DNS_PROVIDER=rfc2136", "SLIPWAY_ACME_DNS_CREDENTIALS_FILE="+credentials, "SLIPWAY_DNS_SERVERS="+names.Addr)
	ca := acmetest.Start(t, acmetest.Options{HTTP: g.plain, TLS: g.secure, DNS: names.Addr})
	g.begin(append(settings, "SLIPWAY_ACME_DIRECTORY="+ca.Directory, "SLIPWAY_ACME_CA_FILE="+ca.CAFile))
	g.requireServed(w.live.EnvHost, ca.Roots)
	g.requireServed(w.live.PreviewHost, ca.Roots)
	answer, _, err := g.get("https://nobody-preview."+w.domain+"/", ca.Roots, true)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	for _, stranger := range []string{"a.b." + w.domain, w.domain, "www.example.org"} {
		g.requireRefused(stranger)
	}
	require.Equal(t, 1, ca.Orders())

	d := w.domainOf("shop.custom." + knottest.Zone)
	w.verify(d)
	g.requireServed(d.Name, ca.Roots)
	require.Equal(t, 2, ca.Orders())
	w.requireKeysAreSealed()
	require.NotContains(t, w.log.String(), names.Secret)
	metrics := metricsOf(t, g.ops)
	require.Contains(t, metrics, `slipway_certificate_orders_total{outcome="issued"} 2`)
	require.Contains(t, metrics, `slipway_certificate_expiry_timestamp_seconds{source="wildcard"}`)
}

func TestGatewayTLS_Internal(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t, "internal")
	g, settings := w.settings("internal")
	g.begin(settings)
	root, err := certificates.Root(t.Context(), w.store)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(root))
	g.requireServed(w.live.EnvHost, roots)
	g.requireServed(w.live.PreviewHost, roots)
	d := w.domainOf("shop.internal-example.org")
	g.requireRefused(d.Name)
	w.verify(d)
	g.requireServed(d.Name, roots)
	for _, stranger := range []string{"", "nobody-preview." + w.domain, "www.example.org"} {
		g.requireRefused(stranger)
	}
	w.requireKeysAreSealed()

	again, settings := w.settings("internal")
	again.begin(settings)
	again.requireServed(w.live.EnvHost, roots)
	answer, _, err := again.get("https://"+w.live.EnvHost+"/", roots, true)
	require.NoError(t, err)
	leaf := answer.TLS.PeerCertificates[0]
	require.Less(t, leaf.NotAfter.Sub(leaf.NotBefore), 8*24*time.Hour, "short-lived")
}

func TestGatewayTLS_NeedsItsSettings(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t, "settings")
	_, settings := w.settings("internal", "SLIPWAY_DATA_DIR="+t.TempDir())
	c, err := config.LoadGateway(settings)
	require.NoError(t, err)
	require.ErrorContains(t, roles.RunGateway(t.Context(), c, "1", slog.New(slog.DiscardHandler)), "keyset")
	_, settings = w.settings("own", "SLIPWAY_TLS_CERT_FILE=/nowhere/c.pem", "SLIPWAY_TLS_KEY_FILE=/nowhere/k.pem")
	c, err = config.LoadGateway(settings)
	require.NoError(t, err)
	require.Empty(t, c.Postgres.Keyset)
	require.ErrorContains(t, roles.RunGateway(t.Context(), c, "1", slog.New(slog.DiscardHandler)), "SLIPWAY_TLS_CERT_FILE")
}

// What somebody does who brings a domain, from the REST call to a visit by TLS.
func TestGatewayTLS_ADomainFromTheAPIToAVisit(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t, "whole")
	g, settings := w.settings("internal")
	g.begin(settings)
	apiOps := freeAddr(t)
	a, err := config.LoadAPI(append(environ(t), "SLIPWAY_DATA_DIR="+w.dir, "SLIPWAY_DATABASE_URL="+w.database(),
		"SLIPWAY_PREVIEW_DOMAIN="+w.domain, "SLIPWAY_TLS=internal", "SLIPWAY_TLS_ADDR="+g.secure, "SLIPWAY_DNS_SERVERS="+w.dns.Addr, "SLIPWAY_OPS_ADDR="+apiOps))
	require.NoError(t, err)
	token := filepath.Join(w.dir, "admin.token")
	_, err = roles.EnsureAdminToken(t.Context(), w.store, token, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	start(t, apiOps, map[string]string{"postgres": "ok", "schema": "ok", "temporal": "ok"}, func(ctx context.Context) error {
		return roles.RunAPI(ctx, a, "1", slog.New(slog.DiscardHandler))
	})
	secret, err := os.ReadFile(token)
	require.NoError(t, err)
	post := func(path, body string, into any) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.API.Addr+"/v1/environments/"+w.live.EnvironmentID+"/domains"+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(secret)))
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		require.NoError(t, json.NewDecoder(answer.Body).Decode(into))
		return answer.StatusCode
	}
	var added struct {
		URL     string
		Records []struct{ Type, Name, Value string }
	}
	require.Equal(t, http.StatusCreated, post("", `{"name":"shop.whole-example.org"}`, &added))
	_, port, _ := net.SplitHostPort(g.secure)
	require.Equal(t, "https://shop.whole-example.org:"+port, added.URL)
	require.Equal(t, w.live.EnvHost, added.Records[1].Value)
	g.requireRefused("shop.whole-example.org")
	var problem struct{ Code string }
	require.Equal(t, http.StatusConflict, post("/shop.whole-example.org/verify", "", &problem))
	require.Equal(t, "domain_not_verified", problem.Code)
	g.requireRefused("shop.whole-example.org")

	w.dns.TXT(added.Records[0].Name, added.Records[0].Value)
	require.Equal(t, http.StatusOK, post("/shop.whole-example.org/verify", "", &added))
	root, err := certificates.Root(t.Context(), w.store)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(root))
	g.requireServed("shop.whole-example.org", roots)
}
