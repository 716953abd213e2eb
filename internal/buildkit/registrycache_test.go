package buildkit_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// keep puts r's steps, which b has built, into the registry and returns them as another build names them.
func keep(t *testing.T, r deployment.BuildRequest) string {
	t.Helper()
	r.Ref = uuid.NewString()
	r.Output.Kind, r.CacheTo = deployment.OutputNone, r.Image+"-cache"
	s := &transcript{}
	out, err := stack.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())
	require.Equal(t, out.Steps, out.Cached, "nothing is built again: %s", s.text())
	digest, err := stack.Client().Digest(t.Context(), r.CacheTo)
	require.NoError(t, err)
	require.NotEmpty(t, digest)
	return stack.Registry + "/test@" + digest
}

// A builder that has never seen the project has the steps of the stages before the last one too.
func TestRegistryCache_AnEmptyBuilderBeginsWithTheStepsOfAnother(t *testing.T) {
	t.Parallel()
	id := uuid.NewString()
	first := request(t, "FROM debian:bookworm-slim AS build\nRUN echo "+id+" > /made\nCOPY source /source\nRUN cat /made /source > /out\n"+
		from+"COPY --from=build /out /out\n", map[string]string{"source": "one"})
	_, err := stack.Builder(t).Solve(t.Context(), first, &transcript{})
	require.NoError(t, err)
	kept := keep(t, first)

	other := buildkittest.StartEmpty(t, 1<<30)
	again := request(t, first.Dockerfile, map[string]string{"source": "two"})
	again.CacheFrom, again.CacheScope = []string{kept}, first.CacheScope
	s := &transcript{}
	out, err := other.Builder(t).Solve(t.Context(), again, s)
	require.NoError(t, err, s.text())
	require.Equal(t, 1, out.Cached, "the step before the changed source: %s", s.text())
	require.Contains(t, files(t, again.Image), "out")
}

// The cache may be gone by the time that the builder asks for it, or be no cache at all.
func TestRegistryCache_OneThatCannotBeReadHoldsNoBuildUp(t *testing.T) {
	t.Parallel()
	r := request(t, from+"RUN echo "+uuid.NewString()+"\n", nil)
	_, err := stack.Builder(t).Solve(t.Context(), r, &transcript{})
	require.NoError(t, err)
	image, err := stack.Client().Digest(t.Context(), r.Image)
	require.NoError(t, err)
	for _, from := range []string{
		stack.Registry + "/test@sha256:0000000000000000000000000000000000000000000000000000000000000000", // is not there
		stack.Registry + "/test@" + image, // an image without a cache
		"127.0.0.1:1/test:cache",          // nobody listens
	} {
		again := request(t, r.Dockerfile, nil)
		again.CacheFrom, again.CacheScope = []string{from}, r.CacheScope
		s := &transcript{}
		out, err := stack.Builder(t).Solve(t.Context(), again, s)
		require.NoError(t, err, s.text())
		require.Equal(t, out.Steps, out.Cached, "the builder's own cache is there all the same: %s", s.text())
	}
}

// What cannot be kept fails the export, which is nothing but that.
func TestRegistryCache_ARegistryThatDoesNotAnswerFailsTheExport(t *testing.T) {
	t.Parallel()
	r := request(t, from+"RUN echo "+uuid.NewString()+"\n", nil)
	r.Output.Kind, r.CacheTo = deployment.OutputNone, "127.0.0.1:1/test:cache"
	_, err := stack.Builder(t).Solve(t.Context(), r, &transcript{})
	require.Error(t, err)
}
