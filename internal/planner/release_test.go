package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// plannedRelease is who runs what in the new image, and which warnings say that nobody does.
type plannedRelease struct {
	command  string
	from     deployment.ReleaseFrom
	args     []string
	warnings string
}

func TestRelease(t *testing.T) {
	t.Parallel()
	node := map[string]string{"package.json": `{"name": "x"}`, "server.js": "", "Procfile": "web: node server.js\nrelease: \"node migrate.js: all\"\n"}
	docker := map[string]string{"Dockerfile": "FROM debian:bookworm\nCMD [\"sleep\", \"1\"]\n", "Procfile": "release: ./migrate\n"}
	files := map[string]string{"index.html": "hi", "Procfile": "release: ./migrate\n"}
	own := deployment.Project{ReleaseCommand: "./migrate up"}
	for name, c := range map[string]struct {
		files   map[string]string
		project deployment.Project
		want    plannedRelease
	}{
		"the Procfile's":                {node, deployment.Project{}, plannedRelease{"node migrate.js: all", deployment.ReleaseFromProcfile, []string{"/bin/bash", "-lc", "node migrate.js: all"}, ""}},
		"the project's goes first":      {node, own, plannedRelease{"./migrate up", deployment.ReleaseFromProject, []string{"/bin/bash", "-lc", "./migrate up"}, ""}},
		"the project's in a Dockerfile": {docker, own, plannedRelease{"./migrate up", deployment.ReleaseFromProject, []string{"/bin/sh", "-c", "./migrate up"}, ""}},
		"not beside a Dockerfile":       {docker, deployment.Project{}, plannedRelease{"", "", nil, "release.ignored"}},
		"not where files are served":    {files, deployment.Project{Builder: deployment.BuilderStatic}, plannedRelease{"", "", nil, "release.ignored"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, c.files), c.project, nil)
			require.NoError(t, err)
			got := plannedRelease{plan.ReleaseCommand, plan.ReleaseFrom, plan.ReleaseArgs(), ""}
			for _, w := range plan.Warnings {
				if w.Code == "release.ignored" {
					got.warnings += w.Code
				}
			}
			require.Equal(t, c.want, got)
			require.NotContains(t, dockerfile, "migrate", "nothing of it runs while the image is built")
			require.NotContains(t, string(plan.Native), "migrate")
		})
	}
}

// The image does not depend on it: with another command it is not built again.
func TestRelease_IsNoPartOfTheDigest(t *testing.T) {
	t.Parallel()
	dir := writeRepo(t, map[string]string{"package.json": `{"name": "x"}`, "server.js": "", "Procfile": "web: node server.js\nrelease: ./a\n"})
	var digests []string
	for _, command := range []string{"", "./b"} {
		plan, _, err := newPlanner(t).Plan(t.Context(), dir, deployment.Project{ReleaseCommand: command}, nil)
		require.NoError(t, err)
		digest, err := plan.Digest()
		require.NoError(t, err)
		digests = append(digests, digest)
	}
	require.Equal(t, digests[0], digests[1])
}

func TestRelease_NeedsMoreThanFiles(t *testing.T) {
	t.Parallel()
	dir := writeRepo(t, map[string]string{"index.html": "hi"})
	_, _, err := newPlanner(t).Plan(t.Context(), dir, deployment.Project{ReleaseCommand: "./migrate"}, nil)
	require.Contains(t, requireFailure(t, err, deployment.ClassUser, "plan.static_commands").Fix, "release_command")
}
