package roles_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// gatewayReady runs `slipway gateway` on a store's database until the test ends, and returns where it listens once it does.
func gatewayReady(t *testing.T, store *postgres.Store, settings ...string) (addr string) {
	t.Helper()
	ops := freeAddr(t)
	g, err := config.LoadGateway(append(append(environ(t), "SLIPWAY_OPS_ADDR="+ops), settings...))
	require.NoError(t, err)
	g.Postgres.URL = store.Pool().Config().ConnString()
	start(t, ops, map[string]string{"postgres": "ok", "schema": "ok", "gateway": "ok"}, func(ctx context.Context) error {
		return roles.RunGateway(ctx, g, "1", slog.New(slog.DiscardHandler))
	})
	return g.Gateway.Addr
}

// to makes a request for a host name to a gateway.
func to(t *testing.T, method, addr, host, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, body)
	require.NoError(t, err)
	r.Host = host
	return r
}

// words listens to a channel of Postgres; the returned function waits for the next word.
func words(t *testing.T, store *postgres.Store, channel string) (next func() string) {
	t.Helper()
	conn, err := store.Pool().Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Release)
	_, err = conn.Exec(t.Context(), "LISTEN "+channel)
	require.NoError(t, err)
	return func() string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n, err := conn.Conn().WaitForNotification(ctx)
		require.NoError(t, err)
		return n.Payload
	}
}

func TestGateways_WakeAPreviewOnceAndAnswerEverybody(t *testing.T) {
	t.Parallel()
	address := freeAddr(t) // nobody listens there while the preview is asleep, also for who has not heard of that yet
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	project, err := store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: "https://git.example.com/shop"}.WithDefaults())
	require.NoError(t, err)
	d := goLive(t, store, project, "branch/x", address)
	gateways := []string{gatewayReady(t, store), gatewayReady(t, store)}
	require.NoError(t, store.SetPreviewState(t.Context(), d.ID, deployment.PreviewAsleep))
	told := words(t, store, "slipway_leases")

	const visitors = 100
	answers := make(chan error, visitors)
	for n := range visitors {
		host := d.EnvHost
		if n%3 == 0 {
			host = d.PreviewHost
		}
		body := bytes.Repeat([]byte{byte(n)}, n*5000)
		r := to(t, http.MethodPost, gateways[n%2], host, "/", bytes.NewReader(body))
		go func() {
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				answers <- err
				return
			}
			defer answer.Body.Close()
			back, err := io.ReadAll(answer.Body)
			if err == nil && (answer.StatusCode != http.StatusOK || !bytes.Equal(body, back)) {
				err = fmt.Errorf("request %d: %s, %d of %d bytes", n, answer.Status, len(back), len(body))
			}
			answers <- err
		}()
	}
	require.Equal(t, d.EnvironmentID, told())
	require.Empty(t, answers)
	require.NoError(t, store.SetPreviewState(t.Context(), d.ID, deployment.PreviewStarting))
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // the visitor compares
		_, _ = w.Write(body)
	}))
	require.NoError(t, app.Listener.Close())
	app.Listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	app.Start()
	defer app.Close()
	require.NoError(t, store.SetPreviewState(t.Context(), d.ID, deployment.PreviewLive))
	for range visitors {
		require.NoError(t, <-answers)
	}
	_, err = store.Pool().Exec(t.Context(), "SELECT pg_notify('slipway_leases', 'last')")
	require.NoError(t, err)
	require.Equal(t, "last", told(), "it was woken once")
}

func TestGateway_HoldsNobodyForLongerThanItsSettingSays(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	project, err := store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: "https://git.example.com/shop"}.WithDefaults())
	require.NoError(t, err)
	d := goLive(t, store, project, "branch/x", "127.0.0.1:1")
	require.NoError(t, store.SetPreviewState(t.Context(), d.ID, deployment.PreviewAsleep))
	addr := gatewayReady(t, store, "SLIPWAY_WAKE_WAIT=10ms")
	answer, err := http.DefaultClient.Do(to(t, http.MethodGet, addr, d.EnvHost, "/", nil))
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Contains(t, string(body), "preview.waking")
}

func TestGateway_ShowsHowFarADeployHasCome(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	project, err := store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: "https://git.example.com/shop"}.WithDefaults())
	require.NoError(t, err)
	d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: project, Environment: "production"})
	require.NoError(t, err)
	r := to(t, http.MethodGet, gatewayReady(t, store), d.EnvHost, "/.slipway/progress", nil)
	r.Header.Set("Accept", "text/event-stream")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	await := func(text string) {
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		require.Fail(t, "the stream has ended without "+text)
	}
	await(`"deployment_status":"queued"`)
	require.NoError(t, store.BeginRun(t.Context(), d.ID, "", "run"))
	build := deployment.StepAttempt{DeploymentID: d.ID, RunID: "run", Step: deployment.StepBuild, Attempt: 1, Host: "host-1"}
	for _, step := range []deployment.StepName{deployment.StepResolve, deployment.StepFetch, deployment.StepPlan, deployment.StepBuild} {
		attempt := build
		attempt.Step = step
		require.NoError(t, store.StepStarted(t.Context(), attempt, time.Now()))
	}
	await(`"deployment_status":"building"`)
	require.NoError(t, store.StepProgress(t.Context(), build, deployment.Progress{Phase: deployment.PhasePush, Percent: 70}))
	await(`"text":"build, push: 70 %"`)
	_, err = store.Finish(t.Context(), d.ID, "run", deployment.StatusFailed, deployment.UserFailure("x", "", "broken"))
	require.NoError(t, err)
	await("event: over")
}
