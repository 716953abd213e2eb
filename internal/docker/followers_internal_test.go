package docker

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFollowers(t *testing.T) {
	t.Parallel()
	var f followers
	f.await(t.Context(), "app") // nobody follows it

	first, second, other := f.join("app"), f.join("app"), f.join("other")
	var read atomic.Int32
	for _, done := range []func(){first, second} {
		go func() {
			read.Add(1)
			done()
		}()
	}
	f.await(t.Context(), "app")
	require.EqualValues(t, 2, read.Load())
	other()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Empty(t, f.all)
}
