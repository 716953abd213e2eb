package roles

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
)

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	for registry, plain := range map[string]bool{
		"127.0.0.1:5000": true, "localhost:5000": true, "localhost": true, "[::1]:5000": true,
		"registry.example.com": false, "registry.example.com:5000": false, "10.0.0.5:5000": false,
	} {
		require.Equal(t, plain, plainHTTP(config.Registry{PushHost: registry}), registry)
	}
	require.True(t, plainHTTP(config.Registry{PushHost: "registry:5000", PlainHTTP: true}), "the operator says so")
}

func TestBuilderOptions(t *testing.T) {
	t.Parallel()
	c := config.WorkerRole{
		BuildKit: config.BuildKit{CA: "ca.pem", Cert: "cert.pem", Key: "key.pem"},
		Registry: config.Registry{PushHost: "registry:5000", PlainHTTP: true},
	}
	require.Equal(t, buildkit.Options{
		CA: "ca.pem", Cert: "cert.pem", Key: "key.pem", RegistryInsecure: true, TempDir: "/somewhere",
	}, builderOptions(c, "/somewhere", nil, nil))
}
