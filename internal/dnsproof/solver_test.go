package dnsproof_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/dnsproof"
	"github.com/slipway-dev/slipway/internal/dnsproof/knottest"
	"github.com/slipway-dev/slipway/internal/domains"
)

// updated is what the test's own program is called with to change a record: server, key and secret.
const updated = "TEST_UPDATED"

// scripted is what it has a shell do, as a child of its own.
const scripted = "TEST_SCRIPTED"

func TestMain(m *testing.M) {
	if with := os.Getenv(updated); with != "" {
		if err := update(strings.Fields(with), os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "no luck:", err, os.Getenv("API_PASSWORD"))
			os.Exit(1)
		}
		os.Exit(0)
	}
	if script := os.Getenv(scripted); script != "" {
		child := exec.Command("/bin/sh", "-c", script)
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if child.Run() != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	knottest.Stop()
	os.Exit(code)
}

// update changes a record as a script or a server of an operator's would.
func update(with []string, verb, name, value string) error {
	m := new(dns.Msg).SetUpdate(knottest.Zone + ".")
	record := []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{value}}}
	switch verb {
	case "present":
		m.Insert(record)
	case "cleanup":
		m.Remove(record)
	default:
		return errors.New("unknown: " + verb)
	}
	m.SetTsig(with[1]+".", dns.HmacSHA256, 300, time.Now().Unix())
	client := dns.Client{Net: "tcp", TsigSecret: map[string]string{with[1] + ".": with[2]}}
	answer, _, err := client.Exchange(m, with[0])
	if err == nil && answer.Rcode != dns.RcodeSuccess {
		err = errors.New(dns.RcodeToString[answer.Rcode])
	}
	return err
}

func asking(servers []string) dnsproof.DNS { return domains.NewResolver(servers) }

