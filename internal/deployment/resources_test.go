package deployment_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestResourcesIn(t *testing.T) {
	t.Parallel()
	p := deployment.Project{
		Resources:        deployment.Resources{CPUs: 2, MemoryMB: 1024, ReadOnlyRoot: true},
		PreviewResources: deployment.Resources{CPUs: 0.25, DiskMB: 100},
	}.WithDefaults()
	require.Equal(t, deployment.Resources{CPUs: 2, MemoryMB: 1024, PIDs: 512, LogMB: 30, ReadOnlyRoot: true}, p.ResourcesIn("production"))
	for _, environment := range []string{"branch/main", "pr/7"} {
		require.Equal(t, deployment.Resources{CPUs: 0.25, MemoryMB: 1024, PIDs: 512, DiskMB: 100, LogMB: 30, ReadOnlyRoot: true},
			p.ResourcesIn(environment))
	}
}
