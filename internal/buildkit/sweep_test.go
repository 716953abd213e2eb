package buildkit_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
)

// traces lists what the machine holds of a daemon, by where it is held.
func traces(t *testing.T, c buildkit.DaemonConfig) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	subnet := netip.MustParsePrefix(c.BridgeSubnet)
	net24 := strings.TrimSuffix(subnet.Addr().String(), "0")
	for _, table := range []string{"nat", "filter", "mangle"} {
		saved, err := exec.Command("iptables-save", "-t", table).Output()
		require.NoError(t, err)
		for line := range strings.Lines(string(saved)) {
			if strings.Contains(line, net24) || strings.Contains(line, c.BridgeName+" ") {
				found[table] = append(found[table], line)
			}
		}
	}
	addresses, err := filepath.Glob("/var/lib/cni/networks/buildkit/" + net24 + "*")
	require.NoError(t, err)
	notes, err := filepath.Glob("/var/lib/cni/results/buildkit-*")
	require.NoError(t, err)
	for _, note := range notes {
		if b, err := os.ReadFile(note); err == nil && strings.Contains(string(b), net24) {
			found["notes"] = append(found["notes"], note)
		}
	}
	if _, err := net.InterfaceByName(c.BridgeName); err == nil {
		found["bridge"] = []string{c.BridgeName}
	}
	namespaces, err := filepath.Glob(filepath.Join(c.Root, "net/cni/*"))
	require.NoError(t, err)
	one, err := filepath.Glob("/sys/fs/cgroup/slipway-" + c.BridgeName)
	require.NoError(t, err)
	each, err := filepath.Glob("/sys/fs/cgroup/*/slipway-" + c.BridgeName)
	require.NoError(t, err)
	for place, things := range map[string][]string{"addresses": addresses, "namespaces": namespaces, "cgroups": append(one, each...)} {
		if len(things) > 0 {
			found[place] = things
		}
	}
	return found
}

// A killed daemon's steps and mounts go with it; what it leaves is found and removed, and another's is not.
func TestSweepRemovesWhatAKilledDaemonLeft(t *testing.T) {
	t.Parallel()
	own := buildkittest.Start(t)
	mark := uuid.NewString()
	r := request(t, from+"RUN echo started; sleep 300; : "+mark+"\n", nil)
	r.Image = own.Registry + "/test:" + r.Ref
	s, ended := &transcript{}, make(chan error, 1)
	go func() {
		_, err := own.Builder(t).Solve(t.Context(), r, s)
		ended <- err
	}()
	require.Eventually(t, s.saw("stdout: #n started\n"), 60*time.Second, 10*time.Millisecond, s.text)
	require.NoError(t, own.Process.Signal(syscall.SIGKILL))
	require.Error(t, <-ended)
	require.Eventually(t, func() bool { return len(processes(t, mark)) == 0 }, time.Minute, 20*time.Millisecond)
	left := traces(t, own.Config())
	for _, place := range []string{"nat", "filter", "addresses", "notes", "bridge", "namespaces", "cgroups"} {
		require.NotEmpty(t, left[place], "nothing to sweep in %s: has its place changed?", place)
	}

	halfMade := halfMadeChain(t, own.Config())
	require.NoError(t, own.Config().Sweep(t.Context()))
	require.Error(t, exec.Command("iptables", "-w", "-t", "nat", "-S", halfMade).Run(), "the chain is gone too")
	require.NoError(t, own.Config().Unisolate(t.Context()))
	require.Empty(t, traces(t, own.Config()))
	mounts, err := os.ReadFile("/proc/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), own.Config().Root+"/")
	require.NoError(t, own.Config().Sweep(t.Context()), "nothing is left")
	require.NotEmpty(t, traces(t, stack.Config())["addresses"], "another daemon's network is left alone")
}

// halfMadeChain makes what a daemon leaves that was killed while CNI's plugin bridge ran: the chain of an address, to which
// nothing leads yet. It returns its name.
func halfMadeChain(t *testing.T, c buildkit.DaemonConfig) string {
	t.Helper()
	chain := "CNI-" + strings.ReplaceAll(uuid.NewString(), "-", "")[:24]
	for _, args := range [][]string{{"-N", chain}, {"-A", chain, "-d", c.BridgeSubnet, "-j", "ACCEPT"}} {
		out, err := exec.Command("iptables", append([]string{"-w", "-t", "nat"}, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return chain
}
