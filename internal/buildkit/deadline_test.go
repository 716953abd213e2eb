package buildkit

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The daemon is told of the deadline and may be the first to see it pass.
func TestEndOf(t *testing.T) {
	t.Parallel()
	daemon := status.Error(codes.DeadlineExceeded, "stream terminated by RST_STREAM with error code: CANCEL")
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, endOf(soon, daemon), context.DeadlineExceeded)

	later, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	require.NoError(t, endOf(later, daemon), "some other deadline")
	require.NoError(t, endOf(later, nil))
	require.NoError(t, endOf(t.Context(), errors.New("exit code 3")))
	cancel()
	require.ErrorIs(t, endOf(later, errors.New("killed")), context.Canceled)
}
