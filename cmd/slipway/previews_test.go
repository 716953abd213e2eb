package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

// withPreviewsOf is an API where production and a branch are live, and an older deployment is being drained.
func withPreviewsOf(t *testing.T) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	cart := previewOf(3, "branch/cart")
	drained := previewOf(1, "production")
	drained.Live, drained.Wanted, drained.ExpiresAt, drained.SleepsAt, drained.IdleSeconds = false, nil, nil, nil, nil
	drained.Usage.Current = false
	production := previewOf(2, "production")
	production.ExpiresAt, production.SleepsAt = nil, nil
	api.previews = []oapi.Preview{cart, production, drained}
	api.deployments = []oapi.Deployment{made(3, "ready"), made(2, "ready"), made(1, "ready")}
	return api
}

func TestPreviewsList(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	api.pageLimit = 1 // the CLI pages
	want := `PREVIEW  ENVIRONMENT  STATE     IDLE   CPU   MEMORY        EXPIRES    URL
shop#3   branch/cart  live      1m30s  0.12  61 MB of 512  in 2d      http://shop-branch-cart.localhost:8000
shop#2   production   live      1m30s  0.12  61 MB of 512  never      http://shop-production.localhost:8000
shop#1   production   replaced  -      -     -             -          http://1-preview.localhost:8000
`
	want = strings.ReplaceAll(want, "in 2d      ", "in 2d    ")
	want = strings.ReplaceAll(want, "never      ", "never    ")
	want = strings.ReplaceAll(want, "-          http", "-        http")
	want = strings.ReplaceAll(want, "EXPIRES    URL", "EXPIRES  URL")
	for _, args := range [][]string{{"previews"}, {"previews", "list"}, {"previews", "ls", "shop"}, {"preview", "list", "--all"}} {
		code, stdout, stderr := user(t, api).run(args...)
		require.Zero(t, code, stderr)
		require.Equal(t, want, stdout, args)
	}
	code, stdout, _ := user(t, api).run("previews", "list", "shop", "-e", "branch/cart", "--state", "live", "-o", "json")
	require.Zero(t, code)
	var found oapi.PreviewList
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.Len(t, found.Items, 1)
	code, _, stderr := user(t, api).run("previews", "list", "--state", "asleep")
	require.Zero(t, code)
	require.Contains(t, stderr, "no previews")
	for _, wrong := range [][]string{{"list", "--state", "gone"}, {"list", "shop", "--all"}, {"shop"}} {
		code, _, _ = user(t, api).run(append([]string{"previews"}, wrong...)...)
		require.Equal(t, exitUsage, code, wrong)
	}
}

func TestAPreviewIsNamedInManyWays(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	for given, want := range map[string]string{
		"": "shop#2", "shop": "shop#2", "shop -e branch/cart": "shop#3", "shop#3": "shop#3", deploymentID(1): "shop#1",
	} {
		code, stdout, stderr := user(t, api).run(append([]string{"previews", "show"}, strings.Fields(given)...)...)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, want+"\n", given)
	}
	code, _, stderr := user(t, api).run("previews", "show", "shop", "-e", "pr/7")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: nothing is live in pr/7 of project shop\nfix: `slipway previews list shop` shows where something is\n", stderr)

	api.previews = []oapi.Preview{previewOf(3, "branch/cart"), previewOf(2, "branch/search")}
	code, _, stderr = user(t, api).run("previews", "show", "shop")
	require.Equal(t, exitUsage, code)
	require.Equal(t, "error: project shop has 2 previews: shop#3 (branch/cart), shop#2 (branch/search)\nfix: name one, as in shop#3, or its environment with --environment\n", stderr)
	api.previews = api.previews[:1]
	_, stdout, _ := user(t, api).run("previews", "show", "shop")
	require.Contains(t, stdout, "shop#3\n", "the only one")
	api.previews = []oapi.Preview{}
	_, _, stderr = user(t, api).run("previews", "show", "shop")
	require.Equal(t, "error: nothing of project shop is live\nfix: deploy it with `slipway deploy shop --follow`\n", stderr)
}

