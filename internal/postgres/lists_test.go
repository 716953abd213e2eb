package postgres_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func (b bench) numbers(f deployment.DeploymentFilter, limit int) []int {
	b.t.Helper()
	var numbers []int
	page := deployment.Page{Limit: limit}
	for {
		items, next, err := b.Deployments(b.t.Context(), f, page)
		require.NoError(b.t, err)
		require.LessOrEqual(b.t, len(items), limit)
		for _, d := range items {
			numbers = append(numbers, d.Number)
		}
		if page.Cursor = next; next == "" {
			return numbers
		}
	}
}

func TestDeploymentPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	want := []int{}
	for i := range 7 {
		d := b.deploy(p, []string{"production", "branch/a"}[i%2])
		b.exec("UPDATE environments SET order_policy = 'queue' WHERE id = $1", d.EnvironmentID)
		want = append(want, d.Number)
	}
	slices.Reverse(want)
	b.deploy(b.project("other"), "production")
	mine := deployment.DeploymentFilter{ProjectID: p.ID}
	for _, limit := range []int{1, 3, 7, 50} {
		require.Equal(t, want, b.numbers(mine, limit), "%d a page", limit)
	}
	// Many rows of one instant: the id decides, and no row is lost or doubled between pages.
	b.exec("UPDATE deployments SET created_at = '2026-01-01T00:00:00Z'")
	require.Equal(t, want, b.numbers(mine, 2))

	environment, err := b.Environment(t.Context(), p.ID, "branch/a")
	require.NoError(t, err)
	for _, f := range []deployment.DeploymentFilter{
		{EnvironmentID: environment.ID}, {ProjectID: p.ID, Environment: "branch/a"},
	} {
		require.Equal(t, []int{6, 4, 2}, b.numbers(f, 50))
	}
	require.Len(t, b.numbers(deployment.DeploymentFilter{Status: deployment.StatusQueued}, 50), 8)
	for _, f := range []deployment.DeploymentFilter{
		{Status: deployment.StatusReady}, {ProjectID: "nope"}, {EnvironmentID: "x"}, {Environment: "nul\x00"}, {Status: "\xff"},
	} {
		require.Empty(t, b.numbers(f, 50))
	}
}

func TestCursorsOfAnotherListAreInvalid(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"a", "b"} {
		b.deploy(b.project(name), "production")
	}
	_, ofProjects, err := b.Projects(t.Context(), deployment.Page{Limit: 1})
	require.NoError(t, err)
	_, ofDeployments, err := b.Deployments(t.Context(), deployment.DeploymentFilter{}, deployment.Page{Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, ofProjects)
	require.NotEmpty(t, ofDeployments)
	for _, cursor := range []string{"nope", "%%%", ofProjects, "ZDo", "ZDo5OTk5OTk5OTk5OTk5OTk5OTk5LHg"} {
		_, _, err = b.Deployments(t.Context(), deployment.DeploymentFilter{}, deployment.Page{Cursor: cursor})
		require.ErrorIs(t, err, deployment.ErrInvalidCursor, cursor)
	}
	for _, cursor := range []string{"nope", "%%%", ofDeployments, "cDoA"} {
		_, _, err = b.Projects(t.Context(), deployment.Page{Cursor: cursor})
		require.ErrorIs(t, err, deployment.ErrInvalidCursor, cursor)
	}
}
