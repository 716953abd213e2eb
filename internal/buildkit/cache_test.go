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

// collect fills the cache no further and waits until it is within its bound.
func (b *bounded) collect(t *testing.T) (descriptions string) {
	t.Helper()
	before, _ := b.usage(t)
	require.Greater(t, before, int64(cacheBound), "there is nothing to collect")
	require.NoError(t, b.Restart(t.Context()))
	require.Eventually(t, func() bool {
		var bytes int64
		bytes, descriptions = b.usage(t)
		return bytes <= cacheBound
	}, 30*time.Second, 100*time.Millisecond, "what goes beyond the bound is not collected")
	return descriptions
}

func TestCacheMountsStayWarmWhileLayersGo(t *testing.T) {
	t.Parallel()
	b := startBounded(t)
	mark := uuid.NewString()
	b.run(t, "a", filler+" /cache/modules; echo "+mark+" > /cache/mark")
	marks := make([]string, 6)
	for i := range marks { // the mount is what was used least and longest ago
		marks[i] = uuid.NewString()
		b.run(t, "b", filler+" /layer; : "+marks[i])
	}

	descriptions := b.collect(t)
	layer := "mount / from exec /bin/sh -c " + filler + " /layer; : "
	require.NotContains(t, descriptions, layer+marks[0], "the oldest layer")
	require.Contains(t, descriptions, layer+marks[5], "the newest layer")
	require.Contains(t, b.run(t, "a", "cat /cache/mark; : "+uuid.NewString()), "stdout: #5 "+mark)
}

func TestCacheMountsGoWhenThereIsNothingElse(t *testing.T) {
	t.Parallel()
	b := startBounded(t)
	scopes, mounts := make([]string, 7), make([]string, 7)
	for i := range scopes {
		scopes[i] = uuid.NewString()
		mounts[i] = "cached mount /cache from exec /bin/sh -c " + filler + " /cache/modules; : " + scopes[i]
		b.run(t, scopes[i], filler+" /cache/modules; : "+scopes[i])
	}

	descriptions := b.collect(t)
	gone := slices.DeleteFunc(mounts, func(m string) bool { return strings.Contains(descriptions, m) })
	require.NotEmpty(t, gone, descriptions)
	require.NotContains(t, strings.Join(gone, "\n"), scopes[6], "the newest mount")
	require.Contains(t, b.run(t, scopes[6], "ls /cache; : "+uuid.NewString()), "modules")
}