func TestPreviewsShow(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	p := &api.previews[0]
	p.Condition, p.Usage.Restarts, p.Usage.LastExitCode = new("crash_looping"), 9, new(1)
	code, stdout, stderr := user(t, api).run("previews", "show", "shop#3")
	require.Zero(t, code, stderr)
	require.Equal(t, `preview:          shop#3
deployment:       `+deploymentID(3)+`
environment:      branch/cart
state:            crash looping, since 2026-11-23 11:00:00 UTC
url:              http://3-preview.localhost:8000
environment url:  http://shop-branch-cart.localhost:8000
host:             host-1
idle for:         1m30s
falls asleep:     2026-11-23 13:00:00 UTC, unless a request comes
expires:          2026-11-25 13:00:00 UTC, in 2d
looked at:        2026-11-23 11:59:55 UTC
cpu:              0.12 cores
memory:           61 MB of 512
processes:        11
restarts:         9, the last time after exit code 1
runs since:       2026-11-23 11:00:00 UTC
`, stdout)

	p.State, p.Condition, p.Usage.Current = "failed", nil, false
	p.Failure = &oapi.Failure{Class: "user", Code: "release.exited", Message: "the app exits", Fix: new("mend it"), Lines: []string{"boom"}}
	_, stdout, _ = user(t, api).run("previews", "show", "shop#3")
	require.Contains(t, stdout, "looked at:        2026-11-23 11:59:55 UTC, not since: it does not run, or its host is away\n")
	require.Contains(t, stdout, "failed:           the app exits\nclass:            user (release.exited)\nfix:              mend it\n  | boom\n")
}

func TestAPreviewThatDidNotComeUpSaysWhenItIsTriedAgain(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	p := &api.previews[0]
	p.State, p.Condition, p.NextAttemptAt, p.Usage = "failed", new("retrying"), new(noon.Add(16*time.Second)), nil
	p.Failure = &oapi.Failure{Class: "user", Code: "release.exited", Message: "the app exits", Lines: []string{}}
	for _, list := range [][]string{{"previews", "list", "shop", "-e", "branch/cart"}, {"ps", "shop"}} {
		code, stdout, stderr := user(t, api).run(list...)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "retrying, next in 16s")
	}
	_, stdout, _ := user(t, api).run("previews", "show", "shop#3")
	require.Contains(t, stdout, "state:            retrying, since 2026-11-23 11:00:00 UTC\n")
	require.Contains(t, stdout, "tried again:      2026-11-23 12:00:16 UTC, or when somebody visits or starts it\nfailed:           the app exits\n")
	p.NextAttemptAt = new(noon.Add(-time.Second))
	_, stdout, _ = user(t, api).run("previews", "list", "shop", "-e", "branch/cart")
	require.Contains(t, stdout, "retrying  ", "any moment")
	require.Equal(t, statusColour("failed"), statusColour("retrying, next in 16s"))
}

func TestPreviewsStopWaits(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	looks := 0
	api.onPreview = func(p *oapi.Preview) {
		switch looks++; looks { // the first finds what is meant
		case 3:
			p.State = "stopped"
		case 4:
			p.Condition = nil
		}
	}
	code, stdout, stderr := user(t, api).run("previews", "stop", "shop#3")
	require.Zero(t, code, stderr)
	require.Equal(t, "shop#3 is stopped\n", stdout)
	require.Equal(t, "shop#3 is stopping\n", stderr)

	code, stdout, stderr = user(t, withPreviewsOf(t)).run("previews", "stop", "shop", "-e", "branch/cart", "--no-wait")
	require.Zero(t, code, stderr)
	require.Equal(t, "shop#3 is stopping\n", stdout)
}

