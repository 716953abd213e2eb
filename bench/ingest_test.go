package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func event(seq int, stream, text string) string {
	return fmt.Sprintf("id: %d\nevent: log\ndata: {\"seq\":%d,\"stream\":%q,\"text\":%q}\n\n", seq, seq, stream, text)
}

func TestReadEvents(t *testing.T) {
	t.Parallel()
	clock := time.Unix(0, 0)
	now := func() time.Time { clock = clock.Add(time.Second); return clock }
	stream := "event: status\ndata: {}\n\n" + event(1, "slipway", "RUN seq "+mark+" 3") + event(2, "stdout", "1 "+mark) +
		": ping\n\n" + event(3, "stdout", "2 "+mark) + event(4, "stdout", "3 "+mark) + "event: end\ndata: {}\n\n"
	f, err := readEvents(strings.NewReader(stream), now)
	require.NoError(t, err)
	require.Equal(t, follower{first: time.Unix(1, 0), last: time.Unix(3, 0), lines: 3}, f)

	_, err = readEvents(strings.NewReader(event(2, "stdout", mark)+event(2, "stdout", mark)), now)
	require.ErrorContains(t, err, "line 2 comes after line 2")
	require.Contains(t, ingestTable([][]follower{{f}, {f, f}}), "| 1 | 1 | 1 | 1 |\n| 2 | 1 | 1 | 1 |\n")
}
