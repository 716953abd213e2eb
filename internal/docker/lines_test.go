package docker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	var got []string
	w := &lineWriter{last: new(time.Time), line: func(_, text string) { got = append(got, text) }}
	for _, record := range []string{strings.Repeat("x", maxLine), "y", "z\n", "next\n"} {
		_, err := w.Write([]byte("2026-01-02T03:04:05Z " + record))
		require.NoError(t, err)
	}
	require.Len(t, got, 2, "what is left out is no line of its own")
	require.Len(t, got[0], maxLine)
	require.True(t, strings.HasSuffix(got[0], "x … [cut]"))
	require.Equal(t, "next", got[1])
}
