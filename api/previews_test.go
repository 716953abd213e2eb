package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// leases lets previews of branches run a week, and sleep after half an hour.
func leases(o *api.Options) { o.PreviewIdle = 30 * time.Minute }

func (w *world) preview(id string) (p oapi.Preview) {
	w.t.Helper()
	a := w.call("GET", "/v1/previews/"+id, "")
	require.Equal(w.t, http.StatusOK, a.status, "%s", a.body)
	a.into(&p)
	return p
}

// ask makes a request about a preview that is to succeed.
func (w *world) ask(verb, id, body string) (p oapi.Preview) {
	w.t.Helper()
	a := w.call("POST", "/v1/previews/"+id+"/"+verb, body)
	require.Equal(w.t, http.StatusAccepted, a.status, "%s", a.body)
	a.into(&p)
	return p
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.store.Pool().Exec(w.t.Context(), sql, args...)
	require.NoError(w.t, err)
}

// endsIn sets how long the preview of an environment may run.
func (w *world) endsIn(environmentID string, left time.Duration) {
	w.t.Helper()
	w.exec(`INSERT INTO preview_leases (environment_id, expires_at) VALUES ($1, now() + $2::interval)
	        ON CONFLICT (environment_id) DO UPDATE SET expires_at = excluded.expires_at`, environmentID, left)
}

func (w *world) previews(query string) (l oapi.PreviewList) {
	w.t.Helper()
	a := w.call("GET", "/v1/previews"+query, "")
	require.Equal(w.t, http.StatusOK, a.status, "%s", a.body)
	a.into(&l)
	return l
}

func TestPreviews_Show(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leases)
	p := w.project("shop")
	d := w.live("shop", `{"branch":"cart"}`)
	w.endsIn(d.Environment.ID, time.Hour)
	got := w.preview(d.ID)
	require.WithinDuration(t, time.Now().Add(time.Hour), *got.ExpiresAt, time.Minute)
	require.WithinDuration(t, time.Now().Add(30*time.Minute), *got.SleepsAt, time.Minute)
	require.NotNil(t, got.IdleSeconds)
	require.Equal(t, oapi.Preview{
		DeploymentID: d.ID, Number: d.Number, Project: "shop", ProjectID: p.ID,
		Environment: oapi.PreviewEnvironment{ID: d.Environment.ID, Name: "branch/cart", Kind: "branch", URL: d.EnvironmentURL},
		State:       "live", Live: true, URL: d.PreviewURL, Host: got.Host, Wanted: new("running"),
		ExpiresAt: got.ExpiresAt, SleepsAt: got.SleepsAt, IdleSeconds: got.IdleSeconds, CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt,
	}, got)
	require.NotEmpty(t, got.Host)

	newer := w.live("shop", `{"branch":"cart"}`)
	got = w.preview(d.ID)
	require.False(t, got.Live)
	require.Nil(t, got.Wanted)
	require.Nil(t, got.ExpiresAt)
	require.Nil(t, got.IdleSeconds)
	require.True(t, w.preview(newer.ID).Live)

	w.exec(`UPDATE preview_leases SET failure = '{"class":"user","code":"release.exited","message":"it exits","exit_code":3,"lines":["boom"]}'`)
	require.Equal(t, []string{"boom"}, w.preview(newer.ID).Failure.Lines)
}

// What did not come up when it was started again says so, and when it is tried again.
func TestPreviews_Retrying(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leases)
	w.project("shop")
	d := w.live("shop", `{"branch":"cart"}`)
	w.endsIn(d.Environment.ID, time.Hour)
	require.NoError(t, w.store.SetPreviewState(t.Context(), d.ID, deployment.PreviewFailed))
	w.exec(`UPDATE preview_leases SET failed_starts = 2, next_start_at = now() + interval '1 minute', failure = '{"class":"user","code":"release.app_exited","message":"it exits"}'`)
	p := w.preview(d.ID)
	require.Equal(t, oapi.PreviewStateFailed, p.State)
	require.Equal(t, "retrying", *p.Condition)
	require.WithinDuration(t, time.Now().Add(time.Minute), *p.NextAttemptAt, 30*time.Second)
	require.Equal(t, "it exits", p.Failure.Message)

	p = w.ask("start", d.ID, "")
	require.Equal(t, "starting", *p.Condition, "at once")
	require.Nil(t, p.NextAttemptAt)
	require.Nil(t, p.Failure)
}

