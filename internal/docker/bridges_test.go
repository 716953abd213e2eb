package docker_test

import (
	"net"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"
)

func TestBridgesAreInterfacesOfTheEnginesMachine(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("silent"))
	bridges, err := e.Bridges(t.Context())
	require.NoError(t, err)
	made, err := api.NetworkInspect(t.Context(), p.Network, network.InspectOptions{})
	require.NoError(t, err)
	own := "br-" + made.ID[:12]
	require.Contains(t, bridges, own)
	_, err = net.InterfaceByName(own)
	require.NoError(t, err)
	require.NotContains(t, bridges, "docker0", "it says nothing where there are others")
}
