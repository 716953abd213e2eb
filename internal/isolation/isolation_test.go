package isolation_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/isolation"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// The tests need root. A preview is a network namespace with an address of the pool, as Docker gives a container one; what it is to be
// kept from is this machine, and a namespace beyond it, which has addresses of every kind.
const (
	pool        = "10.235.0.0/24"
	previewAddr = "10.235.0.2"
	otherAddr   = "10.235.0.18" // of another preview
	hostAddr    = "10.235.0.1"
	metadata    = testbed.MetadataAddress
	azure       = "168.63.129.16"
	public      = "203.0.113.7" // of TEST-NET-3 (RFC 5737)
	privateAddr = "10.236.1.7"
	resolver    = "192.168.236.7"
)

// dialing makes the test's program one that tries addresses, within the namespace that it is started in.
const dialing = "SLIPWAY_TEST_DIAL"

func TestMain(m *testing.M) {
	if target := os.Getenv(dialing); target != "" {
		c, err := net.DialTimeout("tcp", target, 3*time.Second)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_ = c.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestAPreviewReachesWhatItMay(t *testing.T) {
	previews := isolation.Previews{
		Pool: netip.MustParsePrefix(pool), Resolvers: []netip.Addr{netip.MustParseAddr(resolver)},
		Services: []netip.AddrPort{netip.MustParseAddrPort(hostAddr + ":7901"), netip.MustParseAddrPort(privateAddr + ":7901")},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.237.0.0/16"), netip.MustParsePrefix("169.254.0.0/16")},
	}
	w := newWorld(t)
	t.Cleanup(func() { require.NoError(t, previews.Remove()) })
	targets := []struct {
		address string
		allowed bool
		what    string
	}{
		{public + ":7900", true, "the internet"},
		{resolver + ":53", true, "a resolver"},
		{resolver + ":7900", false, "what else is on a resolver's machine"},
		{hostAddr + ":7900", false, "this machine, at the address that the preview has as its gateway"},
		{w.outward + ":7900", false, "this machine, at another of its addresses"},
		{hostAddr + ":7901", true, "a service of this machine that was opened"},
		{metadata + ":7900", false, "cloud metadata, though its network was opened"},
		{azure + ":7900", false, "what Azure tells its machines"},
		{otherAddr + ":7900", false, "another preview"},
		{privateAddr + ":7900", false, "a private network"},
		{privateAddr + ":7901", true, "a service in a private network that was opened"},
		{"10.237.1.7:7900", true, "a private network that was opened"},
	}
	require.NoError(t, previews.Remove(), "what is not there")
	for _, target := range targets {
		require.NoError(t, w.dial(target.address), "without rules: %s", target.what)
	}
	require.NoError(t, previews.Isolate())
	require.NoError(t, previews.Isolate(), "again")
	var all sync.WaitGroup
	for _, target := range targets {
		all.Go(func() {
			if err := w.dial(target.address); (err == nil) != target.allowed {
				t.Errorf("%s, %s: %v", target.what, target.address, err)
			}
		})
	}
	all.Wait()
	c, err := net.DialTimeout("tcp", previewAddr+":7900", time.Minute)
	require.NoError(t, err, "what the gateway begins is answered")
	require.NoError(t, c.Close())

	require.NoError(t, previews.Remove())
	require.NoError(t, w.dial(hostAddr+":7900"))
}

// Several workers, and a reload, set the rules at any time: there is one set of them, and never none.
func TestRulesAreSetManyTimes(t *testing.T) {
	w := newWorld(t)
	previews := isolation.Previews{Pool: netip.MustParsePrefix(pool)}
	t.Cleanup(func() { require.NoError(t, previews.Remove()) })
	require.NoError(t, previews.Isolate())
	before := rules(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if err := previews.Isolate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	require.Error(t, w.dial(hostAddr+":7900"))
	all.Wait()
	require.Equal(t, before, rules(t))
}

// rules counts the rules of the pool's table.
func rules(t *testing.T) int {
	t.Helper()
	conn, err := nftables.New()
	require.NoError(t, err)
	n := 0
	for _, chain := range []string{"prerouting", "begun-by-previews"} {
		table := &nftables.Table{Family: nftables.TableFamilyINet, Name: "slipway-previews-10.235.0.0-24"}
		list, err := conn.GetRules(table, &nftables.Chain{Table: table, Name: chain})
		require.NoError(t, err)
		require.NotEmpty(t, list, chain)
		n += len(list)
	}
	return n
}

// world is a preview, what is beyond this machine, and this machine between them.
type world struct {
	preview string // namespaces
	outward string // this machine's address towards what is beyond
}

func newWorld(t *testing.T) world {
	t.Helper()
	release, err := testbed.TakeMetadataAddress()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, release()) })
	suffix := strconv.Itoa(os.Getpid())
	w := world{preview: "slwp" + suffix, outward: "10.236.0.1"}
	beyond := "slwb" + suffix
	w.link(t, w.preview, "slwp0", "slwp1", hostAddr+"/28", previewAddr+"/28")
	w.link(t, beyond, "slwb0", "slwb1", w.outward+"/24", "10.236.0.2/24")
	for _, address := range []string{metadata, azure, public, privateAddr, resolver, otherAddr, "10.237.1.7"} {
		run(t, "ip", "-n", beyond, "address", "add", address+"/32", "dev", "lo")
		run(t, "ip", "route", "add", address+"/32", "via", "10.236.0.2")
	}
	for _, device := range []string{"slwp0", "slwb0"} { // Docker forwards nothing that it does not know
		run(t, "iptables", "-w", "-I", "FORWARD", "-i", device, "-j", "ACCEPT")
		t.Cleanup(func() { run(t, "iptables", "-w", "-D", "FORWARD", "-i", device, "-j", "ACCEPT") })
	}
	for _, port := range []string{"7900", "7901", "53"} {
		serve(t, beyond, ":"+port)
	}
	serve(t, w.preview, ":7900")
	for _, address := range []string{hostAddr + ":7900", hostAddr + ":7901", w.outward + ":7900"} {
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, listener.Close()) })
	}
	return w
}

// link makes a namespace that is tied to this machine, through which its packets go.
func (w world) link(t *testing.T, namespace, here, there, ourAddress, itsAddress string) {
	t.Helper()
	_ = exec.Command("ip", "link", "delete", here).Run() // of a run that was killed
	run(t, "ip", "netns", "add", namespace)
	t.Cleanup(func() { run(t, "ip", "netns", "delete", namespace) })
	run(t, "ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace)
	t.Cleanup(func() { run(t, "ip", "link", "delete", here) }) // with its namespace it would go some time later
	run(t, "ip", "address", "add", ourAddress, "dev", here)
	run(t, "ip", "link", "set", here, "up")
	run(t, "ip", "-n", namespace, "address", "add", itsAddress, "dev", there)
	run(t, "ip", "-n", namespace, "link", "set", there, "up")
	run(t, "ip", "-n", namespace, "link", "set", "lo", "up")
	gateway, _, _ := strings.Cut(ourAddress, "/")
	run(t, "ip", "-n", namespace, "route", "add", "default", "via", gateway)
}

// serve accepts connections in a namespace until the test ends.
func serve(t *testing.T, namespace, address string) {
	t.Helper()
	listener, err := testbed.ListenIn(namespace, address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
}

// dial tries to connect from within the preview.
func (w world) dial(address string) error {
	cmd := exec.Command("ip", "netns", "exec", w.preview, os.Args[0])
	cmd.Env = append(os.Environ(), dialing+"="+address)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
}
