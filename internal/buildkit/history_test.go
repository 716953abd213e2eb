package buildkit_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	good := request(t, from+"RUN echo "+uuid.NewString()+"\n", nil)
	out, err := b.SolveAndDie(t.Context(), good, &transcript{})
	require.NoError(t, err)
	bad := request(t, from+"RUN exit 3\n", nil)
	_, err = b.SolveAndDie(t.Context(), bad, &transcript{})
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
	require.Eventually(t, s.saw("stdout: #n started\n"), time.Minute, 10*time.Millisecond)

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

// A record holds what a build has printed, and a build may print its secrets.
func TestNoRecordIsLeftOfASolve(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	daemon, err := client.New(t.Context(), b.Address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = daemon.Close() })
	left := func(r deployment.BuildRequest) (found []string) {
		events, err := daemon.ControlClient().ListenBuildHistory(t.Context(), &controlapi.BuildHistoryRequest{EarlyExit: true})
		require.NoError(t, err)
		for event, err := events.Recv(); err == nil; event, err = events.Recv() {
			if event.Record.Ref == r.Ref {
				found = append(found, event.Type.String())
			}
		}
		return append(found, blobsWith(t, "secret-"+r.Ref)...)
	}
	// prints is a build whose steps and configuration do not hold what it prints.
	prints := func(end string) deployment.BuildRequest {
		r := request(t, "", nil)
		r.Dockerfile = from + "RUN echo secret''-" + r.Ref + "; " + end + "\n"
		return r
	}
	for _, end := range []string{"true", "exit 3"} {
		r := prints(end)
		_, err := b.SolveAndDie(t.Context(), r, &transcript{})
		require.Equal(t, end != "true", err != nil)
		require.Len(t, left(r), 2, "the record and its log: they are looked for in the right place")

		r = prints(end)
		_, err = b.Solve(t.Context(), r, &transcript{})
		require.Equal(t, end != "true", err != nil)
		require.Empty(t, left(r), end)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, s := prints("sleep 600"), &transcript{}
	ended := make(chan error, 1)
	go func() {
		_, err := b.Solve(ctx, r, s)
		ended <- err
	}()
	require.Eventually(t, s.saw("secret-"+r.Ref), time.Minute, 10*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Empty(t, left(r), "canceled")
}

// blobsWith lists the blobs that the daemon keeps and that hold a text.
func blobsWith(t *testing.T, text string) (found []string) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(stack.Config().Root, "runc-overlayfs", "content", "blobs", "sha256", "*"))
	require.NoError(t, err)
	for _, blob := range blobs {
		if info, err := os.Stat(blob); err != nil || info.Size() > 1<<20 { // one of another test that is gone, or a layer
			continue
		}
		if data, err := os.ReadFile(blob); err == nil && strings.Contains(string(data), text) {
			found = append(found, blob)
		}
	}
	return found
}
