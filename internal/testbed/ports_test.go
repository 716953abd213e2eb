package testbed_test

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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
		_, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		number, err := strconv.Atoi(port)
		require.NoError(t, err)
		require.Less(t, number, ephemeral, "no connection takes it")
		require.Eventually(t, func() bool { // a program that another test starts holds it for the moment between fork and exec
			l, err := net.Listen("tcp", addr)
			return err == nil && l.Close() == nil
		}, 10*time.Second, time.Millisecond)
	}
}
