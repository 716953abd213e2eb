package activities_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// A deploy that ended while its host was away: nobody removed its container, its network and its checkout.
func TestSweep_RemovesWhatADeployCouldNot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	require.NoError(t, b.store.BeginRun(t.Context(), d.ID, "", "run"))
	spec := deployment.RunSpec{DeploymentID: d.ID, RunID: "run", Name: "container-" + d.ID, Port: 3000}
	for kind, name := range map[deployment.ResourceKind]string{
		deployment.ResourceContainer: spec.Name, deployment.ResourceNetwork: b.engine.NetworkName(d.ID), deployment.ResourceWorkspace: d.ID,
	} {
		require.NoError(t, b.store.Own(t.Context(), deployment.Resource{Kind: kind, Name: name, Host: hostID, DeploymentID: d.ID, RunID: "run"}))
	}
	_, err := b.engine.Start(t.Context(), spec)
	require.NoError(t, err)
	dir, err := b.workspaces.Prepare(d.ID)
	require.NoError(t, err)
	sweeper := activities.Sweeper{LeftOvers: b.store, Ledger: b.store, Engine: b.engine, Workspaces: b.workspaces, Mirrors: b.mirrors, Projects: b.store, Alone: b.preview.Alone, HostID: hostID}

	removed, err := sweeper.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, removed, "it is under way")
	_, err = b.store.Finish(t.Context(), d.ID, "run", deployment.StatusFailed, nil)
	require.NoError(t, err)
	removed, err = sweeper.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, removed)
	require.Empty(t, b.engine.running())
	require.Empty(t, b.owned(d))
	_, err = os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	removed, err = sweeper.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, removed, "a second pass finds nothing")
}

// A workflow that was terminated never sees it: its deployment would be building, and hold a build slot, for ever.
func TestRepair_ClosesWhatWasTerminated(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	r := b.reconciler()
	r.Age = time.Minute
	require.NoError(t, r.Workflows.Start(t.Context(), d, b.project))
	run, _, err := r.Workflows.CurrentRun(t.Context(), d.ID)
	require.NoError(t, err)
	require.NoError(t, b.store.BeginRun(t.Context(), d.ID, "", run))
	require.NoError(t, b.store.Own(t.Context(), b.lease(d, hostID)))
	_, err = b.pool.Exec(t.Context(), "UPDATE deployments SET started_at = started_at - interval '1 hour'")
	require.NoError(t, err)

	result, err := r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, temporal.ReconcileResult{}, result, "its workflow runs")
	require.NoError(t, b.client.TerminateWorkflow(t.Context(), temporal.DeployWorkflowID(d.ID), "", "test"))
	result, err = r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, temporal.ReconcileResult{Closed: 1}, result)
	closed := b.get(d)
	require.Equal(t, deployment.StatusFailed, closed.Status)
	require.Equal(t, "deploy.workflow_lost", closed.Failure.Code)
	require.NotEmpty(t, closed.Failure.Fix)
	require.Empty(t, b.owned(d), "its slot is free again")
}

// A workflow that was terminated before its first task is there, and can neither be started again nor begin.
func TestRepair_ClosesWhatWasTerminatedBeforeItBegan(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	r := b.reconciler()
	r.Age = 0
	result, err := r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, temporal.ReconcileResult{Started: 1}, result)
	require.NoError(t, b.client.TerminateWorkflow(t.Context(), temporal.DeployWorkflowID(d.ID), "", "test"))
	result, err = r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, temporal.ReconcileResult{Closed: 1}, result)
	require.Equal(t, "deploy.workflow_lost", b.get(d).Failure.Code)
}

// The stop of a container takes its time; what a retry has taken over meanwhile is not removed after it.
func TestSweep_LooksAgainBeforeItRemoves(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	require.NoError(t, b.store.BeginRun(t.Context(), d.ID, "", "run"))
	own := func(kind deployment.ResourceKind, name, run string) {
		require.NoError(t, b.store.Own(t.Context(), deployment.Resource{Kind: kind, Name: name, Host: hostID, DeploymentID: d.ID, RunID: run}))
	}
	own(deployment.ResourceContainer, "container-"+d.ID, "run")
	own(deployment.ResourceWorkspace, d.ID, "run")
	dir, err := b.workspaces.Prepare(d.ID)
	require.NoError(t, err)
	_, err = b.store.Finish(t.Context(), d.ID, "run", deployment.StatusFailed, nil)
	require.NoError(t, err)
	b.engine.on("stop", once(func(ctx context.Context) error {
		require.NoError(t, b.store.BeginRun(ctx, d.ID, "run", "retry"))
		own(deployment.ResourceWorkspace, d.ID, "retry")
		return nil
	}))
	sweeper := activities.Sweeper{LeftOvers: b.store, Ledger: b.store, Engine: b.engine, Workspaces: b.workspaces, Mirrors: b.mirrors, Projects: b.store, Alone: b.preview.Alone, HostID: hostID, Age: time.Hour}
	removed, err := sweeper.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.DirExists(t, dir)
	require.Equal(t, []string{d.ID}, b.owned(d, deployment.ResourceWorkspace))
}

// Images that were pulled for previews which were not made, or are no more; of others' images nothing is known.
func TestSweep_RemovesImagesThatWerePulledInVain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	digest := "sha256:" + strings.Repeat("a", 64)
	unknown := "registry:5000/other@sha256:" + strings.Repeat("b", 64)
	image := "registry:5000/app@" + digest
	b.engine.images = []string{image, unknown}
	d := b.deploy()
	require.NoError(t, b.store.BeginRun(t.Context(), d.ID, "", "run"))
	require.NoError(t, b.store.SetImage(t.Context(), d.ID, "run", deployment.BuiltImage{Image: "app", Digest: digest, Input: "input"}))
	sweeper := activities.Sweeper{LeftOvers: b.store, Ledger: b.store, Engine: b.engine, Workspaces: b.workspaces, Mirrors: b.mirrors, Projects: b.store, Alone: b.preview.Alone, HostID: hostID}
	sweep := func() int {
		n, err := sweeper.Sweep(t.Context())
		require.NoError(t, err)
		return n
	}
	require.Zero(t, sweep(), "it is about to be run")
	_, err := b.store.Finish(t.Context(), d.ID, "run", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	sweeper.Age = time.Hour
	require.Zero(t, sweep(), "it ended just now")
	sweeper.Age = 0
	found, err := sweeper.CompareHost(t.Context(), temporal.ReconcileInput{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, []deployment.Difference{{Kind: "image", Thing: image, Host: hostID, Found: "nothing runs it", Repair: "removed"}}, found.Differences)
	require.Equal(t, 1, sweep())
	require.Equal(t, []string{unknown}, b.engine.images)
}
