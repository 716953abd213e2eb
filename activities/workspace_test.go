package activities_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
)

const (
	someDeployment = "0198c5a0-0000-7000-8000-000000000001"
	someCommit     = "0123456789abcdef0123456789abcdef01234567"
)

func newWorkspaces(t *testing.T) activities.Workspaces {
	t.Helper()
	return activities.Workspaces{Root: filepath.Join(t.TempDir(), "w")}
}

// fetched is a folder as a fetch leaves it.
func fetched(t *testing.T, w activities.Workspaces, content string) string {
	t.Helper()
	dir, err := w.Prepare(someDeployment)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte(content), 0o600))
	return dir
}

func TestWorkspaces_OnlyPublishMakesACheckout(t *testing.T) {
	t.Parallel()
	w := newWorkspaces(t)
	dir := fetched(t, w, "x")
	_, err := w.Open(someDeployment, someCommit)
	require.Error(t, err)
	require.NoError(t, w.Publish(someDeployment, someCommit, dir))
	checkout, err := w.Open(someDeployment, someCommit)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(checkout, "file"))
	_, err = w.Open(someDeployment, "fedcba9876543210fedcba9876543210fedcba98")
	require.Error(t, err, "another commit")
}

func TestWorkspaces_PublishAtTheSameTimeLeavesOneCheckout(t *testing.T) {
	t.Parallel()
	w := newWorkspaces(t)
	var wait sync.WaitGroup
	for range 8 {
		dir := fetched(t, w, "x")
		wait.Go(func() {
			assert.NoError(t, w.Publish(someDeployment, someCommit, dir))
			assert.NoError(t, os.RemoveAll(dir))
		})
	}
	wait.Wait()
	checkout, err := w.Open(someDeployment, someCommit)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(checkout, "file"))
	entries, err := os.ReadDir(filepath.Join(w.Root, someDeployment))
	require.NoError(t, err)
	require.Len(t, entries, 2, "the checkout and its marker")
}

func TestWorkspaces_DeathBetweenRenameAndMarker(t *testing.T) {
	t.Parallel()
	w := newWorkspaces(t)
	dir := fetched(t, w, "x")
	require.NoError(t, os.Rename(dir, filepath.Join(w.Root, someDeployment, someCommit)))
	_, err := w.Open(someDeployment, someCommit)
	require.Error(t, err, "without its marker it does not count")
	require.NoError(t, w.Publish(someDeployment, someCommit, fetched(t, w, "x")))
	_, err = w.Open(someDeployment, someCommit)
	require.NoError(t, err)
}

func TestWorkspaces_DeathWhileTheMarkerIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorkspaces(t)
	require.NoError(t, w.Publish(someDeployment, someCommit, fetched(t, w, "x")))
	marker := filepath.Join(w.Root, someDeployment, someCommit+".complete")
	require.NoError(t, os.WriteFile(marker, []byte(someCommit[:10]), 0o600))
	_, err := w.Open(someDeployment, someCommit)
	require.Error(t, err)
}

func TestWorkspaces_DeathInTheMiddleOfRemove(t *testing.T) {
	t.Parallel()
	w := newWorkspaces(t)
	require.NoError(t, w.Publish(someDeployment, someCommit, fetched(t, w, "x")))
	checkout, err := w.Open(someDeployment, someCommit)
	require.NoError(t, err)
	// A folder in the checkout that cannot be removed stops Remove as a kill would. Root may do everything, so it is the
	// order that is looked at: a directory in the marker's place shows that Remove went for it first.
	marker := checkout + ".complete"
	require.NoError(t, os.Remove(marker))
	require.NoError(t, os.MkdirAll(filepath.Join(marker, "full"), 0o700))
	require.Error(t, w.Remove(someDeployment))
	require.FileExists(t, filepath.Join(checkout, "file"), "the marker goes before any file of the checkout")
}

func TestWorkspaces_AMarkerWithoutItsCheckoutDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorkspaces(t)
	require.NoError(t, w.Publish(someDeployment, someCommit, fetched(t, w, "x")))
	require.NoError(t, os.RemoveAll(filepath.Join(w.Root, someDeployment, someCommit)))
	_, err := w.Open(someDeployment, someCommit)
	require.Error(t, err)
}

func TestWorkspaces_RemoveAgain(t *testing.T) {
	t.Parallel()
	w := newWorkspaces(t)
	require.NoError(t, w.Remove(someDeployment), "never made")
	require.NoError(t, w.Publish(someDeployment, someCommit, fetched(t, w, "x")))
	ids, err := w.List()
	require.NoError(t, err)
	require.Equal(t, []string{someDeployment}, ids)
	require.NoError(t, w.Remove(someDeployment))
	require.NoError(t, w.Remove(someDeployment))
	ids, err = w.List()
	require.NoError(t, err)
	require.Empty(t, ids)
}
