package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOneByOne(t *testing.T) {
	t.Parallel()
	var o OneByOne
	release, err := o.Take(t.Context(), "a")
	require.NoError(t, err)
	other, err := o.Take(t.Context(), "b")
	require.NoError(t, err, "another thing")
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = o.Take(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	next := make(chan func())
	go func() {
		release, err := o.Take(t.Context(), "a")
		if err == nil {
			next <- release
		}
	}()
	release()
	select {
	case release := <-next:
		release()
	case <-time.After(time.Minute):
		t.Fatal("it was not let in")
	}
	require.Empty(t, o.busy)
}
