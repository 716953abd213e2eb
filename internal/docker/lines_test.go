package docker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// read feeds records of stdout to a lineWriter and returns the lines that it hands on.
func read(t *testing.T, from deployment.OutputCursor, records ...string) (lines []deployment.OutputLine) {
	t.Helper()
	w := &lineWriter{stream: deployment.StreamStdout, read: from, line: func(l deployment.OutputLine) { lines = append(lines, l) }}
	for _, record := range records {
		_, err := w.Write([]byte(record))
		require.NoError(t, err)
	}
	w.flush()
	return lines
}

func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	const stamp = "2026-01-02T03:04:05Z "
	got := read(t, deployment.OutputCursor{}, stamp+strings.Repeat("x", maxLine), stamp+"y", stamp+"z\n", stamp+"next\n")
	require.Len(t, got, 2, "what is left out is no line of its own")
	require.Len(t, got[0].Text, maxLine)
	require.True(t, strings.HasSuffix(got[0].Text, "x … [cut]"))
	require.Equal(t, "next", got[1].Text)
}

func TestLinesAreReadOnFromTheCursor(t *testing.T) {
	t.Parallel()
	records := []string{
		"2026-01-02T03:04:05Z one\n", "2026-01-02T03:04:05Z of the same moment\n", "2026-01-02T03:04:07Z in two ", "2026-01-02T03:04:07Z records\n",
		"2026-01-02T03:04:06Z after the clock was set back\n", "2026-01-02T03:04:09Z no line break", "2026-01-02T03:04:10Z after a crash\n", "without a stamp",
	}
	want := []string{"one", "of the same moment", "in two records", "after the clock was set back", "no line break", "after a crash", "without a stamp"}
	all := read(t, deployment.OutputCursor{}, records...)
	for i, line := range all {
		require.Equal(t, want[i], line.Text)
		cursor := deployment.OutputCursor{deployment.StreamStdout: line.At, deployment.StreamStderr: line.At.Add(time.Hour)}
		require.Equal(t, all[i+1:], append([]deployment.OutputLine{}, read(t, cursor, records...)...), "after %q", line.Text)
	}
	require.Len(t, all, len(want))
}