// solverOf returns a solver that asks the test's server, and what it logs.
func solverOf(t *testing.T, server *knottest.Server, provider string, credentials map[string]string) (*dnsproof.Solver, *lines) {
	t.Helper()
	log := &lines{}
	s, err := dnsproof.New(dnsproof.Options{
		Provider: provider, Credentials: credentials, Servers: []string{server.Addr}, ZonePort: server.Port, DNS: asking,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	return s, log
}

type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func challengeOf(domain string) acme.Challenge {
	token := rand.Text()
	return acme.Challenge{Type: acme.ChallengeTypeDNS01, Token: token, KeyAuthorization: token + ".thumbprint", Identifier: acme.Identifier{Type: "dns", Value: domain}}
}

// requireProof requires that a record is made beside another one, found, and removed.
func requireProof(t *testing.T, server *knottest.Server, s *dnsproof.Solver, domain, record string) {
	t.Helper()
	c := challengeOf(domain)
	require.NoError(t, update([]string{server.Addr, knottest.Key, server.Secret}, "present", record+".", "of another"))
	require.NoError(t, s.Present(t.Context(), c))
	require.ElementsMatch(t, []string{"of another", c.DNS01KeyAuthorization()}, server.TXT(t, record))
	require.NoError(t, s.Wait(t.Context(), c))
	require.NoError(t, s.CleanUp(t.Context(), c))
	require.Equal(t, []string{"of another"}, server.TXT(t, record))
}

func TestSolver_DynamicUpdates(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	s, _ := solverOf(t, server, "rfc2136", server.Credentials(knottest.Key))
	requireProof(t, server, s, "updates.example.test", "_acme-challenge.updates.example.test")
}

// The name that the CA asks for may be an alias of one in a zone, or a part of it, that slipway may change.
func TestSolver_ADelegatedName(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	s, _ := solverOf(t, server, "rfc2136", server.Credentials(knottest.DelegatedKey))
	requireProof(t, server, s, "delegated.example.test", "delegated.acme.example.test")
	require.ErrorContains(t, s.Present(t.Context(), challengeOf("other.example.test")), "refuses to change _acme-challenge.other.example.test")
}

func TestSolver_AProgramOfTheOperators(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	self, err := os.Executable()
	require.NoError(t, err)
	credentials := map[string]string{"EXEC_PATH": self, "API_PASSWORD": "hush-hush", updated: strings.Join([]string{server.Addr, knottest.Key, server.Secret}, " ")}
	s, _ := solverOf(t, server, "exec", credentials)
	requireProof(t, server, s, "program.example.test", "_acme-challenge.program.example.test")

	credentials[updated] = server.Addr + " nobody " + server.Secret
	s, log := solverOf(t, server, "exec", credentials)
	err = s.Present(t.Context(), challengeOf("program.example.test"))
	require.ErrorContains(t, err, "present: exit status 1: no luck: ")
	require.NotContains(t, err.Error()+log.String(), "hush-hush")
	require.NotContains(t, err.Error()+log.String(), server.Secret)
}

func TestSolver_AnEndpointOfTheOperators(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ FQDN, Value string }
		name, password, _ := r.BasicAuth()
		err := json.NewDecoder(r.Body).Decode(&asked)
		if err == nil && name+password != "mehush-hush" {
			err = errors.New("who is " + name + " with " + password + "?")
		}
		if err == nil {
			err = update([]string{server.Addr, knottest.Key, server.Secret}, strings.TrimPrefix(r.URL.Path, "/dns/"), asked.FQDN, asked.Value)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	t.Cleanup(endpoint.Close)
	credentials := map[string]string{"HTTPREQ_ENDPOINT": endpoint.URL + "/dns", "HTTPREQ_USERNAME": "me", "HTTPREQ_PASSWORD": "hush-hush"}
	s, _ := solverOf(t, server, "httpreq", credentials)
	requireProof(t, server, s, "endpoint.example.test", "_acme-challenge.endpoint.example.test")

	credentials["HTTPREQ_PASSWORD"] = "mistaken"
	s, log := solverOf(t, server, "httpreq", credentials)
	err := s.Present(t.Context(), challengeOf("endpoint.example.test"))
	require.ErrorContains(t, err, "who is me with ***?")
	require.NotContains(t, log.String(), "mistaken")
}

func TestSolver_AServerThatRefuses(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	for name, change := range map[string]func(map[string]string){
		"key":    func(c map[string]string) { c["DNSUPDATE_TSIG_KEY"] = "nobody" },
		"secret": func(c map[string]string) { c["DNSUPDATE_TSIG_SECRET"] = "d3Jvbmcgc2VjcmV0" },
	} {
		credentials := server.Credentials(knottest.Key)
		change(credentials)
		s, log := solverOf(t, server, "rfc2136", credentials)
		err := s.Present(t.Context(), challengeOf("refused.example.test"))
		require.ErrorContains(t, err, "have rfc2136 make the record _acme-challenge.refused.example.test: "+server.Addr+" refuses to change", name)
		require.ErrorContains(t, err, "NOTAUTH", name)
		require.NotContains(t, err.Error()+log.String(), credentials["DNSUPDATE_TSIG_SECRET"])
	}
	require.Empty(t, server.TXT(t, "_acme-challenge.refused.example.test"))
}

// A record that is not made at once is waited for, and what does not come in time is an error that says which server lacks it.
func TestSolver_WaitsForTheZonesServers(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	s, _ := solverOf(t, server, "rfc2136", server.Credentials(knottest.Key))
	c := challengeOf("waits.example.test")
	found := make(chan error, 1)
	go func() { found <- s.Wait(t.Context(), c) }()
	require.NoError(t, s.Present(t.Context(), c))
	require.NoError(t, <-found)
	require.NoError(t, s.CleanUp(t.Context(), c))

	s.SetLimit(50 * time.Millisecond)
	require.ErrorContains(t, s.Wait(t.Context(), c), "the record _acme-challenge.waits.example.test at the zone's servers: ns.example.test does not have it")
	lost, _ := solverOf(t, server, "rfc2136", server.Credentials(knottest.Key))
	lost.SetLimit(50 * time.Millisecond)
	require.ErrorContains(t, lost.Wait(t.Context(), challengeOf("example.org")), "find the servers of _acme-challenge.example.org: ask DNS for _acme-challenge.example.org: ")
}

func TestNew_EachProviderIsMadeOfWhatItNeeds(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	for name, needs := range config.DNSProviders() {
		credentials := map[string]string{}
		for _, n := range needs {
			credentials[n] = "aGVsbG8="
		}
		for n, value := range map[string]string{"EXEC_PATH": "/bin/true", "HTTPREQ_ENDPOINT": "https://dns.example.com", "ACME_DNS_API_BASE": "https://dns.example.com"} {
			if credentials[n] != "" {
				credentials[n] = value
			}
		}
		solverOf(t, server, name, credentials)
	}
	for fault, set := range map[string][3]string{
		"EXEC_PATH: ":                         {"exec", "EXEC_PATH", "/nowhere/hook"},
		"HTTPREQ_ENDPOINT is no URL":          {"httpreq", "HTTPREQ_ENDPOINT", "https://me:hush-hush@a b"},
		"ACME_DNS_API_BASE is no URL":         {"acme-dns", "ACME_DNS_API_BASE", "https://me:hush-hush@a b"},
		"DNSUPDATE_TSIG_SECRET is not base64": {"rfc2136", "DNSUPDATE_TSIG_SECRET", "hush-hush"},
	} {
		_, err := dnsproof.New(dnsproof.Options{Provider: set[0], Credentials: map[string]string{set[1]: set[2]}, Servers: []string{server.Addr}, DNS: asking, Logger: slog.New(slog.DiscardHandler)})
		require.ErrorContains(t, err, "set up "+set[0]+" from SLIPWAY_ACME_DNS_CREDENTIALS_FILE: "+fault)
		require.NotContains(t, err.Error(), "hush")
	}
}
