package roles_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// goLive makes a deployment live at an address.
func goLive(t *testing.T, store *postgres.Store, project deployment.Project, environment, address string) deployment.Deployment {
	t.Helper()
	d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: project, Environment: environment})
	require.NoError(t, err)
	run := "run of " + d.ID
	require.NoError(t, store.BeginRun(t.Context(), d.ID, "", run))
	for _, step := range deployment.Steps() {
		attempt := deployment.StepAttempt{DeploymentID: d.ID, RunID: run, Step: step, Attempt: 1, Host: "host-1"}
		require.NoError(t, store.StepStarted(t.Context(), attempt, time.Now()))
	}
	preview := deployment.Preview{DeploymentID: d.ID, Host: "host-1", ContainerID: d.ID, Container: d.ID, Network: d.ID, Address: address}
	_, err = store.SwitchRoute(t.Context(), run, preview)
	require.NoError(t, err)
	return d
}

// gatewayOn runs `slipway gateway` on a database and returns how it answers for a host name, and its listener for operators.
func gatewayOn(t *testing.T, url string) (ask func(host string) (int, string), ops string) {
	t.Helper()
	ask, ops, _ = gatewayUntil(t, url)
	return ask, ops
}

// gatewayUntil runs `slipway gateway` until stop is called, at the latest until the test ends.
func gatewayUntil(t *testing.T, url string) (ask func(host string) (int, string), ops string, stop func()) {
	t.Helper()
	ops = freeAddr(t)
	g, err := config.LoadGateway(append(environ(t), "SLIPWAY_OPS_ADDR="+ops))
	require.NoError(t, err)
	g.Postgres.URL = url
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- roles.RunGateway(ctx, g, "1", slog.New(slog.DiscardHandler)) }()
	stop = sync.OnceFunc(func() { end(); require.NoError(t, <-ended) })
	t.Cleanup(stop)
	return func(host string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.Gateway.Addr, nil)
		require.NoError(t, err)
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(body)
	}, ops, stop
}

func TestGateway_KeepsItsRoutesWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "app") }))
	defer app.Close()
	address := strings.TrimPrefix(app.URL, "http://")
	own := postgrestest.NewOwn(t)
	store := own.Open(postgres.Options{PreviewDomain: "localhost"})
	project, err := store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: "https://git.example.com/shop"}.WithDefaults())
	require.NoError(t, err)
	before := goLive(t, store, project, "production", address)
	url := store.Pool().Config().ConnString()

	ask, ops := gatewayOn(t, url)
	unanswered := func(host string) bool { status, _ := ask(host); return status == http.StatusServiceUnavailable }
	require.Eventually(t, func() bool { status, _ := ask("nobody-preview.localhost"); return status == http.StatusNotFound }, time.Minute, 10*time.Millisecond)
	after := goLive(t, store, project, "branch/x", address)
	// The gateway has looked at its routes when it has forgotten what it counted of an environment that is deleted now.
	status, body := ask(after.EnvHost)
	require.Equal(t, http.StatusOK, status, body)
	_, err = store.Delete(t.Context(), deployment.Scope{ProjectID: project.ID, EnvironmentID: after.EnvironmentID})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !strings.Contains(metricsOf(t, ops), `environment="branch/x"`) }, time.Minute, 10*time.Millisecond)

	own.Kill()
	for _, host := range []string{before.EnvHost, before.PreviewHost} { // which nobody has visited
		status, body := ask(host)
		require.Equal(t, "200 app", fmt.Sprint(status, " ", body))
	}
	require.True(t, unanswered(after.EnvHost))

	late, _ := gatewayOn(t, url)
	require.Eventually(t, func() bool { status, _ := late(before.EnvHost); return status == http.StatusServiceUnavailable },
		time.Minute, 10*time.Millisecond, "one that starts now says that it knows nothing")
	own.Start()
	require.Eventually(t, func() bool { status, _ := late(before.EnvHost); return status == http.StatusOK }, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { status, _ := ask(after.EnvHost); return status == http.StatusNotFound }, time.Minute, 10*time.Millisecond)
}

func TestGateway_DoesWhatItsSettingsSay(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	defer app.Close()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	project, err := store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: "https://git.example.com/shop"}.WithDefaults())
	require.NoError(t, err)
	d := goLive(t, store, project, "production", strings.TrimPrefix(app.URL, "http://"))

	ops := freeAddr(t)
	g, err := config.LoadGateway(append(environ(t), "SLIPWAY_OPS_ADDR="+ops, "SLIPWAY_TRUSTED_PROXIES=127.0.0.0/8",
		"SLIPWAY_MAX_REQUEST_BODY=1KB", "SLIPWAY_ACCESS_LOG=all"))
	require.NoError(t, err)
	g.Postgres.URL = store.Pool().Config().ConnString()
	log := &logged{}
	start(t, ops, map[string]string{"postgres": "ok", "schema": "ok", "gateway": "ok"}, func(ctx context.Context) error {
		return roles.RunGateway(ctx, g, "1", slog.New(slog.NewTextHandler(log, nil)))
	})

	// A proxy may speak HTTP/2 to the gateway.
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	proxy := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	send := func(body string) (status, version int) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.Gateway.Addr, strings.NewReader(body))
		require.NoError(t, err)
		r.Host = d.EnvHost
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		answer, err := proxy.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode, answer.ProtoMajor
	}
	status, version := send("x")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 2, version)
	require.Equal(t, "203.0.113.9, 127.0.0.1", (<-seen).Get("X-Forwarded-For"))
	status, _ = send(strings.Repeat("x", 2000))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Eventually(t, func() bool {
		return strings.Contains(metricsOf(t, ops), `slipway_gateway_requests_total{environment="production",project="shop",status="4xx"} 1`) &&
			strings.Count(log.String(), "msg=visit") == 2
	}, time.Minute, 10*time.Millisecond)
}
