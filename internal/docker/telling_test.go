package docker

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestTelling(t *testing.T) {
	t.Parallel()
	lines := []deployment.OutputLine{{Stream: deployment.StreamStderr, Text: "boom"}}
	for i := range 60 {
		lines = append(lines, deployment.OutputLine{Stream: deployment.StreamStdout, Text: fmt.Sprint(i)})
	}
	told := telling(lines)
	require.Len(t, told, 50)
	require.Equal(t, "boom", told[0], "stderr is shown although the engine read it first")
	require.Equal(t, "59", told[49])

	require.Equal(t, []string{"boom", "0"}, telling(lines[:2]))
	require.Empty(t, telling(nil))

	for i := range 20 {
		lines = append(lines, deployment.OutputLine{Stream: deployment.StreamStderr, Text: fmt.Sprint("e", i)})
	}
	told = telling(lines)
	require.NotContains(t, told, "boom", "there is enough of stderr in the last lines")
	require.Equal(t, "e19", told[49])
}
