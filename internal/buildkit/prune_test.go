package buildkit_test

import (
	"math"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
)

// It has a builder of its own: the others' caches, with their base images, are what makes the next run quick.
func TestPrune(t *testing.T) {
	t.Parallel()
	own := buildkittest.StartEmpty(t, 4<<30)
	b := own.Builder(t)
	mark := uuid.NewString()
	run := "RUN head -c 1000000 /dev/urandom > /layer # " + mark + "\n"
	run += "RUN --mount=type=cache,target=/c test -e /c/kept && echo it was kept || head -c 1000000 /dev/urandom > /c/kept # "
	r := request(t, from+run+mark+"\n", nil)
	r.Image = own.Registry + "/test:" + r.Ref
	_, err := b.Solve(t.Context(), r, &transcript{})
	require.NoError(t, err)

	freed, err := b.Prune(t.Context(), 1, true)
	require.NoError(t, err)
	require.Zero(t, freed, "so much is free already")
	requireKept := func(layers int, mount bool) {
		t.Helper()
		again, s := request(t, from+run+uuid.NewString()+"\n", nil), &transcript{}
		again.Image, again.CacheScope = own.Registry+"/test:"+again.Ref, r.CacheScope
		out, err := b.Solve(t.Context(), again, s)
		require.NoError(t, err)
		require.Equal(t, layers, out.Cached, s.text())
		require.Equal(t, mount, s.saw("stdout: #n it was kept")(), s.text())
	}
	requireKept(1, true)

	freed, err = b.Prune(t.Context(), math.MaxInt64, false)
	require.NoError(t, err)
	require.Greater(t, freed, int64(1_000_000))
	requireKept(0, true)

	freed, err = b.Prune(t.Context(), math.MaxInt64, true)
	require.NoError(t, err)
	require.Greater(t, freed, int64(2_000_000))
	requireKept(0, false)
}
