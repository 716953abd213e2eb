package roles_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/internal/testbed"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

// environ is a whole configuration in which buildkitd and the registry do not answer.
func environ(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	_, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(dir, "keyset.json")})
	require.NoError(t, err)
	return []string{
		"SLIPWAY_DATA_DIR=" + dir, "SLIPWAY_DATABASE_URL=postgres://u@h/d", // the tests' own is given as no URL
		"SLIPWAY_TEMPORAL_ADDR=" + devservertest.Start(t), "SLIPWAY_TEMPORAL_NAMESPACE=" + devservertest.Namespace(t),
		"SLIPWAY_BUILDKIT_ADDR=unix://" + filepath.Join(dir, "nobody.sock"), "SLIPWAY_REGISTRY_ADDR=" + freeAddr(t),
		"SLIPWAY_API_ADDR=" + freeAddr(t), "SLIPWAY_GATEWAY_ADDR=" + freeAddr(t), "SLIPWAY_SHUTDOWN_TIMEOUT=1s",
		"SLIPWAY_MIN_FREE_DISK=100MB",
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addrs, err := testbed.FreePorts(1)
	require.NoError(t, err)
	return addrs[0]
}

// readiness is what /readyz answers.
type readiness struct {
	Version    string
	Components map[string]struct{ Status, Reason, Fix string }
}

// start runs a role until the test ends, and waits until it says of the components what is wanted.
func start(t *testing.T, ops string, want map[string]string, run func(context.Context) error) readiness {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	var found readiness
	require.EventuallyWithT(t, func(c *assert.CollectT) { // what is busy may answer late
		answer, err := http.Get("http://" + ops + "/readyz")
		require.NoError(c, err)
		defer answer.Body.Close()
		found = readiness{}
		require.NoError(c, json.NewDecoder(answer.Body).Decode(&found))
		status := map[string]string{}
		for name, component := range found.Components {
			status[name] = component.Status
		}
		assert.Equal(c, want, status)
	}, time.Minute, 50*time.Millisecond)
	return found
}

func metricsOf(t *testing.T, ops string) string {
	t.Helper()
	answer, err := http.Get("http://" + ops + "/metrics")
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(text)
}

func TestRoles_ServeOperators(t *testing.T) {
	t.Parallel()
	quiet, env := slog.New(slog.DiscardHandler), environ(t)
	database := postgrestest.New(t).Config().ConnString()
	on := func() (string, []string) {
		ops := freeAddr(t)
		return ops, append(slices.Clip(env), "SLIPWAY_OPS_ADDR="+ops)
	}
	ops, settings := on()
	a, err := config.LoadAPI(settings)
	require.NoError(t, err)
	a.Postgres.URL = database
	found := start(t, ops, map[string]string{"postgres": "ok", "schema": "ok", "temporal": "ok"},
		func(ctx context.Context) error { return roles.RunAPI(ctx, a, "1.2.3", quiet) })
	require.Equal(t, "1.2.3", found.Version)
	require.Contains(t, metricsOf(t, ops), `slipway_deployments{status="queued"} 0`)

	ops, settings = on()
	w, err := config.LoadWorker(settings)
	require.NoError(t, err)
	w.Postgres.URL = database
	found = start(t, ops, map[string]string{"postgres": "ok", "schema": "ok", "temporal": "ok", "docker": "ok", "disk": "ok", "buildkit": "unavailable", "registry": "unavailable"},
		func(ctx context.Context) error { return roles.RunHost(ctx, w, "1.2.3", quiet) })
	require.Contains(t, found.Components["buildkit"].Fix, "SLIPWAY_BUILDKIT_ADDR")
	require.Contains(t, found.Components["registry"].Reason, "refused")
	require.Contains(t, metricsOf(t, ops), "temporal_request_total{")

	ops, settings = on()
	g, err := config.LoadGateway(settings)
	require.NoError(t, err)
	g.Postgres.URL = database
	start(t, ops, map[string]string{"postgres": "ok", "schema": "ok", "gateway": "ok"},
		func(ctx context.Context) error { return roles.RunGateway(ctx, g, "1.2.3", quiet) })
	require.Contains(t, metricsOf(t, ops), `slipway_build_info{version="1.2.3"} 1`)
}