func TestPreviewsStartWaits(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	api.previews[0].State = "stopped"
	states := []oapi.PreviewState{"stopped", "stopped", "starting", "live"}
	api.onPreview = func(p *oapi.Preview) {
		p.State, states = states[0], states[1:]
		if p.State != "stopped" {
			p.Condition = nil
		}
	}
	code, stdout, stderr := user(t, api).run("previews", "start", "shop#3")
	require.Zero(t, code, stderr)
	require.Equal(t, "shop#3 is live: http://shop-branch-cart.localhost:8000\n", stdout)
	require.Equal(t, "shop#3 is starting\n", stderr)
}

func TestPreviewsStartSaysWhyNot(t *testing.T) {
	t.Parallel()
	for class, want := range map[oapi.FailureClass]int{"user": exitFailedUser, "transient": exitFailedOther} {
		api := withPreviewsOf(t)
		looks := 0
		api.onPreview = func(p *oapi.Preview) {
			if looks++; looks == 2 {
				p.State, p.Condition = "failed", nil
				p.Failure = &oapi.Failure{Class: class, Code: "x", Message: "the app exits", Fix: new("mend it"), Lines: []string{"boom"}}
			}
		}
		code, stdout, stderr := user(t, api).run("previews", "start", "shop#3")
		require.Equal(t, want, code)
		require.Empty(t, stdout)
		require.Equal(t, "shop#3 is starting\nerror: shop#3 was not started: the app exits\n  | boom\nfix: mend it\n", stderr)
	}
	api := withPreviewsOf(t)
	looks := 0
	api.onPreview = func(p *oapi.Preview) {
		if looks++; looks == 2 {
			p.State, p.Condition, p.NextAttemptAt = "failed", new("retrying"), new(noon.Add(time.Second))
			p.Failure = &oapi.Failure{Class: "user", Code: "x", Message: "the app exits", Lines: []string{}}
		}
	}
	_, _, stderr := user(t, api).run("previews", "start", "shop#3")
	require.Contains(t, stderr, "error: shop#3 was not started: the app exits\nit is tried again by itself, the next time at 2026-11-23 12:00:01 UTC\n")

	api = withPreviewsOf(t)
	looks = 0
	api.onPreview = func(p *oapi.Preview) {
		if looks++; looks == 2 {
			p.Live = false
		}
	}
	code, _, stderr := user(t, api).run("previews", "start", "shop#3")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: shop#3 was replaced by a newer deployment meanwhile\n")
}

func TestPreviewsStopInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	p := user(t, api)
	p.tune = func(c *cli) { c.pollEvery = time.Hour }
	var out, errs buffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- p.cli(&out, &errs).run(ctx, []string{"previews", "stop", "shop#3"}) }()
	require.Eventually(t, func() bool { return strings.Contains(errs.String(), "stopping") }, eventually, tick)
	cancel()
	require.Equal(t, exitInterrupted, <-ended)
	require.Contains(t, errs.String(), "interrupted: shop#3 is still being stopped\nlook at it: slipway previews show shop#3\n")
}

func TestPreviewsExtend(t *testing.T) {
	t.Parallel()
	for args, until := range map[string]string{
		"--by 7d":                      "2026-12-02T13:00:00Z", // from its end
		"--by 90m":                     "2026-11-25T14:30:00Z",
		"--until 2026-12-24":           "2026-12-24T00:00:00Z",
		"--until 2026-12-24T18:00:00Z": "2026-12-24T18:00:00Z",
		"--until 14d":                  "2026-12-07T12:00:00Z", // from now
	} {
		api := withPreviewsOf(t)
		code, stdout, stderr := user(t, api).run(append([]string{"previews", "extend", "shop#3"}, strings.Fields(args)...)...)
		require.Zero(t, code, stderr)
		require.Contains(t, api.requests(), "POST /v1/previews/"+deploymentID(3)+`/extend {"until":"`+until+`"}`, args)
		require.Contains(t, stdout, "shop#3 is live, and may run until 2026-1")
	}
	api := withPreviewsOf(t)
	api.previews[0].ExpiresAt = new(noon.Add(-time.Hour))
	_, _, _ = user(t, api).run("previews", "extend", "shop#3", "--by", "1h")
	require.Contains(t, api.requests(), "POST /v1/previews/"+deploymentID(3)+`/extend {"until":"2026-11-23T13:00:00Z"}`, "of one whose time is over: from now")
	for _, wrong := range []string{"", "--by 7d --until 14d", "--by soon", "--by -1h", "--until 2020-01-01"} {
		code, _, _ := user(t, api).run(append([]string{"previews", "extend", "shop#3"}, strings.Fields(wrong)...)...)
		require.Equal(t, exitUsage, code, wrong)
	}
}

