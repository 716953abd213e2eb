package docker_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecretsAreThoseThatTheContainerWasMadeWith(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("", "TOKEN=hunter2", "PUBLIC=hello", "EMPTY=")
	s.SecretEnv = []string{"TOKEN", "EMPTY", "GONE"}
	p := start(t, e, s)
	values, err := e.Secrets(t.Context(), p.Container)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"hunter2", ""}, values)

	values, err = e.Secrets(t.Context(), "slipway-test-none")
	require.NoError(t, err)
	require.Empty(t, values)
}
