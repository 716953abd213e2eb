package postgres_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestProjectRoundTrip(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	want := deployment.Project{
		Name: "app", RepoURL: "https://git.example.com/app", RootDir: "apps/web", Builder: deployment.BuilderNixpacks,
		InstallCommand: "npm ci", BuildCommand: "npm run build", StartCommand: "npm start", ReleaseCommand: "npm run migrate", Port: 8000,
		HealthCheck:      deployment.HealthCheck{Path: "/health", Status: 204, TimeoutSeconds: 5},
		ProductionBranch: "main", BuildTimeoutSeconds: 60, ReleaseTimeoutSeconds: 90,
		Resources: deployment.Resources{CPUs: 1.5, MemoryMB: 256, PIDs: 64, DiskMB: 1024, LogMB: 20, OpenFiles: 2048, ReadOnlyRoot: true},
		Build: deployment.BuildSettings{
			Dockerfile: deployment.DockerfileSettings{Path: "d/Dockerfile", Target: "web", BuildArgs: map[string]string{"A": "b"}},
			Static:     deployment.StaticSettings{Folder: "dist", SPA: true, Headers: []deployment.StaticHeader{{Path: "/a/*", Name: "X", Value: "y"}}},
			Strict:     []string{deployment.StrictAll}, Repairs: deployment.RepairsOff, Network: deployment.BuildNetworkNone, NonRoot: true,
			Provenance: deployment.ProvenanceMax, SBOM: true, Reproducible: true,
		},
	}
	made, err := b.CreateProject(t.Context(), want)
	require.NoError(t, err)
	want.ID, want.CreatedAt, want.UpdatedAt = made.ID, made.CreatedAt, made.UpdatedAt
	require.Equal(t, want, made)
	require.EqualValues(t, 7, uuid.MustParse(made.ID).Version())
	for _, key := range []string{made.ID, "app"} {
		found, err := b.Project(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, made, found)
	}

	made.Name, made.HealthCheck.Status, made.ProductionBranch = "renamed", 0, ""
	made.ReleaseCommand, made.ReleaseTimeoutSeconds = "", 600
	made.Build = deployment.BuildSettings{}.WithDefaults()
	changed, err := b.UpdateProject(t.Context(), made)
	require.NoError(t, err)
	require.False(t, changed.UpdatedAt.Before(made.UpdatedAt))
	made.UpdatedAt = changed.UpdatedAt
	require.Equal(t, made, changed)
	_, err = b.Project(t.Context(), "app")
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestUpdateProjectRefusesWhatWasReadBeforeAChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	read := b.project("app")
	require.NoError(t, b.SetProductionBranch(t.Context(), read.ID, "main"))
	_, err := b.UpdateProject(t.Context(), read)
	require.ErrorIs(t, err, deployment.ErrConflict, "it would take the production branch back")

	again, err := b.Project(t.Context(), read.ID)
	require.NoError(t, err)
	require.True(t, again.UpdatedAt.After(read.UpdatedAt))
	require.NoError(t, b.SetProductionBranch(t.Context(), read.ID, "other"), "it changes nothing, and so no version")
	again.Port = 3000
	changed, err := b.UpdateProject(t.Context(), again)
	require.NoError(t, err)
	require.Equal(t, "main", changed.ProductionBranch)
	_, err = b.UpdateProject(t.Context(), again)
	require.ErrorIs(t, err, deployment.ErrConflict)
}

func TestUnknownProjects(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, key := range []string{"", "nope", "01890000-0000-7000-8000-000000000000", "nul\x00", "bad\xff", "{}"} {
		_, err := b.Project(t.Context(), key)
		require.ErrorIs(t, err, deployment.ErrNotFound, "%q", key)
		_, err = b.UpdateProject(t.Context(), deployment.Project{ID: key, Name: "app"}.WithDefaults())
		require.ErrorIs(t, err, deployment.ErrNotFound, "%q", key)
		_, err = b.Delete(t.Context(), deployment.Scope{ProjectID: key})
		require.ErrorIs(t, err, deployment.ErrNotFound, "%q", key)
	}
}

func TestProjectNamesAreTakenUntilDeletion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, other := b.project("app"), b.project("other")
	_, err := b.CreateProject(t.Context(), deployment.Project{Name: "app"}.WithDefaults())
	require.ErrorIs(t, err, deployment.ErrNameTaken)
	other.Name = "app"
	_, err = b.UpdateProject(t.Context(), other)
	require.ErrorIs(t, err, deployment.ErrNameTaken)

	old := b.deploy(p, "production")
	b.remove(of(p))
	_, err = b.Route(t.Context(), old.PreviewHost)
	require.ErrorIs(t, err, deployment.ErrNotFound, "nothing of a deleted project is shown")
	require.Empty(t, b.numbers(deployment.DeploymentFilter{}, 50))

	again := b.project("app")
	require.Equal(t, old.EnvHost, b.deploy(again, "production").EnvHost, "its host names are free again too")
}

func TestProjectPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"delta", "alpha", "charlie", "bravo"} {
		b.project(name)
	}
	var names []string
	page := deployment.Page{Limit: 2}
	for {
		items, next, err := b.Projects(t.Context(), page)
		require.NoError(t, err)
		for _, p := range items {
			names = append(names, p.Name)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	require.Equal(t, []string{"alpha", "bravo", "charlie", "delta"}, names)
}

func TestProductionBranchIsSetOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	require.NoError(t, b.SetProductionBranch(t.Context(), p.ID, "trunk"))
	require.NoError(t, b.SetProductionBranch(t.Context(), p.ID, "other"))
	found, err := b.Project(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, "trunk", found.ProductionBranch)
}
