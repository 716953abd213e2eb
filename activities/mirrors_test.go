package activities_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// mirrored lists the projects that have a mirror on the host.
func (b *bench) mirrored() []string {
	b.t.Helper()
	projects, err := b.mirrors.Projects()
	require.NoError(b.t, err)
	return projects
}

// mirror fetches the bench's repository for a project, as that project's deploys do.
func (b *bench) mirror(projectID string) {
	b.t.Helper()
	require.NoError(b.t, b.git.Fetch(b.t.Context(), deployment.Repository{URL: b.repo.URL, ProjectID: projectID}, b.commit, deployment.Ref{}, b.t.TempDir(), nil))
}

// A host that did not answer when the project was deleted still has its mirror.
func TestSweep_RemovesMirrorsOfDeletedProjects(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	gone := uuid.NewString()
	b.mirror(gone)
	b.mirror(b.project.ID)
	b.mirror("not-slipways")
	sweeper := activities.Sweeper{LeftOvers: b.store, Ledger: b.store, Engine: b.engine, Workspaces: b.workspaces, Mirrors: b.mirrors, Projects: b.store, Alone: b.preview.Alone, HostID: hostID}
	removed, err := sweeper.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.ElementsMatch(t, []string{b.project.ID, "not-slipways"}, b.mirrored())
	removed, err = sweeper.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, removed, "a second pass finds nothing")
}
