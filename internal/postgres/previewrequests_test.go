package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const week = 7 * 24 * time.Hour

// leased is a bench where previews of branches run a week.
func leased(t *testing.T) bench {
	t.Helper()
	b := newBench(t)
	b.Store = b.WithPreviewTTL(week)
	return b
}

// liveIn is a deployment that is live in an environment.
func (b bench) liveIn(p deployment.Project, environment string) deployment.Deployment {
	b.t.Helper()
	d := b.deploy(p, environment)
	b.live(d, "run-"+d.ID)
	return d
}

func (b bench) preview(id string) deployment.PreviewDetail {
	b.t.Helper()
	p, err := b.Preview(b.t.Context(), id)
	require.NoError(b.t, err)
	return p
}

// endsIn sets how long the preview of an environment may run.
func (b bench) endsIn(environmentID string, left time.Duration) {
	b.t.Helper()
	b.exec(`INSERT INTO preview_leases (environment_id, expires_at) VALUES ($1, now() + $2::interval)
	        ON CONFLICT (environment_id) DO UPDATE SET expires_at = excluded.expires_at`, environmentID, left)
}

// touched counts the notifications of a lease that do makes.
func (b bench) touched(environmentID string, do func()) (n int) {
	b.t.Helper()
	acquired, err := b.Pool().Acquire(b.t.Context())
	require.NoError(b.t, err)
	conn := acquired.Hijack() // it goes on listening
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(b.t.Context(), "LISTEN slipway_leases")
	require.NoError(b.t, err)
	do()
	b.exec("SELECT pg_notify('slipway_leases', 'over')")
	for {
		word, err := conn.WaitForNotification(b.t.Context())
		require.NoError(b.t, err)
		if word.Payload == "over" {
			return n
		}
		require.Equal(b.t, environmentID, word.Payload)
		n++
	}
}

func TestPreviewDetail(t *testing.T) {
	t.Parallel()
	b := leased(t)
	p := b.project("app")
	d := b.liveIn(p, "branch/cart")
	got := b.preview(d.ID)
	want := preview(d)
	want.State = deployment.PreviewLive
	require.Equal(t, want, got.Preview)
	require.Equal(t, []any{1, p.ID, "app", d.EnvironmentID, "branch/cart", deployment.KindBranch, d.PreviewHost, d.EnvHost, d.ID, 1},
		[]any{got.Number, got.ProjectID, got.ProjectName, got.EnvironmentID, got.Environment, got.Kind, got.PreviewHost, got.EnvHost, got.LiveID, got.LiveNumber})
	require.True(t, got.Live())
	require.Equal(t, deployment.WantedRunning, got.Lease.Wanted)
	require.Nil(t, got.Traffic)
	require.Nil(t, got.Sample)
	require.WithinDuration(t, time.Now(), got.Now, time.Minute)
	require.NotNil(t, got.ReadyAt)

	b.exec("INSERT INTO preview_traffic (environment_id, last_request_at, answered_1xx, answered_2xx, answered_3xx, answered_4xx, answered_5xx) VALUES ($1, now(), 1, 2, 3, 4, 5)", d.EnvironmentID)
	b.exec(`INSERT INTO preview_leases (environment_id, failure) VALUES ($1, '{"class":"user","code":"x"}')
	        ON CONFLICT (environment_id) DO UPDATE SET failure = excluded.failure`, d.EnvironmentID)
	require.NoError(t, b.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceContainer, Name: want.Container, Host: "host-1", DeploymentID: d.ID, RunID: "run-" + d.ID}))
	got = b.preview(d.ID)
	require.Equal(t, [5]int64{1, 2, 3, 4, 5}, got.Traffic.Answered)
	require.Equal(t, "x", got.Lease.Failure.Code)
	require.True(t, got.Stands)

	newer := b.liveIn(p, "branch/cart")
	got = b.preview(d.ID)
	require.False(t, got.Live())
	require.Equal(t, newer.ID, got.LiveID)
	require.Nil(t, got.Lease, "lease and traffic are those of what is live")
	require.Nil(t, got.Traffic)

	b.remove(deployment.Scope{ProjectID: p.ID, EnvironmentID: d.EnvironmentID})
	for _, id := range []string{newer.ID, b.deploy(p, "production").ID, p.ID, "nope"} {
		_, err := b.Preview(t.Context(), id)
		require.ErrorIs(t, err, deployment.ErrNotFound, id)
	}
}

