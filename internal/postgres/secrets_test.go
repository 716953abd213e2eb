package postgres_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
)

func TestEnvVars(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	set := []deployment.EnvVar{
		{Name: "B", Value: "two", Target: deployment.TargetRuntime}, {Name: "A", Value: "", Target: deployment.TargetBuild},
	}
	require.NoError(t, b.ReplaceEnvVars(t.Context(), of(p), set))
	require.NoError(t, b.MergeEnvVars(t.Context(), of(p), []deployment.EnvVar{{Name: "B", Value: "zwei\n", Target: deployment.TargetBoth}}))
	vars, err := b.EnvVars(t.Context(), of(p))
	require.NoError(t, err)
	require.NotEqual(t, vars[0].Version, vars[1].Version)
	vars[0].Version, vars[1].Version = "", ""
	require.Equal(t, []deployment.EnvVar{
		{Name: "A", Value: "", Target: deployment.TargetBuild}, {Name: "B", Value: "zwei\n", Target: deployment.TargetBoth},
	}, vars)
	names, err := b.EnvVarNames(t.Context(), of(p))
	require.NoError(t, err)
	require.Equal(t, []deployment.EnvVar{{Name: "A", Target: deployment.TargetBuild}, {Name: "B", Target: deployment.TargetBoth}}, names)

	var stored []byte
	require.NoError(t, b.Pool().QueryRow(t.Context(), "SELECT value FROM env_vars WHERE name = 'B'").Scan(&stored))
	require.False(t, bytes.Contains(stored, []byte("zwei")), "values are encrypted")

	require.NoError(t, b.DeleteEnvVar(t.Context(), of(p), "A"))
	require.ErrorIs(t, b.DeleteEnvVar(t.Context(), of(p), "A"), deployment.ErrNotFound)
	b.exec("UPDATE env_vars SET name = 'C'")
	_, err = b.EnvVars(t.Context(), of(p))
	require.ErrorContains(t, err, "decrypt C", "a value that was moved to another name does not decrypt")
	require.NoError(t, b.ReplaceEnvVars(t.Context(), of(p), nil))
	vars, err = b.EnvVars(t.Context(), of(p))
	require.NoError(t, err)
	require.Empty(t, vars)

	b.remove(of(p))
	require.ErrorIs(t, b.MergeEnvVars(t.Context(), of(p), set), deployment.ErrNotFound)
}

func TestAProcessWithoutAKeysetSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	blind := postgres.New(b.Pool(), postgres.Options{})
	vars := []deployment.EnvVar{{Name: "A", Value: "1", Target: deployment.TargetBoth}}
	require.ErrorContains(t, blind.MergeEnvVars(t.Context(), of(p), vars), "keyset")
	require.NoError(t, b.MergeEnvVars(t.Context(), of(p), vars))
	_, err := blind.EnvVars(t.Context(), of(p))
	require.ErrorContains(t, err, "keyset")
}

func TestInstallationIDIsMadeOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, err := b.InstallationID(t.Context())
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{12}$", first)
	again, err := b.InstallationID(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, again)
}
