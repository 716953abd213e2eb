package buildkit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/moby/buildkit/client"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
)

// cacheBound has room for the base image and for a few times what filler writes.
const (
	cacheBound = 300 << 20
	filler     = "head -c 50M /dev/zero >"
)

// bounded is a buildkitd whose cache is small, and what the tests ask of it.
type bounded struct {
	*buildkittest.Stack
	client *client.Client
}

func startBounded(t *testing.T) *bounded {
	t.Helper()
	b := &bounded{Stack: buildkittest.StartEmpty(t, cacheBound)}
	c, err := client.New(t.Context(), b.Address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	b.client = c
	return b
}

// run builds an image with one step and returns what it prints. Steps of one scope share its cache mount, /cache.
func (b *bounded) run(t *testing.T, scope, command string) string {
	t.Helper()
	r := request(t, from+"RUN --mount=type=cache,target=/cache "+command+"\n", nil)
	r.Image, r.CacheScope = b.Registry+"/test:"+r.Ref, scope
	s := &transcript{}
	_, err := b.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())
	return s.text()
}

// usage is what the cache takes, with the descriptions of all that is in it.
func (b *bounded) usage(t *testing.T) (bytes int64, descriptions string) {
	t.Helper()
	records, err := b.client.DiskUsage(t.Context())
	require.NoError(t, err)
	var text strings.Builder
	for _, r := range records {
		bytes += r.Size
		text.WriteString(r.Description + "\n")
	}
	return bytes, text.String()
}

// collect fills the cache no further and waits until it is within its bound, and one of these is gone: what is about to be removed
// has no size any more. Which of them goes is BuildKit's choice: it goes by last use, which a restart may find not yet written.
func (b *bounded) collect(t *testing.T, gone ...string) (descriptions string) {
	t.Helper()
	require.NoError(t, b.Restart(t.Context()))
	require.Eventually(t, func() bool {
		var bytes int64
		bytes, descriptions = b.usage(t)
		return bytes <= cacheBound && len(missing(descriptions, gone)) > 0
	}, 2*time.Minute, 100*time.Millisecond, "what goes beyond the bound is not collected")
	return descriptions
}

// missing are those that are not in the descriptions.
func missing(descriptions string, of []string) []string {
	return slices.DeleteFunc(slices.Clone(of), func(d string) bool { return strings.Contains(descriptions, d) })
}

func TestCacheMountsStayWarmWhileLayersGo(t *testing.T) {
	t.Parallel()
	b := startBounded(t)
	mark := uuid.NewString()
	b.run(t, "a", filler+" /cache/modules; echo "+mark+" > /cache/mark")
	layers := make([]string, 6)
	for i := range layers { // the mount is what was used least and longest ago
		command := filler + " /layer; : " + uuid.NewString()
		layers[i] = "mount / from exec /bin/sh -c " + command
		b.run(t, "b", command)
	}

	descriptions := b.collect(t, layers...)
	require.NotEqual(t, layers, missing(descriptions, layers), "no more than need be")
	require.Contains(t, b.run(t, "a", "cat /cache/mark; : "+uuid.NewString()), "stdout: #n "+mark)
}

func TestCacheMountsGoWhenThereIsNothingElse(t *testing.T) {
	t.Parallel()
	b := startBounded(t)
	mounts := make([]string, 7)
	for i := range mounts {
		scope := uuid.NewString()
		mounts[i] = "cached mount /cache from exec /bin/sh -c " + filler + " /cache/modules; : " + scope
		b.run(t, scope, filler+" /cache/modules; : "+scope)
	}

	descriptions := b.collect(t, mounts...)
	require.NotEqual(t, mounts, missing(descriptions, mounts), "no more than need be")
}
