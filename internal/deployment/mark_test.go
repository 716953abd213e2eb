package deployment_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestMark(t *testing.T) {
	t.Parallel()
	// Names that stand in rows and on engines are made of it: it never changes.
	require.Equal(t, "jilzn", deployment.Mark("host-1"))
	seen := map[string]bool{}
	for _, of := range [][]string{{"host-1"}, {"host-2"}, {"run-1", "host-1"}, {"run-1", "host-2"}, {"run-2", "host-1"}, {"run-1host-1"}} {
		mark := deployment.Mark(of...)
		require.Regexp(t, "^[a-z2-7]{5}$", mark)
		require.False(t, seen[mark], "%v", of)
		seen[mark] = true
	}
}