func TestPreviews(t *testing.T) {
	t.Parallel()
	b := leased(t)
	app, other := b.project("app"), b.project("other")
	stopped := b.liveIn(app, "production")
	replaced := b.liveIn(app, "production")
	draining := b.liveIn(app, "production")
	live := b.liveIn(app, "production")
	asleep := b.liveIn(app, "branch/cart")
	elsewhere := b.liveIn(other, "production")
	for id, state := range map[string]deployment.PreviewState{
		stopped.ID: deployment.PreviewStopped, replaced.ID: deployment.PreviewFailed, asleep.ID: deployment.PreviewAsleep,
	} {
		require.NoError(t, b.SetPreviewState(t.Context(), id, state))
	}
	list := func(f deployment.PreviewFilter, limit int) (ids []string) {
		page := deployment.Page{Limit: limit}
		for {
			items, next, err := b.Previews(t.Context(), f, page)
			require.NoError(t, err)
			for _, p := range items {
				ids = append(ids, p.DeploymentID)
			}
			if page.Cursor = next; next == "" {
				return ids
			}
		}
	}
	all := []string{elsewhere.ID, asleep.ID, live.ID, draining.ID}
	require.Equal(t, all, list(deployment.PreviewFilter{}, 50))
	require.Equal(t, all, list(deployment.PreviewFilter{}, 1))
	require.Equal(t, all[1:], list(deployment.PreviewFilter{ProjectID: app.ID}, 2))
	require.Equal(t, all[1:2], list(deployment.PreviewFilter{ProjectID: app.ID, Environment: "branch/cart"}, 2))
	require.Equal(t, all[2:], list(deployment.PreviewFilter{EnvironmentID: live.EnvironmentID}, 2))
	require.Equal(t, all[1:2], list(deployment.PreviewFilter{State: deployment.PreviewAsleep}, 2))
	require.NoError(t, b.SetPreviewState(t.Context(), live.ID, deployment.PreviewStopped))
	require.Equal(t, []string{live.ID}, list(deployment.PreviewFilter{State: deployment.PreviewStopped}, 2), "what is live is shown however it stands")
	for _, f := range []deployment.PreviewFilter{{ProjectID: "nope"}, {EnvironmentID: "nope"}, {Environment: "a\x00"}} {
		require.Empty(t, list(f, 1))
	}
	for _, cursor := range []string{"x", "ZDpub3Bl", "dg", "djpub3Bl"} {
		_, _, err := b.Previews(t.Context(), deployment.PreviewFilter{}, deployment.Page{Cursor: cursor})
		require.ErrorIs(t, err, deployment.ErrInvalidCursor, cursor)
	}
}

func TestStopAndStartPreview(t *testing.T) {
	t.Parallel()
	b := leased(t)
	d := b.liveIn(b.project("app"), "branch/cart")
	ask := func(do func(ctx context.Context, id string) (deployment.PreviewDetail, error)) (p deployment.PreviewDetail) {
		p, err := do(t.Context(), d.ID)
		require.NoError(t, err)
		return p
	}
	ask(b.StartPreview) // what runs goes on
	require.Zero(t, b.touched(d.EnvironmentID, func() { ask(b.StartPreview) }))

	require.Equal(t, 1, b.touched(d.EnvironmentID, func() { require.Equal(t, deployment.WantedStopped, ask(b.StopPreview).Lease.Wanted) }))
	require.Zero(t, b.touched(d.EnvironmentID, func() { ask(b.StopPreview) }), "twice is as once")
	require.NoError(t, b.SetPreviewState(t.Context(), d.ID, deployment.PreviewStopped))

	b.endsIn(d.EnvironmentID, -time.Hour)
	b.exec(`UPDATE preview_leases SET failure = '{"code":"x"}'`)
	started := ask(b.StartPreview)
	require.Equal(t, deployment.WantedRunning, started.Lease.Wanted)
	require.Nil(t, started.Lease.Failure)
	require.WithinDuration(t, time.Now().Add(week), *started.Lease.ExpiresAt, time.Minute, "its time begins anew")
	require.Nil(t, started.Lease.WakeRequestedAt)

	b.endsIn(d.EnvironmentID, time.Hour)
	require.NoError(t, b.SetPreviewState(t.Context(), d.ID, deployment.PreviewAsleep))
	require.Equal(t, 1, b.touched(d.EnvironmentID, func() { require.NotNil(t, ask(b.StartPreview).Lease.WakeRequestedAt, "it is woken") }))
	require.Zero(t, b.touched(d.EnvironmentID, func() { ask(b.StartPreview) }))
	require.WithinDuration(t, time.Now().Add(time.Hour), *b.preview(d.ID).Lease.ExpiresAt, time.Minute, "it keeps its end")
	require.Nil(t, ask(b.StopPreview).Lease.WakeRequestedAt)
}

