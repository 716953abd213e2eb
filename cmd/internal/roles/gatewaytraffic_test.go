package roles_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

func TestGateways_WriteWhatWasVisitedWhilePostgresWasAway(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "app") }))
	defer app.Close()
	own := postgrestest.NewOwn(t)
	store := own.Open(postgres.Options{PreviewDomain: "localhost"})
	project, err := store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: "https://git.example.com/shop"}.WithDefaults())
	require.NoError(t, err)
	d := goLive(t, store, project, "production", strings.TrimPrefix(app.URL, "http://"))
	answered := func() (n int, at time.Time) {
		row := store.Pool().QueryRow(t.Context(), "SELECT answered_2xx, last_request_at FROM preview_traffic WHERE environment_id = $1", d.EnvironmentID)
		_ = row.Scan(&n, &at) // Postgres may be away, or nothing written
		return n, at
	}
	first, _, stopFirst := gatewayUntil(t, store.Pool().Config().ConnString())
	second, _, stopSecond := gatewayUntil(t, store.Pool().Config().ConnString())
	for _, visit := range []func() (int, string){
		func() (int, string) { return first(d.EnvHost) }, func() (int, string) { return first(d.PreviewHost) }, func() (int, string) { return second(d.EnvHost) },
	} {
		require.Eventually(t, func() bool { status, _ := visit(); return status == http.StatusOK }, time.Minute, 10*time.Millisecond)
	}
	require.Eventually(t, func() bool { _, at := answered(); return !at.IsZero() }, 5*time.Second, 10*time.Millisecond, "at once")

	own.Kill()
	before := time.Now()
	for range 3 {
		for _, host := range []string{d.EnvHost, d.PreviewHost} {
			status, _ := first(host)
			require.Equal(t, http.StatusOK, status)
		}
	}
	own.Start()
	stopFirst()
	stopSecond()
	require.Eventually(t, func() bool { n, at := answered(); return n == 3+6 && !at.Before(before) }, time.Minute, 10*time.Millisecond,
		"the gateways had not written it when they had stopped")
}
