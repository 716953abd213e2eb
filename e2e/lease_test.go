package e2e_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// leaseRows is what the test does to a preview's rows in place of time and visitors.
type leaseRows struct {
	t    *testing.T
	conn *pgx.Conn
	d    client.Deployment
}

func openLeaseRows(t *testing.T, d client.Deployment) *leaseRows {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(dev.data, "postgres", "postmaster.pid"))
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), "host="+strings.Split(string(pid), "\n")[4]+" user=slipway dbname=slipway")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return &leaseRows{t: t, conn: conn, d: d}
}

func (r *leaseRows) exec(sql string) {
	r.t.Helper()
	_, err := r.conn.Exec(r.t.Context(), sql, r.d.Environment.ID)
	require.NoError(r.t, err)
}

// nobodyCame sets the time of the last visit back by an hour, and has the lease looked at.
func (r *leaseRows) nobodyCame() {
	r.t.Helper()
	r.exec("UPDATE previews v SET updated_at = v.updated_at - interval '1 hour' FROM environments e WHERE e.live_deployment_id = v.deployment_id AND e.id = $1 AND v.state = 'live'")
	r.exec("UPDATE preview_traffic SET last_request_at = last_request_at - interval '1 hour' WHERE environment_id = $1")
	r.exec("UPDATE preview_leases SET updated_at = now() WHERE environment_id = $1")
}

func (r *leaseRows) state() (state deployment.PreviewState) {
	r.t.Helper()
	require.NoError(r.t, r.conn.QueryRow(r.t.Context(), "SELECT state FROM previews WHERE deployment_id = $1", r.d.ID).Scan(&state))
	return state
}

func (r *leaseRows) until(state deployment.PreviewState) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return r.state() == state }, eventually, 5*time.Millisecond, "%s", state)
}

func (r *leaseRows) running() []string {
	r.t.Helper()
	return docker(r.t, "ps", "-q", "--filter", "label=slipway.deployment="+r.d.ID)
}

// sleep waits until it sleeps. Gateways may tell of a visit some seconds after it.
func (r *leaseRows) sleep() {
	r.t.Helper()
	require.Eventually(r.t, func() bool { r.nobodyCame(); return r.state() == deployment.PreviewAsleep }, eventually, 500*time.Millisecond)
	require.Eventually(r.t, func() bool { return len(r.running()) == 0 }, eventually, tick)
}

// wake visits the preview, whom the gateway holds until it is live, and returns how long that took.
func (r *leaseRows) wake() time.Duration {
	r.t.Helper()
	begun := time.Now()
	status, body := dev.get(r.t, r.d.PreviewURL)
	require.Equal(r.t, http.StatusOK, status, body)
	return time.Since(begun)
}

// A preview of the Node example sleeps when nobody comes, is woken where it was within a moment, is removed when its time is over,
// and comes back when it is wanted again.
func TestPreviewSleepsWakesEndsAndComesBack(t *testing.T) {
	t.Parallel()
	project := createProject(t, "leased", dev.repo("node"), nil)
	d := waitEnd(t, deploy(t, project, map[string]any{"branch": "main", "environment": "branch/sleepy"}), "ready")
	rows := openLeaseRows(t, d)
	container := rows.running()
	require.Len(t, container, 1)

	var took []time.Duration
	for range 10 {
		rows.sleep()
		took = append(took, rows.wake())
		require.Equal(t, container, rows.running(), "it is the same container")
	}
	slices.Sort(took)
	t.Logf("wakes took %s to %s, half of them at most %s", took[0], took[len(took)-1], took[len(took)/2])
	require.Less(t, took[len(took)/2], 30*time.Second, "on a busy machine, too")

	rows.sleep()
	rows.exec("UPDATE preview_leases SET expires_at = now() WHERE environment_id = $1")
	rows.until(deployment.PreviewStopped)
	requireNothingLeft(t, d.ID)
	require.Eventually(t, func() bool { // a gateway that is told late goes on with what it knows
		status, _ := dev.get(t, d.PreviewURL)
		return status == http.StatusServiceUnavailable
	}, eventually, tick)

	rows.exec("UPDATE preview_leases SET wanted = 'running' WHERE environment_id = $1")
	rows.until(deployment.PreviewLive)
	requireBodyOf(t, d)
	var told []string
	for _, l := range logs(t, d.ID) {
		if l.Stream == "slipway" && l.Step == "app" {
			told = append(told, l.Text)
		}
	}
	t.Log(strings.Join(told, "\n"))
	require.Contains(t, strings.Join(told, "\n"), "asleep: nobody has asked for it for 30m0s")
	require.Contains(t, strings.Join(told, "\n"), "live again after")
	require.Contains(t, strings.Join(told, "\n"), "stopped: its container is removed")
}

// A container that is gone, whoever has removed it, is made anew.
func TestPreviewWhoseContainerIsGoneComesBack(t *testing.T) {
	t.Parallel()
	d := waitEnd(t, deploy(t, createProject(t, "lease-lost", dev.repo("static"), nil), nil), "ready")
	rows := openLeaseRows(t, d)
	was := rows.running()
	docker(t, "rm", "-f", was[0])
	require.Eventually(t, func() bool {
		is := rows.running()
		return len(is) == 1 && is[0] != was[0] && rows.state() == deployment.PreviewLive
	}, eventually, tick)
	requireBodyOf(t, d)
}

func requireBodyOf(t *testing.T, d client.Deployment) {
	t.Helper()
	status, body := dev.get(t, d.PreviewURL)
	require.Equal(t, http.StatusOK, status, body)
}