func TestPreviews_List(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leases)
	w.project("shop")
	w.project("blog")
	production, cart, blog := w.live("shop", `{}`), w.live("shop", `{"branch":"cart"}`), w.live("blog", `{}`)
	require.NoError(t, w.store.SetPreviewState(t.Context(), cart.ID, deployment.PreviewAsleep))
	ids := func(l oapi.PreviewList) []string {
		ids := []string{}
		for _, p := range l.Items {
			ids = append(ids, p.DeploymentID)
		}
		return ids
	}
	for query, want := range map[string][]string{
		"":                                      {blog.ID, cart.ID, production.ID},
		"?project=shop":                         {cart.ID, production.ID},
		"?environment=production":               {blog.ID, production.ID},
		"?state=asleep":                         {cart.ID},
		"?state=failed":                         {},
		"?project=shop&state=live":              {production.ID},
		"?project=blog&environment=branch/cart": {},
		"?environment=" + cart.Environment.ID:   {cart.ID},
	} {
		require.Equal(t, want, ids(w.previews(query)), query)
	}
	first := w.previews("?limit=2")
	second := w.previews("?limit=2&cursor=" + *first.NextCursor)
	require.Equal(t, []string{blog.ID, cart.ID, production.ID}, append(ids(first), ids(second)...))
	require.Nil(t, second.NextCursor)
}

func TestPreviews_StopAndStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leases)
	w.project("shop")
	d := w.live("shop", `{"branch":"cart"}`)
	for range 2 {
		p := w.ask("stop", d.ID, "")
		require.Equal(t, "stopped", *p.Wanted)
		require.Equal(t, "stopping", *p.Condition)
		require.Equal(t, oapi.PreviewStateLive, p.State)
		require.Nil(t, p.SleepsAt)
	}
	require.NoError(t, w.store.SetPreviewState(t.Context(), d.ID, deployment.PreviewStopped))
	require.Nil(t, w.preview(d.ID).Condition)
	for range 2 {
		p := w.ask("start", d.ID, "")
		require.Equal(t, "running", *p.Wanted)
		require.Equal(t, "starting", *p.Condition)
	}
	require.NoError(t, w.store.SetPreviewState(t.Context(), d.ID, deployment.PreviewAsleep))
	require.Nil(t, w.preview(d.ID).Condition)
	require.Equal(t, "waking", *w.ask("start", d.ID, "").Condition)
}

func TestPreviews_ExtendAndPin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leases)
	w.project("shop")
	d, production := w.live("shop", `{"branch":"cart"}`), w.live("shop", `{}`)
	w.endsIn(d.Environment.ID, time.Hour)
	until := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	for _, given := range []time.Time{until, until.Add(-time.Hour)} {
		p := w.ask("extend", d.ID, `{"until":"`+given.Format(time.RFC3339)+`"}`)
		require.Equal(t, until, *p.ExpiresAt)
	}
	later := `{"until":"` + until.Add(time.Hour).Format(time.RFC3339) + `"}`
	require.Equal(t, "no_end", w.call("POST", "/v1/previews/"+production.ID+"/extend", later).problem(409).Code)
	for range 2 {
		p := w.ask("pin", d.ID, "")
		require.True(t, p.Pinned)
		require.Nil(t, p.ExpiresAt)
		require.Nil(t, p.SleepsAt)
	}
	require.Equal(t, "pinned", w.call("POST", "/v1/previews/"+d.ID+"/extend", later).problem(409).Code)
	for range 2 {
		require.False(t, w.ask("unpin", d.ID, "").Pinned)
	}
}

