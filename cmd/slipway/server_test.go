package main

import (
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestServerRoles_ReportEveryFaultAtOnce(t *testing.T) {
	t.Setenv("SLIPWAY_DATABASE_URL", "mysql://db")
	t.Setenv("SLIPWAY_TEMPORAL_RETENTION", "soon")
	t.Setenv("SLIPWAY_PREVIEW_DOMIAN", "example.com")
	someone := &person{t: t}
	for _, role := range []string{"api", "worker", "migrate"} {
		code, stdout, stderr := someone.run(role)
		require.Equal(t, exitUsage, code, role)
		require.Empty(t, stdout, role)
		for _, fault := range []string{
			"error: SLIPWAY_DATABASE_URL: ", "fix: give a URL such as postgres://",
			"error: SLIPWAY_TEMPORAL_RETENTION: \"soon\" does not fit", "fix: did you mean SLIPWAY_PREVIEW_DOMAIN?",
		} {
			require.Contains(t, stderr, fault, role)
		}
	}
	code, _, stderr := someone.run("gateway")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "SLIPWAY_PREVIEW_DOMIAN")
	require.NotContains(t, stderr, "SLIPWAY_TEMPORAL_RETENTION", "the gateway does not read it")
}

func TestServerRoles_ShowAFileThatCannotBeRead(t *testing.T) {
	t.Setenv("SLIPWAY_CONFIG", "/nowhere/slipway.yaml")
	code, _, stderr := (&person{t: t}).run("api")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "/nowhere/slipway.yaml")
}

func TestServerRoles_TakeNoArguments(t *testing.T) {
	t.Parallel()
	code, _, stderr := (&person{t: t}).run("worker", "now")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "now")
}

func TestServerRoles_AreInTheHelp(t *testing.T) {
	t.Parallel()
	_, stdout, _ := (&person{t: t}).run("--help")
	_, roles, found := strings.Cut(stdout, "Server roles:")
	require.True(t, found)
	for _, name := range []string{"api", "worker", "gateway", "migrate"} {
		require.Contains(t, roles, "\n  "+name+" ", name)
	}
}

// A role that is asked to end has done what it should, even while it was still starting.
func TestRole_EndsWellWhenItIsAskedTo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	command := role(&cobra.Command{Use: "role"}, func([]string) (int, error) { return 0, nil }, func(ctx context.Context, _ int) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	command.SetArgs(nil)
	require.NoError(t, command.ExecuteContext(ctx))
}
