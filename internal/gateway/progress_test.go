package gateway_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

const progressPath = "/.slipway/progress"

// building is the route of stableHost to a deployment that builds and has come so far.
func building(percent int) deployment.Route {
	return deployment.Route{
		Hostname: stableHost, Stable: true, DeploymentID: "d-1", DeploymentNumber: 7, Project: "shop", Environment: "production",
		Status: deployment.StatusBuilding,
		Step:   &deployment.StepNow{Name: deployment.StepBuild, Attempt: 1, Progress: deployment.Progress{Phase: deployment.PhaseSolve, Percent: percent}},
	}
}

// look follows the progress of what stableHost leads to. next returns the next event, its name before its data; nothing at the end.
func look(t *testing.T, front *httptest.Server) (next func() (string, map[string]any)) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+progressPath, nil)
	require.NoError(t, err)
	r.Host = stableHost
	r.Header.Set("Accept", "text/event-stream")
	response, err := front.Client().Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	read := bufio.NewScanner(response.Body)
	return func() (event string, data map[string]any) {
		for read.Scan() {
			name, value, _ := strings.Cut(read.Text(), ": ")
			switch name {
			case "event":
				event = value
			case "data":
				data = problemOf(t, value)
			case "":
				return event, data
			}
		}
		return "", nil
	}
}

func TestADeployUnderWayIsFollowed(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the app's ", r.URL.Path) })
	front, g, known := serve(t, func(o *gateway.Options) { o.ProgressLook = time.Hour }, building(10))
	next := look(t, front)
	_, now := next()
	require.Equal(t, map[string]any{
		"title": "Building", "text": "build, solve: 10 %", "deployment_status": "building", "step": "build", "phase": "solve", "attempt": 1.0,
		"percent": 10.0, "number": 7.0, "steps": []any{
			map[string]any{"name": "resolve", "state": "done"},
			map[string]any{"name": "fetch", "state": "done"},
			map[string]any{"name": "plan", "state": "done"},
			map[string]any{"name": "build", "state": "now"},
			map[string]any{"name": "release", "state": "next"},
		},
	}, now)
	known.set(building(10))
	g.Progressed("d-1") // nothing that anybody sees
	known.set(building(60))
	g.Progressed("d-1")
	_, now = next()
	require.EqualValues(t, 60, now["percent"])

	newer := building(0)
	newer.DeploymentID, newer.DeploymentNumber = "d-2", 8
	known.set(newer)
	g.Progressed("") // words may have been missed
	_, now = next()
	require.EqualValues(t, 8, now["number"])
	newer.Step.Percent = 5
	known.set(newer)
	g.Progressed("d-2") // which it follows now
	_, now = next()
	require.EqualValues(t, 5, now["percent"])

	known.set(at(b, "d-2", 0))
	g.Progressed("d-2")
	event, _ := next()
	require.Equal(t, "over", event)
	event, now = next()
	require.Empty(t, event)
	require.Nil(t, now)
	response := get(t, front, stableHost, progressPath)
	defer func() { _ = response.Body.Close() }()
	body := new(strings.Builder)
	_, err := bufio.NewReader(response.Body).WriteTo(body)
	require.NoError(t, err)
	require.Equal(t, "the app's "+progressPath, body.String(), "what is live has all paths to itself")
}

func TestProgressIsSeenWithoutAWord(t *testing.T) {
	t.Parallel()
	front, _, known := serve(t, func(o *gateway.Options) { o.ProgressLook = time.Millisecond }, building(10))
	next := look(t, front)
	_, _ = next()
	failed := building(0)
	failed.Status, failed.Step = deployment.StatusFailed, nil
	known.set(failed)
	event, _ := next()
	require.Equal(t, "over", event)
}

func TestProgressAsItStands(t *testing.T) {
	t.Parallel()
	counted := newCounter()
	front, _, known := serve(t, func(o *gateway.Options) { o.Counter = counted }, building(10))
	response := get(t, front, stableHost, progressPath)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, http.StatusOK, (<-counted.ended).Status)
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	require.NoError(t, response.Body.Close())
	failed := building(0)
	failed.Status, failed.Step = deployment.StatusFailed, nil
	known.set(failed)
	response = get(t, front, stableHost, progressPath)
	require.Equal(t, http.StatusBadGateway, response.StatusCode, "as any other path")
	require.NoError(t, response.Body.Close())
}

func TestWhoFollowsADeployDoesNotHoldUpAGatewayThatStops(t *testing.T) {
	t.Parallel()
	front, g, _ := serve(t, func(o *gateway.Options) { o.ProgressLook = time.Hour }, building(10))
	ctx, stop := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() { defer close(followed); g.Follow(ctx) }()
	next := look(t, front)
	_, _ = next()
	stop()
	<-followed
	event, now := next()
	require.Empty(t, event)
	require.Nil(t, now)
}

func TestAPageRunsItsOwnScriptAlone(t *testing.T) {
	t.Parallel()
	front, _, _ := serve(t, nil, building(10))
	response, body := ask(t, front, stableHost, "Accept", "text/html")
	requirePage(t, response, body, http.StatusServiceUnavailable, true)
	require.Contains(t, body, `<noscript><meta http-equiv="refresh" content="3"></noscript>`)
	_, rest, found := strings.Cut(body, "<script>")
	require.True(t, found)
	script, _, _ := strings.Cut(rest, "</script>")
	require.Contains(t, script, progressPath)
	sum := sha256.Sum256([]byte(script))
	require.Contains(t, response.Header.Get("Content-Security-Policy"), "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	require.Contains(t, response.Header.Get("Content-Security-Policy"), "connect-src 'self'")
}