func TestPreviews_OnlyTheLiveOneHasALease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leases)
	w.project("shop")
	former := w.live("shop", `{}`)
	d := w.live("shop", `{}`)
	queued := w.deploy("shop", `{"branch":"cart"}`)
	body := `{"until":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`
	for _, verb := range []string{"stop", "start", "pin", "unpin", "extend"} {
		given := ""
		if verb == "extend" {
			given = body
		}
		p := w.call("POST", "/v1/previews/"+former.ID+"/"+verb, given).problem(409)
		require.Equal(t, "not_live", p.Code, verb)
		require.Contains(t, p.Detail, "deployment #1 is not the live one of production")
		require.Equal(t, "deployment #2 is live there: name it by its id, "+d.ID, *p.Fix)
		missing := w.call("POST", "/v1/previews/"+queued.ID+"/"+verb, given).problem(404)
		require.Equal(t, "no_preview", missing.Code)
		require.Contains(t, missing.Detail, "deployment #3 of shop, which is queued, has no preview")
		require.Equal(t, "not_found", w.call("POST", "/v1/previews/"+newID()+"/"+verb, given).problem(404).Code)
	}
	for _, path := range []string{"", "/logs", "/stats"} {
		require.Equal(t, "no_preview", w.call("GET", "/v1/previews/"+queued.ID+path, "").problem(404).Code)
	}
}

func TestPreviews_BadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leases)
	w.project("shop")
	d := w.live("shop", `{"branch":"cart"}`)
	w.endsIn(d.Environment.ID, time.Hour)
	extend := "/v1/previews/" + d.ID + "/extend"
	for name, c := range map[string]badInput{
		"no end":                   {method: "POST", path: extend, body: `{}`, status: 422, field: "until"},
		"an end that is none":      {method: "POST", path: extend, body: `{"until":"tomorrow"}`, status: 422, field: "until"},
		"an end that has been":     {method: "POST", path: extend, body: `{"until":"2020-01-31T18:00:00Z"}`, status: 422, field: "until"},
		"an end of the wrong type": {method: "POST", path: extend, body: `{"until":7}`, status: 422, field: "until"},
		"another field":            {method: "POST", path: extend, body: `{"hours":7}`, status: 422, field: "hours"},
		"no body":                  {method: "POST", path: extend, status: 400, field: "body"},
		"id that is none":          {method: "POST", path: "/v1/previews/nope/stop", status: 400, field: "id"},
		"shown by no id":           {method: "GET", path: "/v1/previews/nope", status: 400, field: "id"},
		"of nobody":                {method: "GET", path: "/v1/previews/" + newID() + "/stats", status: 404, field: "id"},
		"unknown state":            {method: "GET", path: "/v1/previews?state=gone", status: 400, field: "state"},
		"unknown project":          {method: "GET", path: "/v1/previews?project=nope", status: 404, field: "project"},
		"cursor of another":        {method: "GET", path: "/v1/previews?cursor=cDphcHA", status: 400, field: "cursor"},
		"negative after":           {method: "GET", path: "/v1/previews/" + d.ID + "/logs?after=-1", status: 400, field: "after"},
	} {
		a := w.call(c.method, c.path, c.body)
		p := a.problem(c.status)
		require.NotNil(t, p.Field, "%s: %s", name, a.body)
		require.Equal(t, c.field, *p.Field, "%s: %s", name, a.body)
		if c.field == "until" {
			require.NotEmpty(t, *p.Fix, name)
		}
	}
	require.WithinDuration(t, time.Now().Add(time.Hour), *w.preview(d.ID).ExpiresAt, time.Minute, "nothing was changed")
}

