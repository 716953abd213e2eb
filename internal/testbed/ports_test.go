package testbed_test

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

func TestFreePorts(t *testing.T) {
	t.Parallel()
	addrs, err := testbed.FreePorts(20)
	require.NoError(t, err)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(addrs))), 20)
	ranges, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	require.NoError(t, err)
	ephemeral, err := strconv.Atoi(strings.Fields(string(ranges))[0])
	require.NoError(t, err)
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		require.NoError(t, err)
		require.Less(t, l.Addr().(*net.TCPAddr).Port, ephemeral, "no connection takes it")
		require.NoError(t, l.Close())
	}
}
