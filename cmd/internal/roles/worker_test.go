package roles

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	for registry, plain := range map[string]bool{
		"127.0.0.1:5000": true, "localhost:5000": true, "localhost": true, "[::1]:5000": true,
		"registry.example.com": false, "registry.example.com:5000": false, "10.0.0.5:5000": false,
	} {
		require.Equal(t, plain, plainHTTP(registry), registry)
	}
}