func TestPreviews_Stats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leases)
	w.project("shop")
	d := w.live("shop", `{}`)
	stats := func(id string) (s oapi.PreviewStats) {
		a := w.call("GET", "/v1/previews/"+id+"/stats", "")
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		a.into(&s)
		return s
	}
	fresh := stats(d.ID)
	require.Nil(t, fresh.Usage)
	require.Equal(t, oapi.PreviewRequests{}, *fresh.Requests)
	require.Nil(t, fresh.LastRequestAt)

	started := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	_, err := w.store.SaveSamples(t.Context(), []deployment.Sample{{
		DeploymentID: d.ID, CPUCores: 0.5, MemoryBytes: 1 << 20, MemoryLimit: 1 << 29, PIDs: 4, Restarts: 3, StartedAt: &started, ExitCode: new(1), CrashLooping: true,
	}})
	require.NoError(t, err)
	w.exec("INSERT INTO preview_traffic (environment_id, last_request_at, answered_2xx, answered_5xx) VALUES ($1, now() - interval '90 seconds', 7, 2)", d.Environment.ID)
	w.exec("UPDATE deployments SET ready_at = now() - interval '1 hour'")
	s := stats(d.ID)
	require.Equal(t, "crash_looping", *s.Condition)
	require.Equal(t, oapi.PreviewUsage{
		SampledAt: s.Usage.SampledAt, Current: true, CPUCores: 0.5, MemoryBytes: 1 << 20, MemoryLimitBytes: new(int64(1 << 29)), Pids: 4, Restarts: 3,
		StartedAt: &started, LastExitCode: new(1),
	}, *s.Usage)
	require.Equal(t, oapi.PreviewRequests{Total: 9, Answered2Xx: 7, Answered5Xx: 2}, *s.Requests)
	require.InDelta(t, 90, *s.IdleSeconds, 30)
	require.NotNil(t, s.LastRequestAt)
	require.Equal(t, s.Usage, w.preview(d.ID).Usage)

	w.exec("UPDATE preview_samples SET sampled_at = now() - interval '10 minutes', memory_limit = 0")
	s = stats(d.ID)
	require.False(t, s.Usage.Current, "nobody knows what it uses now")
	require.Nil(t, s.Condition)
	require.Nil(t, s.Usage.MemoryLimitBytes)

	w.live("shop", `{}`)
	s = stats(d.ID)
	require.Nil(t, s.Requests, "the environment's requests are another's now")
	require.Nil(t, s.IdleSeconds)
}

func TestPreviews_LogPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.live("shop", `{}`)
	for i := range 1200 { // more than two batches of the deploy's own
		w.logs.add(d.ID, fmt.Sprint("build ", i))
	}
	w.logs.addApp(d.ID, "one", "two")
	w.logs.add(d.ID, "drained")
	w.logs.addApp(d.ID, "three")
	page := func(query string) (p oapi.LogPage) {
		w.call("GET", "/v1/previews/"+d.ID+"/logs"+query, "").into(&p)
		return p
	}
	texts := func(p oapi.LogPage) (texts []string) {
		for _, l := range p.Items {
			texts = append(texts, l.Text)
		}
		return texts
	}
	all := page("")
	require.Equal(t, []string{"one", "two", "three"}, texts(all))
	require.True(t, all.Ended)
	first := page("?limit=2")
	require.Equal(t, []string{"one", "two"}, texts(first))
	require.False(t, first.Ended)
	rest := page(fmt.Sprint("?limit=2&after=", first.NextAfter))
	require.Equal(t, []string{"three"}, texts(rest))
	require.EqualValues(t, 1204, rest.NextAfter)
	require.Empty(t, page("?after=1204").Items)
}

func TestPreviews_FollowLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.live("shop", `{}`)
	w.logs.add(d.ID, "of the deploy")
	w.logs.addApp(d.ID, "one")
	w.logs.add(d.ID, "of the drain")
	s := w.followAt("/v1/previews/"+d.ID+"/logs", "")
	require.Equal(t, "2", s.await("log").id)
	w.logs.addApp(d.ID, "two")
	line := s.await("log")
	require.Equal(t, "4", line.id)
	var got oapi.LogLine
	require.NoError(t, json.Unmarshal([]byte(line.data), &got))
	require.Equal(t, "app", got.Step)

	require.NoError(t, w.store.SetPreviewState(t.Context(), d.ID, deployment.PreviewAsleep))
	w.logs.addApp(d.ID, "three") // it goes on while it is asleep
	require.Equal(t, "5", s.await("log").id)
	w.ready(w.deploy("shop", `{}`).ID) // replaces it
	w.logs.add(d.ID)
	ids, end := s.rest()
	require.Empty(t, ids)
	require.JSONEq(t, `{"status":"ready"}`, end.data)
	ids, _ = w.followAt("/v1/previews/"+d.ID+"/logs", "?after=2", header{"Last-Event-ID", "4"}).rest()
	require.Equal(t, []string{"5"}, ids)
}
