package buildkit_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// Of two commands the one goes that has written most, and its build says why; the other does not notice.
func TestEndLargest(t *testing.T) {
	t.Parallel()
	stack := buildkittest.Start(t) // of its own: the largest of all that runs is meant
	steps := stack.Config().Steps()
	require.False(t, steps.EndLargest(), "nothing runs")
	b, err := buildkit.New(t.Context(), buildkit.Options{Address: stack.Address, RegistryInsecure: true, Steps: steps})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	solve := func(command string) (*transcript, chan error) {
		r, s, ended := request(t, from+"RUN "+command+" # "+uuid.NewString()+"\n", nil), &transcript{}, make(chan error, 1)
		r.Image = stack.Registry + "/test:" + r.Ref
		go func() {
			_, err := b.Solve(t.Context(), r, s)
			ended <- err
		}()
		return s, ended
	}
	small, smallEnded := solve("echo small began; dd if=/dev/zero of=/small bs=1M count=8 2>&1; sleep 5")
	large, largeEnded := solve("dd if=/dev/zero of=/large bs=1M count=64 2>&1; echo large began; sleep 600")
	require.Eventually(t, func() bool { return small.saw(" small began\n")() && large.saw(" large began\n")() }, time.Minute, 10*time.Millisecond)
	require.True(t, steps.EndLargest())
	f := deployment.AsFailure(<-largeEnded)
	require.Equal(t, "build.disk_exceeded", f.Code)
	require.Equal(t, deployment.ClassUser, f.Class)
	require.Contains(t, f.Message, "dd if=/dev/zero of=/large")
	require.NotEmpty(t, f.Fix)
	require.NoError(t, <-smallEnded)
}
