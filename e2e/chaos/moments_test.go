package chaos_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// moment is a point of a deploy that an app is brought to and held at.
type moment struct {
	name     string
	settings map[string]any // of the project
	delay    time.Duration  // between the app's start and its first answer
	round    round
	// reach asks for a deploy and returns once it is at the moment; let, which may be called again, lets go of it.
	reach func(t *testing.T, a *app) (id string, let func())
}

// round says when an app is brought to its moment where several are, for one kill: those that are held wait for those that
// pass.
type round int

const (
	isHeld  round = iota
	passes        // after seconds
	isShort       // passes at once
)

// moments are in the order in which a deploy comes to them.
var moments = []moment{
	{name: "queued", round: isShort, reach: func(t *testing.T, a *app) (string, func()) { t.Helper(); return a.deploy(t), func() {} }}, // the 202 says so
	{name: "resolve", reach: atResolve},
	{name: "fetch", reach: atFetch},
	{name: "plan", reach: heldByFile("plan", "plan", "")},
	{name: "solve", round: passes, settings: map[string]any{"build_command": "echo build has begun; sleep 10"}, reach: atStep("build", "solve")},
	{name: "push", reach: heldByFile("push", "build", "push")},
	{name: "pull", reach: heldByFile("pull", "release", "pull")},
	{name: "start", reach: atStart},
	{name: "probe", round: passes, delay: 10 * time.Second, reach: atStep("release", "probe")},
	{name: "switch", reach: atSwitch},
	{name: "drain", reach: atDrain},
}

// atResolve deploys a branch, which the git server is asked for, and has it hold the answer.
func atResolve(t *testing.T, a *app) (string, func()) {
	t.Helper()
	g := gitGate(a)
	in.git.add(g)
	var d client.Deployment
	_, err := in.call(t.Context(), http.MethodPost, "/v1/projects/"+a.project+"/deployments", "", map[string]any{"branch": "main"}, &d)
	require.NoError(t, err)
	awaitStep(t, d.ID, "resolve", "")
	awaitGate(t, g)
	return d.ID, g.open
}

func gitGate(a *app) *gate {
	return newGate(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/"+a.project+".git/") })
}

// atFetch has the git server hold the answer to a fetch; what resolving asks for passes.
func atFetch(t *testing.T, a *app) (string, func()) {
	t.Helper()
	ours := gitGate(a).match
	g := newGate(func(r *http.Request) bool { return ours(r) && fetches(r) })
	in.git.add(g)
	id := a.deploy(t)
	awaitStep(t, id, "fetch", "")
	awaitGate(t, g)
	return id, g.open
}

// fetches reports whether a request of git's protocol asks for objects. Its body can be read again after that.
func fetches(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && bytes.Contains(body, []byte("want "))
}

// atStart has the Docker engine hold the request that makes the container, whose name says whose it is.
func atStart(t *testing.T, a *app) (string, func()) {
	t.Helper()
	id, plan := heldByFile("plan", "plan", "")(t, a) // until the gate is there
	g := newGate(func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/containers/create") && strings.Contains(r.URL.Query().Get("name"), id)
	})
	in.engine.add(g)
	plan()
	awaitStep(t, id, "release", "start")
	awaitGate(t, g)
	return id, g.open
}

// heldByFile lets a file hold a deploy at a step: the planner's program and the registry wait while it is there.
func heldByFile(name, step, phase string) func(*testing.T, *app) (string, func()) {
	return func(t *testing.T, a *app) (string, func()) {
		t.Helper()
		file := in.path("hold/" + name + "." + a.project)
		require.NoError(t, os.WriteFile(file, nil, 0o644))
		id := a.deploy(t)
		awaitStep(t, id, step, phase)
		return id, func() { os.Remove(file) }
	}
}

// atStep needs no hook: the step takes seconds by itself.
func atStep(step, phase string) func(*testing.T, *app) (string, func()) {
	return func(t *testing.T, a *app) (string, func()) {
		t.Helper()
		id := a.deploy(t)
		awaitStep(t, id, step, phase)
		return id, func() {}
	}
}

// atSwitch holds a lock on the environment's row, which the switch has to write and nothing between the start and it.
func atSwitch(t *testing.T, a *app) (string, func()) {
	t.Helper()
	id, begin := atStart(t, a)
	defer begin()
	lock, err := in.db.Begin(t.Context())
	require.NoError(t, err)
	let := func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) } // fails once Postgres was killed: the lock is gone then
	_, err = lock.Exec(t.Context(), "SELECT FROM environments e JOIN deployments d ON d.environment_id = e.id WHERE d.id = $1 FOR UPDATE OF e", id)
	require.NoError(t, err)
	begin()
	awaitBlocked(t, lock.Conn())
	return id, let
}

// awaitBlocked waits until another session waits for what this one has locked.
func awaitBlocked(t *testing.T, holding *pgx.Conn) {
	t.Helper()
	pid := holding.PgConn().PID()
	require.Eventually(t, func() bool {
		var blocked bool
		err := in.db.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))", pid).Scan(&blocked)
		return err == nil && blocked
	}, ofADeploy, tick, "nothing waits for the environment's row")
}

// atDrain replaces a live preview, and has the Docker engine hold the stop of its container.
func atDrain(t *testing.T, a *app) (string, func()) {
	t.Helper()
	a.live = a.deploy(t)
	before := awaitStatus(t, a.live, "ready")
	running, err := engine(t.Context(), "ps", "-q", "--no-trunc", "--filter", "label=slipway.environment="+before.Environment.ID)
	require.NoError(t, err)
	require.Len(t, running, 1)
	g := newGate(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/containers/"+running[0]+"/stop") })
	in.engine.add(g)
	id := a.deploy(t)
	awaitGate(t, g)
	return id, g.open
}

func awaitGate(t *testing.T, g *gate) {
	t.Helper()
	select {
	case <-g.arrived:
	case <-time.After(ofADeploy):
		require.FailNow(t, "nothing came to the gate")
	}
}

// awaitStep waits until a step, or a phase of it, runs.
func awaitStep(t *testing.T, id, step, phase string) {
	t.Helper()
	await(t, id, "at "+step+" "+phase, ofADeploy, func(client.Deployment) bool {
		var page struct {
			Items []struct{ Name, Phase, Status string } `json:"items"`
		}
		_, err := in.call(t.Context(), http.MethodGet, "/v1/deployments/"+id+"/steps", "", nil, &page)
		if err != nil {
			return false
		}
		for _, s := range page.Items {
			if s.Name == step && s.Phase == phase && s.Status == "running" {
				return true
			}
		}
		return false
	})
}
