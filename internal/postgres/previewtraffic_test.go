package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// traffic reads what is kept of an environment's traffic.
func (b bench) traffic(environmentID string) (t deployment.Traffic) {
	b.t.Helper()
	t.EnvironmentID = environmentID
	require.NoError(b.t, b.Pool().QueryRow(b.t.Context(), `
		SELECT last_request_at, answered_1xx, answered_2xx, answered_3xx, answered_4xx, answered_5xx
		  FROM preview_traffic WHERE environment_id = $1`, environmentID).
		Scan(&t.LastRequestAt, &t.Answered[0], &t.Answered[1], &t.Answered[2], &t.Answered[3], &t.Answered[4]))
	return t
}

func TestTrafficOfSeveralGatewaysAddsUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	production, branch := b.deploy(p, "production").EnvironmentID, b.deploy(p, "branch/a").EnvironmentID
	gone := b.deploy(p, "branch/b").EnvironmentID
	b.exec("DELETE FROM deployments WHERE environment_id = $1", gone)
	b.exec("DELETE FROM environments WHERE id = $1", gone)
	now := time.Now()
	var gateways sync.WaitGroup
	for n := range 2 {
		gateways.Go(func() {
			for i := range 20 {
				seen := []deployment.Traffic{
					{EnvironmentID: production, LastRequestAt: now.Add(-time.Duration(i*n) * time.Minute), Answered: [5]int64{1, 2, 3, 4, 5}},
					{EnvironmentID: gone, LastRequestAt: now, Answered: [5]int64{1}},
					{EnvironmentID: branch, LastRequestAt: now.Add(-time.Hour), Answered: [5]int64{0, 1}},
				}
				if n == 1 { // in another order
					seen[0], seen[2] = seen[2], seen[0]
				}
				if err := b.AddTraffic(t.Context(), seen); err != nil {
					t.Error(err)
				}
			}
		})
	}
	gateways.Wait()
	kept := b.traffic(production)
	require.Equal(t, [5]int64{40, 80, 120, 160, 200}, kept.Answered)
	require.WithinDuration(t, now, kept.LastRequestAt, 20*time.Second, "the latest request counts, not the latest write")
	kept = b.traffic(branch)
	require.Equal(t, [5]int64{0, 40}, kept.Answered)
	require.WithinDuration(t, now.Add(-time.Hour), kept.LastRequestAt, 20*time.Second)
}

func TestTrafficIsTimedByTheClockOfPostgres(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	require.NoError(t, b.AddTraffic(t.Context(), []deployment.Traffic{{EnvironmentID: d.EnvironmentID, LastRequestAt: time.Now().Add(time.Hour)}}))
	var future bool
	require.NoError(t, b.Pool().QueryRow(t.Context(), "SELECT last_request_at > now() FROM preview_traffic").Scan(&future))
	require.False(t, future)
	require.NoError(t, b.AddTraffic(t.Context(), nil))
}

func TestVisitedNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	visited, before, deleted := b.deploy(p, "production"), b.deploy(p, "branch/a"), b.deploy(p, "branch/b")
	for _, d := range []deployment.Deployment{visited, before, deleted} {
		name := d.EnvironmentID + ".example.com"
		_, err := b.VerifyDomain(t.Context(), b.domain(d, name))
		require.NoError(t, err)
	}
	b.domain(visited, "unverified.example.com")
	b.visited(visited)
	b.visited(before)
	b.visited(deleted)
	b.exec("UPDATE preview_traffic SET last_request_at = now() - interval '2 hours' WHERE environment_id = $1", before.EnvironmentID)
	b.remove(deployment.Scope{ProjectID: p.ID, EnvironmentID: deleted.EnvironmentID})
	names, err := b.VisitedNames(t.Context(), time.Hour)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{visited.EnvHost, visited.EnvironmentID + ".example.com"}, names)
}