func TestPreviewsPinAndUnpin(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	code, stdout, stderr := user(t, api).run("previews", "pin", "shop#3")
	require.Zero(t, code, stderr)
	require.Equal(t, "shop#3 is live, and may run until it is unpinned\n", stdout)
	_, stdout, _ = user(t, api).run("previews", "list", "shop", "-e", "branch/cart")
	require.Contains(t, stdout, "pinned")
	code, stdout, _ = user(t, api).run("previews", "unpin", "shop#3")
	require.Zero(t, code)
	require.Equal(t, "shop#3 is live, and may run until 2026-11-30 12:00:00 UTC\n", stdout)
	code, _, stderr = user(t, api).run("previews", "pin", "shop#9")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "project shop has no deployment 9")
}

func TestPreviewsStats(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	api.requestsOf = oapi.PreviewRequests{Total: 15, Answered1Xx: 1, Answered2Xx: 2, Answered3Xx: 3, Answered4Xx: 4, Answered5Xx: 5}
	code, stdout, stderr := user(t, api).run("previews", "stats", "shop#3")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "requests:      15: 2 of 2xx, 3 of 3xx, 4 of 4xx, 5 of 5xx, 1 upgrades\n")
	require.Contains(t, stdout, "memory:        61 MB of 512\n")

	api.onStats = func(p *oapi.Preview, look int) {
		p.IdleSeconds = new(int64(look)) // changes by itself
		switch look {
		case 4:
			p.Condition, p.Usage.Restarts = new("crash_looping"), 4
		case 5:
			p.Live = false
		}
	}
	code, stdout, stderr = user(t, api).run("previews", "stats", "shop#3", "--follow")
	require.Zero(t, code, stderr)
	require.Equal(t, `TIME      STATE          CPU    MEMORY          PIDS  RESTARTS  2XX     3XX     4XX     5XX     IDLE
12:00:00  live           0.12   61 MB of 512    11    0         2       3       4       5       2.0s
12:00:00  crash looping  0.12   61 MB of 512    11    4         2       3       4       5       4.0s
12:00:00  crash looping  0.12   61 MB of 512    11    4         0       0       0       0       5.0s
`, stdout)
	require.Equal(t, "shop#3 is not live any more\n", stderr)
}

func TestPreviewsStatsInterrupted(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	var out, errs buffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- user(t, api).cli(&out, &errs).run(ctx, []string{"previews", "stats", "shop#3", "-f", "-o", "json"})
	}()
	require.Eventually(t, func() bool { return strings.Count(out.String(), "\n") == 1 }, eventually, tick)
	cancel()
	require.Equal(t, exitInterrupted, <-ended)
	require.Equal(t, "interrupted: shop#3 goes on\n", errs.String())
}

func TestLogsOfTheAppAlone(t *testing.T) {
	t.Parallel()
	api := withPreviewsOf(t)
	api.lines = []oapi.LogLine{{Seq: 1, Time: noon, Step: "app", Stream: "stdout", Text: "hello"}}
	code, stdout, stderr := user(t, api).run("logs", "--app", "shop")
	require.Zero(t, code, stderr)
	require.Equal(t, "12:00:00 app      hello\n", stdout)
	require.Contains(t, strings.Join(api.requests(), "\n"), "GET /v1/previews/"+deploymentID(2)+"/logs?", "what is live, not what is newest")
	require.NotContains(t, strings.Join(api.requests(), "\n"), "GET /v1/deployments/"+deploymentID(2)+"/logs")
}