func TestExtendAndPinPreview(t *testing.T) {
	t.Parallel()
	b := leased(t)
	p := b.project("app")
	d, production := b.liveIn(p, "branch/cart"), b.liveIn(p, "production")
	b.endsIn(d.EnvironmentID, time.Hour)
	later := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Microsecond)
	extend := func(id string, until time.Time) (deployment.PreviewDetail, error) {
		return b.ExtendPreview(t.Context(), id, until)
	}
	for _, until := range []time.Time{later, later, later.Add(-time.Hour)} {
		extended, err := extend(d.ID, until)
		require.NoError(t, err)
		require.Equal(t, later, *extended.Lease.ExpiresAt, "an end is never brought forward")
	}
	_, err := extend(production.ID, later)
	require.ErrorIs(t, err, deployment.ErrNoEnd)

	require.NoError(t, b.SetPreviewState(t.Context(), d.ID, deployment.PreviewAsleep))
	for range 2 {
		pinned, err := b.PinPreview(t.Context(), d.ID)
		require.NoError(t, err)
		require.True(t, pinned.Lease.Pinned)
		require.Nil(t, pinned.Lease.ExpiresAt)
		require.NotNil(t, pinned.Lease.WakeRequestedAt, "what does not sleep is woken")
	}
	_, err = extend(d.ID, later)
	require.ErrorIs(t, err, deployment.ErrPinned)
	unpinned, err := b.UnpinPreview(t.Context(), d.ID)
	require.NoError(t, err)
	require.False(t, unpinned.Lease.Pinned)
	require.WithinDuration(t, time.Now().Add(week), *unpinned.Lease.ExpiresAt, time.Minute)
	b.endsIn(d.EnvironmentID, time.Hour)
	again, err := b.UnpinPreview(t.Context(), d.ID)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), *again.Lease.ExpiresAt, time.Minute, "one that is not pinned keeps its end")

	_, err = b.PinPreview(t.Context(), production.ID)
	require.NoError(t, err)
	unpinned, err = b.UnpinPreview(t.Context(), production.ID)
	require.NoError(t, err)
	require.Nil(t, unpinned.Lease.ExpiresAt, "production has no end")
	b.Store = b.WithPreviewTTL(0)
	_, err = b.PinPreview(t.Context(), d.ID)
	require.NoError(t, err)
	unpinned, err = b.UnpinPreview(t.Context(), d.ID)
	require.NoError(t, err)
	require.Nil(t, unpinned.Lease.ExpiresAt, "where nothing has an end")
}

func TestOnlyWhatIsLiveHasALease(t *testing.T) {
	t.Parallel()
	b := leased(t)
	p := b.project("app")
	replaced := b.liveIn(p, "production")
	b.liveIn(p, "production")
	starting := b.deploy(p, "branch/cart")
	b.through(starting, "run", deployment.StepRelease)
	require.NoError(t, b.SetPreview(t.Context(), "run", preview(starting)))
	requests := map[string]func(id string) error{
		"stop":   func(id string) error { _, err := b.StopPreview(t.Context(), id); return err },
		"start":  func(id string) error { _, err := b.StartPreview(t.Context(), id); return err },
		"pin":    func(id string) error { _, err := b.PinPreview(t.Context(), id); return err },
		"unpin":  func(id string) error { _, err := b.UnpinPreview(t.Context(), id); return err },
		"extend": func(id string) error { _, err := b.ExtendPreview(t.Context(), id, time.Now().Add(week)); return err },
	}
	for name, request := range requests {
		require.ErrorIs(t, request(replaced.ID), deployment.ErrNotLive, name)
		require.ErrorIs(t, request(starting.ID), deployment.ErrNotLive, name)
		require.ErrorIs(t, request(p.ID), deployment.ErrNotFound, name)
		require.ErrorIs(t, request("nope"), deployment.ErrNotFound, name)
	}
}

// A request that meets a switch changes the lease of what it named, or nothing.
func TestAStopNeverMeetsTheNextDeployment(t *testing.T) {
	t.Parallel()
	b := leased(t)
	p := b.project("app")
	former := b.liveIn(p, "branch/cart")
	for range 10 {
		next := b.deploy(p, "branch/cart")
		b.through(next, "run", deployment.StepRelease)
		var wait sync.WaitGroup
		var stopErr, switchErr error
		wait.Go(func() { _, stopErr = b.StopPreview(t.Context(), former.ID) })
		wait.Go(func() { _, switchErr = b.SwitchRoute(t.Context(), "run", preview(next)) })
		wait.Wait()
		require.NoError(t, switchErr)
		if stopErr != nil {
			require.ErrorIs(t, stopErr, deployment.ErrNotLive)
		}
		require.Equal(t, deployment.WantedRunning, b.preview(next.ID).Lease.Wanted)
		former = next
	}
}
