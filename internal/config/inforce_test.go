package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
)

func TestInForce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "slipway.yaml")
	require.NoError(t, os.WriteFile(file, []byte("worker:\n  build_slots: 3\nregistry:\n  push_host: registry:5000\n"), 0o600))
	settings, err := config.InForce([]string{
		"SLIPWAY_CONFIG=" + file, "SLIPWAY_REGISTRY_PUSH_HOST=localhost:5000", "SLIPWAY_OTLP_ENDPOINT=http://t0ken@collector:4318/v1",
		"SLIPWAY_DATABASE_URL=postgres://slipway:s3cret@db:5432/slipway?password=s3cret&sslmode=require", "OTHER=s3cret",
	})
	require.NoError(t, err)
	found := map[string]config.Setting{}
	for _, s := range settings {
		require.NotContains(t, s.Value, "s3cret")
		require.True(t, strings.HasPrefix(s.Variable, "SLIPWAY_"))
		found[s.Variable] = s
	}
	for _, want := range []config.Setting{
		{Variable: "SLIPWAY_DATABASE_URL", Value: "postgres://slipway@db:5432/slipway", Given: true},
		{Variable: "SLIPWAY_OTLP_ENDPOINT", Value: "http://collector:4318/v1", Given: true},
		{Variable: "SLIPWAY_REGISTRY_PUSH_HOST", Value: "localhost:5000", Given: true},
		{Variable: "SLIPWAY_BUILD_SLOTS", Value: "3", Given: true},
		{Variable: "SLIPWAY_PREVIEW_DOMAIN", Value: "localhost"},
	} {
		require.Equal(t, want, found[want.Variable])
	}
	hidden, err := config.InForce([]string{"SLIPWAY_DATABASE_URL=password=s3cret host=db"})
	require.NoError(t, err)
	for _, s := range hidden {
		require.NotContains(t, s.Value, "s3cret")
	}
}
