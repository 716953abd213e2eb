package buildkit_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	good := request(t, from+"RUN echo "+uuid.NewString()+"\n", nil)
	out, err := b.Solve(t.Context(), good, &transcript{})
	require.NoError(t, err)
	bad := request(t, from+"RUN exit 3\n", nil)
	_, err = b.Solve(t.Context(), bad, &transcript{})
	require.Error(t, err)
	for ref, want := range map[string]string{good.Ref: out.Digest, bad.Ref: "", uuid.NewString(): ""} {
		digest, err := stack.Builder(t).Lookup(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, want, digest)
	}
}

func TestLookupWaitsForARunningSolve(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	// The build ends when the test lets it: when the second build, which shares its cache mount, has written a file there.
	mount := "RUN --mount=type=cache,target=/c "
	r := request(t, from+mount+"echo started; until test -e /c/go; do sleep 0.05; done # "+uuid.NewString()+"\n", nil)
	s := &transcript{}
	type result struct {
		digest string
		err    error
	}
	solved, found := make(chan result, 1), make(chan result, 1)
	go func() {
		out, err := b.Solve(t.Context(), r, s)
		solved <- result{out.Digest, err}
	}()
	require.Eventually(t, s.saw("stdout: #5 started\n"), 30*time.Second, 10*time.Millisecond)

	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := b.Lookup(short, r.Ref)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	go func() {
		digest, err := b.Lookup(t.Context(), r.Ref)
		found <- result{digest, err}
	}()
	release := request(t, from+mount+"touch /c/go # "+uuid.NewString()+"\n", nil)
	release.CacheScope = r.CacheScope
	_, err = b.Solve(t.Context(), release, &transcript{})
	require.NoError(t, err)
	end := <-solved
	require.NoError(t, end.err)
	require.Equal(t, end, <-found)
}
