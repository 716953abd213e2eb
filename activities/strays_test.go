package activities_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

func (b *bench) sweeper(host string) *activities.Sweeper {
	return &activities.Sweeper{LeftOvers: b.store, Ledger: b.store, Engine: b.engine, Workspaces: b.workspaces, Mirrors: b.mirrors, Projects: b.store, Alone: b.preview.Alone, HostID: host}
}

// workspace makes a checkout's folder behind everybody's back.
func (b *bench) workspace(id string) string {
	b.t.Helper()
	dir := filepath.Join(b.workspaces.Root, id)
	require.NoError(b.t, os.MkdirAll(dir, 0o700))
	return dir
}

// things are what differences are of.
func things(found []deployment.Difference) (list []string) {
	for _, d := range found {
		list = append(list, d.Kind+" "+d.Thing+": "+d.Repair)
	}
	slices.Sort(list)
	return list
}

func TestSweep_RemovesWhatNoRowKnowsOf(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	live := b.live()
	purged := uuid.NewString() // of a deployment that a restored database does not know, say
	container := "slipway-" + purged + "-1"
	b.engine.add(container)
	b.workspace(purged)
	kept := b.workspace("lost+found")
	s := b.sweeper(hostID)
	s.Age = time.Minute // the checkout has just been made; the engine says nothing of the container's age

	look, err := s.CompareHost(t.Context(), temporal.ReconcileInput{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, []string{"container " + container + ": removed"}, things(look.Differences))
	require.Contains(t, b.engine.running(), container, "it only looked")

	require.NoError(t, os.Chtimes(b.workspace(purged), time.Time{}, time.Now().Add(-time.Hour)))
	swept, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, swept)
	require.NotContains(t, b.engine.running(), container)
	require.Len(t, b.engine.running(), 1, "%s is live", live.ID)
	require.NoDirExists(t, filepath.Join(b.workspaces.Root, purged))
	require.DirExists(t, kept, "slipway did not make it")
	swept, err = s.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, swept)
}

// The route was switched by a worker that had been given up: its host had been forgotten meanwhile, with its rows.
func TestSweep_WhatIsLiveGetsItsRowsBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	before := b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork)
	_, err := b.pool.Exec(t.Context(), "DELETE FROM resources WHERE host = $1", hostID)
	require.NoError(t, err)
	require.NoError(t, b.workspaces.Remove(d.ID)) // which this bench does not vacate

	other, err := b.sweeper("another on the same engine").CompareHost(t.Context(), temporal.ReconcileInput{List: true})
	require.NoError(t, err)
	require.Empty(t, other.Differences)
	found, err := b.sweeper(hostID).CompareHost(t.Context(), temporal.ReconcileInput{List: true})
	require.NoError(t, err)
	require.Len(t, found.Differences, 2)
	require.ElementsMatch(t, before, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork))
	require.Len(t, b.engine.running(), 1)
}

// Two hosts may share an engine: what one has a row for is no stray of the other.
func TestSweep_LeavesTheOtherHostsThingsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.live()
	found, err := b.sweeper("another on the same engine").CompareHost(t.Context(), temporal.ReconcileInput{List: true})
	require.NoError(t, err)
	require.Empty(t, found.Differences)
	require.Len(t, b.engine.running(), 1)
}

// The container of a live preview was removed by hand: the preview has failed, and its rows stand for nothing.
func TestSweep_GivesUpWhatAFailedPreviewHeld(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	for _, name := range b.engine.running() {
		require.NoError(t, b.engine.Stop(t.Context(), name, 0))
	}
	require.NoError(t, b.store.SetPreviewState(t.Context(), d.ID, deployment.PreviewFailed))
	require.NoError(t, b.store.Own(t.Context(), b.lease(d, hostID))) // and a slot that was never given back
	swept, err := b.sweeper(hostID).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, swept, "container, network, lease and the checkout that this bench does not vacate")
	require.Empty(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork, deployment.ResourceLease))
}
