package api_test

import (
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// What a worker would write while a deploy goes on.

const runID = "run-1"

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// step starts the steps up to and including the last of those given.
func (w *world) step(id string, steps ...deployment.StepName) deployment.StepAttempt {
	w.t.Helper()
	w.begin(id)
	var a deployment.StepAttempt
	for _, name := range steps {
		a = deployment.StepAttempt{DeploymentID: id, RunID: runID, Step: name, Attempt: 1, Host: "host-1"}
		require.NoError(w.t, w.store.StepStarted(w.t.Context(), a, time.Now()))
	}
	w.logs.add(id)
	return a
}

// begin begins the deployment's run, unless it has begun.
func (w *world) begin(id string) {
	w.t.Helper()
	d, err := w.store.Deployment(w.t.Context(), id)
	require.NoError(w.t, err)
	require.NoError(w.t, w.store.BeginRun(w.t.Context(), id, d.RunID, runID))
}

// building brings a queued deployment to its build.
func (w *world) building(id string) deployment.StepAttempt {
	w.t.Helper()
	return w.step(id, deployment.StepFetch, deployment.StepPlan, deployment.StepBuild)
}

// ready brings a queued deployment live.
func (w *world) ready(id string) {
	w.t.Helper()
	w.step(id, deployment.StepRelease)
	_, err := w.store.SwitchRoute(w.t.Context(), runID, deployment.Preview{
		DeploymentID: id, Host: "host-1", ContainerID: "c", Container: "c", Network: "n", Address: "127.0.0.1:1",
		State: deployment.PreviewLive,
	})
	require.NoError(w.t, err)
	w.logs.add(id)
}

// finish ends a deployment that did not become ready.
func (w *world) finish(id string, outcome deployment.Status, f *deployment.Failure) {
	w.t.Helper()
	w.begin(id)
	_, err := w.store.Finish(w.t.Context(), id, runID, outcome, f)
	require.NoError(w.t, err)
	w.logs.add(id)
}
