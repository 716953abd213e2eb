package buildkit_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// sectioned is a Dockerfile as slipway renders them, with a phase that runs and prints nothing else. Each of its steps is its test's own,
// by MARK: a step that two builds have at the same time counts as run for both.
const sectioned = "FROM debian:bookworm-slim AS build\nWORKDIR /MARK\n" +
	"\n# install\nCOPY lock /app/lock\nRUN sleep 0.3 # MARK\n" +
	"\n# build\nCOPY . /app\nRUN sleep 0.1; head -c 300000 /dev/urandom > /app/out # MARK\n" +
	"\n# start\nCMD [\"true\"]\n"

func TestSolveTellsItsFigures(t *testing.T) {
	t.Parallel()
	mark := uuid.NewString()
	r := request(t, strings.ReplaceAll(sectioned, "MARK", mark), map[string]string{"lock": mark, "main": strings.Repeat(mark, 10_000)})
	r.Provenance = deployment.ProvenanceMin // the digest is that of an index
	s := &transcript{}
	out, err := stack.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())

	took := map[string]float64{}
	for _, p := range out.Phases {
		took[p.Name] = p.Seconds
	}
	require.GreaterOrEqual(t, took["install"], 0.3, "%v", out.Phases)
	require.GreaterOrEqual(t, took["build"], 0.1)
	for _, name := range []string{"context", "base", "export", "push"} {
		require.Contains(t, took, name)
	}
	require.Greater(t, out.Seconds, took["install"]+took["build"])

	layers, err := pull(t, r.Image).Layers()
	require.NoError(t, err)
	require.Len(t, out.Layers, len(layers))
	for i, layer := range layers {
		digest, err := layer.Digest()
		require.NoError(t, err)
		size, err := layer.Size()
		require.NoError(t, err)
		require.Equal(t, deployment.Layer{Digest: digest.String(), Bytes: size}, out.Layers[i])
	}
	require.Equal(t, len(layers), out.Image.Layers)
	require.Greater(t, out.Image.Bytes, int64(300_000))

	var context, run *deployment.VertexFigures
	for i, v := range out.Vertices {
		switch {
		case v.Name == "[internal] load build context":
			context = &out.Vertices[i]
		case strings.Contains(v.Name, "] RUN sleep 0.3"):
			run = &out.Vertices[i]
		}
	}
	require.Greater(t, context.Bytes, int64(360_000))
	require.GreaterOrEqual(t, run.Seconds, 0.3)
	require.False(t, run.Cached)

	again := r
	again.Ref, again.Image = uuid.NewString(), r.Image+"2"
	out, err = stack.Builder(t).Solve(t.Context(), again, &transcript{})
	require.NoError(t, err)
	require.Equal(t, out.Steps, out.Cached)
	for _, p := range out.Phases {
		require.NotEqual(t, "install", p.Name, "what comes from cache takes no time")
	}
}

// Phases come from the comments of a Dockerfile that slipway wrote; what stands in a repository's own means nothing.
func TestFiguresOfADockerfileOfTheRepositorysOwn(t *testing.T) {
	t.Parallel()
	r := request(t, strings.ReplaceAll(sectioned, "MARK", uuid.NewString()), map[string]string{"lock": "x"})
	r.DockerfilePath = "Dockerfile"
	out, err := stack.Builder(t).Solve(t.Context(), r, &transcript{})
	require.NoError(t, err)
	names := map[string]bool{}
	for _, p := range out.Phases {
		names[p.Name] = true
	}
	require.True(t, names["build"])
	require.False(t, names["install"])
}
