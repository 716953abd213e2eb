package chaos_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/slipway-dev/slipway/api/client"
)

// act is what is done to deploys that are held at their moments.
type act struct {
	// all is done once, to all of them; may be nil.
	all func(t *testing.T, deploys []held)
	// each is done to each of them, beside the others. It returns once all about the deploy is as it should be.
	each func(t *testing.T, h held)
}

// acts are the rows of the matrix, in its order: processes that are killed, then what people do.
var acts = []string{"worker", "api", "gateway", "temporal", "postgres", "buildkitd", "dockerd", "registry", "cancel", "worker-cancel", "race", "terminate"}

func actOf(name string) act {
	switch name {
	case "cancel":
		return act{each: cancelIt}
	case "worker-cancel":
		return act{all: cancelWithoutWorker, each: canceledAll}
	case "race":
		return act{each: race}
	case "terminate":
		return act{each: terminate}
	default:
		return kill(name)
	}
}

// kill kills a process and starts it again after a while, as whatever supervises it would.
func kill(process string) act {
	return act{
		all: func(t *testing.T, deploys []held) {
			t.Helper()
			require.NoError(t, in.part(process).kill())
			for _, h := range deploys {
				h.let()
			}
			require.NoError(t, pause(t.Context(), *down))
			require.NoError(t, in.part(process).start(t.Context()))
		},
		each: func(t *testing.T, h held) {
			t.Helper()
			awaitStatus(t, h.id, "ready")
			requireInvariants(t, h.app, h.id)
		},
	}
}

// whileHeld makes a request while the deploy is held. Only one that is about to switch holds up others, by its lock, which
// is then let go of.
func whileHeld[A any](t *testing.T, h held, request func() A) A {
	t.Helper()
	patience := time.Minute
	if h.at == "switch" {
		patience = time.Second
	}
	answer := make(chan A, 1)
	go func() { answer <- request() }()
	select {
	case a := <-answer:
		return a
	case <-time.After(patience):
		require.Equal(t, "switch", h.at, "what holds the deploy holds up a request")
		h.let()
		return <-answer
	}
}

// cancelIt cancels the deploy while it is held, so that nothing but the cancel can end what is held. Before the switch it
// ends canceled; from there on the cancel is refused.
func cancelIt(t *testing.T, h held) {
	t.Helper()
	status := whileHeld(t, h, func() int {
		status, _ := in.call(t.Context(), http.MethodPost, "/v1/deployments/"+h.id+"/cancel", "", nil, nil)
		return status
	})
	if h.at == "switch" && status == http.StatusConflict {
		h.at = "drain" // it came after the switch
	}
	if h.at == "drain" {
		require.Equal(t, http.StatusConflict, status)
		h.let()
	} else {
		require.Equal(t, http.StatusAccepted, status)
	}
	if h.at == "switch" { // the end is written to the row that is locked
		h.let()
	}
	canceledAll(t, h)
}

// cancelWithoutWorker kills the worker and cancels what it was doing while it is dead.
func cancelWithoutWorker(t *testing.T, deploys []held) {
	t.Helper()
	require.NoError(t, in.part("worker").kill())
	for _, h := range deploys {
		h.let()
		status, err := in.call(t.Context(), http.MethodPost, "/v1/deployments/"+h.id+"/cancel", "", nil, nil)
		if h.at == "drain" {
			require.Equal(t, http.StatusConflict, status)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, status)
	}
	require.NoError(t, pause(t.Context(), *down))
	require.NoError(t, in.part("worker").start(t.Context()))
}

// canceledAll waits for what a cancel that came in time leads to.
func canceledAll(t *testing.T, h held) {
	t.Helper()
	if h.at == "drain" {
		awaitStatus(t, h.id, "ready")
		requireInvariants(t, h.app, h.id)
		return
	}
	awaitStatus(t, h.id, "canceled")
	requireNothingLeft(t, h.id)
}

// race asks for a deploy of a newer commit while the older one is held, then lets both go: the newer one is live in the
// end, and the older one is superseded, unless it was live before.
func race(t *testing.T, h held) {
	t.Helper()
	h.app.commitThat(t, "this is the newer "+h.app.project)
	var err error
	newer := whileHeld(t, h, func() (id string) { id, err = h.app.post(t.Context()); return id })
	require.NoError(t, err)
	h.let()
	awaitStatus(t, newer, "ready")
	requireInvariants(t, h.app, newer)
	older := await(t, h.id, "ended", ofADeploy, func(d client.Deployment) bool { return d.FinishedAt != nil })
	if h.at == "drain" {
		require.Equal(t, "ready", string(older.Status))
	}
	require.Contains(t, []string{"ready", "superseded"}, string(older.Status))
}

// terminate ends the workflow in a way that it never sees. What is not live yet fails, and nothing of it is left.
func terminate(t *testing.T, h held) {
	t.Helper()
	require.Eventually(t, func() bool { // one that is queued may not have a workflow yet
		err := in.flows.TerminateWorkflow(t.Context(), "deploy/"+h.id, "", "chaos")
		var unknown *serviceerror.NotFound
		require.True(t, err == nil || errors.As(err, &unknown), "%v", err)
		return err == nil
	}, ofADeploy, tick)
	if h.at == "switch" { // whoever has begun to switch may end that
		h.let()
	}
	d := await(t, h.id, "ended", ofADeploy, func(d client.Deployment) bool { return d.FinishedAt != nil })
	if d.Status == "ready" {
		require.Contains(t, []string{"switch", "drain"}, h.at)
		h.let()
		requireInvariants(t, h.app, h.id)
		return
	}
	require.Equal(t, "failed", string(d.Status))
	require.Equal(t, "deploy.workflow_lost", d.Failure.Code)
	requireNothingLeft(t, h.id)
}
