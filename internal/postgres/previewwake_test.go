package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestRequestWake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "branch/a")
	b.live(d, "run")
	requested := func() (at *time.Time) {
		var rows []*time.Time
		require.NoError(t, b.Pool().QueryRow(t.Context(), "SELECT coalesce(array_agg(wake_requested_at), '{}') FROM preview_leases").Scan(&rows))
		if len(rows) > 0 {
			at = rows[0]
		}
		return at
	}
	wake := func() { require.NoError(t, b.RequestWake(t.Context(), d.EnvironmentID)) }
	wake()
	require.Nil(t, requested(), "it is live")

	require.NoError(t, b.SetPreviewState(t.Context(), d.ID, deployment.PreviewAsleep))
	heard := listen(t, b.Pool(), "slipway_leases")
	var gateways sync.WaitGroup
	for range 10 {
		gateways.Go(func() {
			if err := b.RequestWake(t.Context(), d.EnvironmentID); err != nil {
				t.Error(err)
			}
		})
	}
	gateways.Wait()
	first := requested()
	require.NotNil(t, first)
	require.Equal(t, map[string]bool{d.EnvironmentID: true}, heard())
	wake()
	require.Equal(t, first, requested(), "the first word counts")
	require.Empty(t, heard())

	const lease = "UPDATE preview_leases SET wanted = $1, pinned = $2, expires_at = now() + $3 * interval '1 minute', wake_requested_at = NULL"
	for name, c := range map[string]struct {
		wanted  string
		pinned  bool
		minutes int
		woken   bool
	}{
		"has its time":        {"running", false, 1, true},
		"expired":             {"running", false, -1, false},
		"expired, but pinned": {"running", true, -1, true},
		"stopped":             {"stopped", true, 1, false},
	} {
		b.exec(lease, c.wanted, c.pinned, c.minutes)
		wake()
		require.Equal(t, c.woken, requested() != nil, name)
	}
	const failed = "UPDATE previews SET state = 'failed', updated_at = now() - $1 * interval '1 second'"
	for name, c := range map[string]struct {
		ago   int    // seconds since it was tried
		next  string // when it is tried again
		woken bool
	}{
		"did not come up, and is tried again later": {10, "now() + interval '1 hour'", true},
		"did not come up a moment ago":              {1, "now() + interval '1 hour'", false},
		"was given up":                              {10, "NULL", false},
	} {
		b.exec(failed, c.ago)
		b.exec(lease, "running", false, 1)
		b.exec("UPDATE preview_leases SET next_start_at = " + c.next)
		wake()
		require.Equal(t, c.woken, requested() != nil, name)
	}
	b.exec(failed, 10)
	b.exec(lease, "stopped", false, 1)
	b.exec("UPDATE preview_leases SET next_start_at = now() + interval '1 hour'")
	wake()
	require.Nil(t, requested(), "it is to be stopped")
	require.NoError(t, b.SetPreviewState(t.Context(), d.ID, deployment.PreviewAsleep))
	b.exec(lease, "running", false, 1)
	b.remove(deployment.Scope{ProjectID: d.ProjectID, EnvironmentID: d.EnvironmentID})
	wake()
	require.Nil(t, requested(), "it is being deleted")
	b.exec("DELETE FROM preview_leases")
}

func TestARouteSaysWhyNothingRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "branch/a")
	route := func() deployment.Route {
		r, err := b.Route(t.Context(), d.EnvHost)
		require.NoError(t, err)
		return r
	}
	b.through(d, "run", deployment.StepBuild)
	require.NoError(t, b.StepProgress(t.Context(), attempt(d, "run", deployment.StepBuild), deployment.Progress{Phase: deployment.PhasePush, Percent: 40}))
	require.Equal(t, &deployment.StepNow{
		Name: deployment.StepBuild, Attempt: 1, Progress: deployment.Progress{Phase: deployment.PhasePush, Percent: 40},
	}, route().Step)
	b.live(d, "run")
	b.exec("DELETE FROM preview_leases")
	require.Nil(t, route().Step)
	require.Empty(t, route().Wanted)

	b.exec("INSERT INTO preview_leases (environment_id, expires_at) VALUES ($1, now() + interval '1 minute')", d.EnvironmentID)
	require.Equal(t, deployment.WantedRunning, route().Wanted)
	require.Nil(t, route().ExpiredAt, "it has its time")
	b.exec("UPDATE preview_leases SET wanted = 'stopped', expires_at = now(), pinned = true")
	require.Equal(t, deployment.WantedStopped, route().Wanted)
	require.Nil(t, route().ExpiredAt, "it is pinned")
	b.exec(`UPDATE preview_leases SET pinned = false, failure = '{"class": "user", "code": "x", "message": "it ended"}'`)
	require.NotNil(t, route().ExpiredAt)
	require.Equal(t, &deployment.Failure{Class: deployment.ClassUser, Code: "x", Message: "it ended"}, route().Failure)

	b.exec("UPDATE previews SET state = 'failed'")
	require.Nil(t, route().NextStartAt)
	b.exec("UPDATE preview_leases SET next_start_at = now() + interval '1 minute'")
	require.WithinDuration(t, time.Now().Add(time.Minute), *route().NextStartAt, 30*time.Second)
	require.WithinDuration(t, time.Now(), route().Since, time.Minute)
	b.exec("UPDATE previews SET state = 'starting'")
	require.Nil(t, route().NextStartAt, "it is being tried")

	newer := b.deploy(b.project("other"), "branch/a")
	r, err := b.Route(t.Context(), newer.EnvHost)
	require.NoError(t, err)
	require.Empty(t, r.Wanted)
}
