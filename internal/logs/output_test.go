package logs_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// output returns what a container printed: n lines of a stream, the first one numbered from.
func output(stream string, from, n int) []deployment.LogLine {
	lines := make([]deployment.LogLine, n)
	for i := range lines {
		number := from + i
		lines[i] = deployment.LogLine{
			Step: deployment.StepApp, Stream: stream, Container: "c1", Text: fmt.Sprint(stream, " ", number),
			Time: time.Date(2026, 1, 2, 3, 4, 5, number, time.UTC), // a nanosecond apart, which Postgres' own times do not tell
		}
	}
	return lines
}

func TestOutputIsStoredOnceHoweverOftenItIsRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var followers sync.WaitGroup
	for range 4 { // hosts, or processes of one host, that follow the same container
		w := b.writer()
		followers.Go(func() {
			for from := 0; from < 300; from += 50 {
				w.Append(b.id, output(deployment.StreamStdout, from, 50)...)
				w.Append(b.id, output(deployment.StreamStdout, from, 50)...)
				if err := w.Flush(t.Context(), b.id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	followers.Wait()
	b.requireGapless(300)
	for i, text := range b.texts() {
		require.Equal(t, fmt.Sprint("stdout ", i), text)
	}
}

func TestOutputStreamsHaveCursorsOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	cursor, err := w.Cursor(t.Context(), b.id, "c1")
	require.NoError(t, err)
	require.Empty(t, cursor)

	late, early := output(deployment.StreamStdout, 7, 1), output(deployment.StreamStderr, 3, 1)
	w.Append(b.id, late...)
	require.NoError(t, w.Flush(t.Context(), b.id))
	w.Append(b.id, early...) // stamped before, stored after
	w.Append(b.id, line("slipway's own"))
	require.NoError(t, w.Flush(t.Context(), b.id))
	require.Equal(t, []string{"stdout 7", "stderr 3", "slipway's own"}, b.texts())

	cursor, err = w.Cursor(t.Context(), b.id, "c1")
	require.NoError(t, err)
	require.Equal(t, deployment.OutputCursor{deployment.StreamStdout: late[0].Time, deployment.StreamStderr: early[0].Time}, cursor)
	cursor, err = w.Cursor(t.Context(), b.id, "c2")
	require.NoError(t, err)
	require.Empty(t, cursor, "another container begins anew")
}

func TestOutputSurvivesAnOutageWithoutLossOrDouble(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	w.Append(b.id, output(deployment.StreamStdout, 0, 10)...)
	require.NoError(t, w.Flush(t.Context(), b.id))
	end := b.outage()
	w.Append(b.id, output(deployment.StreamStdout, 5, 10)...)
	end()
	require.NoError(t, w.Flush(t.Context(), b.id))
	b.requireGapless(15)
}
