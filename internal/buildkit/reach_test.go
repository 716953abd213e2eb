package buildkit_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// serves is a program that answers connections at the port that is its first argument, on the address that is its second.
const serves = `use IO::Socket::IP; my $l = IO::Socket::IP->new(LocalHost => $ARGV[1], LocalPort => $ARGV[0], V6Only => 0, Listen => 16, ReuseAddr => 1) or die "$@";
$| = 1; print "serving\n"; while (my $c = $l->accept) { close $c }`

// servesPort is where it listens wherever it has the place for itself.
const servesPort = "7777"

// tool runs a program and returns what it printed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// outside makes a machine behind this one's router, with the given addresses, on which something listens.
func outside(t *testing.T, s *buildkittest.Stack, addresses ...string) {
	t.Helper()
	place := strings.Split(s.Gateway, ".")[2]
	ns, here, there := "slipwayout"+place, "slipwayo"+place, "slipwayp"+place
	_ = exec.Command("ip", "netns", "delete", ns).Run() // of a run that was killed; it takes the links along
	tool(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { tool(t, "ip", "netns", "delete", ns) })
	tool(t, "ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", ns)
	tool(t, "ip", "address", "add", "198.18."+place+".1/30", "dev", here)
	tool(t, "ip", "link", "set", here, "up")
	inside := func(args ...string) { tool(t, "ip", append([]string{"-n", ns}, args...)...) }
	inside("address", "add", "198.18."+place+".2/30", "dev", there)
	inside("link", "set", there, "up")
	inside("link", "set", "lo", "up")
	inside("route", "add", "default", "via", "198.18."+place+".1")
	for _, a := range addresses {
		inside("address", "add", a+"/32", "dev", "lo")
		tool(t, "ip", "route", "add", a+"/32", "via", "198.18."+place+".2", "metric", place) // another run may have the same
	}
	server := exec.CommandContext(t.Context(), "ip", "netns", "exec", ns, "perl", "-e", serves, servesPort, "0.0.0.0")
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Wait() })
}

// listen answers connections on this machine and returns the port.
func listen(t *testing.T, network, host string) string {
	t.Helper()
	ln, err := net.Listen(network, net.JoinHostPort(host, "0"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	require.NoError(t, err)
	return port
}

// reached tells which of the targets (host/port) a RUN on the stack connects to.
func reached(t *testing.T, s *buildkittest.Stack, targets []string) map[string]bool {
	t.Helper()
	script := "RUN <<'EOF' bash # " + uuid.NewString() + "\n"
	for _, target := range targets {
		script += fmt.Sprintf("(timeout 4 bash -c 'exec 3<>/dev/tcp/%s' 2>/dev/null && echo 'reached %s' || echo 'closed %s') &\n", target, target, target)
	}
	script += "wait\nEOF\n"
	r, heard := request(t, from+script, nil), &transcript{}
	r.Image = s.Registry + "/test:" + r.Ref
	_, err := s.Builder(t).Solve(t.Context(), r, heard)
	require.NoError(t, err, heard.text())
	found := map[string]bool{}
	for _, target := range targets {
		found[target] = heard.saw(" reached " + target + "\n")()
		require.True(t, found[target] || heard.saw(" closed "+target+"\n")(), "nothing is said of %s: %s", target, heard.text())
	}
	return found
}

// otherBuild runs a build that listens, until the test ends, and returns its addresses.
func otherBuild(t *testing.T, s *buildkittest.Stack) (v4, linkLocal string) {
	t.Helper()
	script := "RUN <<'EOF' bash # " + uuid.NewString() + "\n" +
		"echo \"v4 $(hostname -I | tr ' ' '\\n' | grep -F .) end\"\necho \"v6 $(sed -n 's/^\\(fe80[0-9a-f]*\\) .* eth0$/\\1/p' /proc/net/if_inet6) end\"\n" +
		"exec perl -e '" + serves + "' " + servesPort + " ::\nEOF\n"
	r, heard := request(t, from+script, nil), &transcript{}
	r.Image = s.Registry + "/test:" + r.Ref
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Builder(t).Solve(t.Context(), r, heard) // ends with the test
	}()
	t.Cleanup(func() { <-done })
	require.Eventually(t, heard.saw(" serving\n"), 60*time.Second, 20*time.Millisecond, heard.text)
	for line := range strings.Lines(heard.text()) {
		words := strings.Fields(line)
		if len(words) == 5 && words[2] == "v4" {
			v4 = words[3]
		}
		if len(words) == 5 && words[2] == "v6" {
			linkLocal = words[3]
		}
	}
	require.NotEmpty(t, v4, heard.text())
	require.Len(t, linkLocal, 32, heard.text())
	var groups []string
	for ; linkLocal != ""; linkLocal = linkLocal[4:] {
		groups = append(groups, linkLocal[:4])
	}
	return v4, strings.Join(groups, ":")
}

// previewContainer runs a container that listens on a network as previews have one, and returns its address.
func previewContainer(t *testing.T, s *buildkittest.Stack) string {
	t.Helper()
	name := "slipwaytest-reach-" + uuid.NewString()[:8]
	place := strings.Split(s.Gateway, ".")[2]
	// Not a private one, so that it is the network that closes it and not the address.
	tool(t, "docker", "network", "create", "--subnet", "198.19."+place+".0/28", name)
	t.Cleanup(func() { tool(t, "docker", "network", "rm", name) })
	tool(t, "docker", "run", "--detach", "--name", name, "--network", name, s.Registry+"/library/debian:bookworm-slim", "perl", "-e", serves, servesPort, "0.0.0.0")
	t.Cleanup(func() { tool(t, "docker", "rm", "--force", name) })
	return tool(t, "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
}

// hostAddresses are all addresses of this machine that a build could name just now, but those of bridges that other tests make and
// remove meanwhile.
func hostAddresses(t *testing.T, bridges ...string) []netip.Addr {
	t.Helper()
	interfaces, err := net.Interfaces()
	require.NoError(t, err)
	var found []netip.Addr
	for _, one := range interfaces {
		if _, err := os.Stat("/sys/class/net/" + one.Name + "/bridge"); err == nil && !slices.Contains(bridges, one.Name) {
			continue
		}
		list, err := one.Addrs()
		require.NoError(t, err)
		for _, a := range list {
			p, err := netip.ParsePrefix(a.String())
			require.NoError(t, err)
			if !p.Addr().IsLinkLocalUnicast() { // needs an interface, and names another machine in a build
				found = append(found, p.Addr())
			}
		}
	}
	require.NotEmpty(t, found)
	return found
}

// What a RUN reaches, as seen from inside of one.
func TestWhatARunReaches(t *testing.T) {
	t.Parallel()
	own := buildkittest.StartWith(t, func(c *buildkit.DaemonConfig) {
		c.PrivateNetworks = []netip.Prefix{netip.MustParsePrefix("10.232.0.0/16"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("10.231.0.0/16")}
	})
	place := strings.Split(own.Gateway, ".")[2]
	internet, metadata, allowed := "198.51.100."+place, testbed.MetadataAddress, "10.232."+place+".7"
	private := map[string]string{
		"10/8": "10.230." + place + ".7", "172.16/12": "172.31." + place + ".7", "192.168/16": "192.168." + place + ".7", "CGNAT": "100.100." + place + ".7",
	}
	release, err := testbed.TakeMetadataAddress()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, release()) })
	outside(t, own, append([]string{internet, metadata, allowed}, private["10/8"], private["172.16/12"], private["192.168/16"], private["CGNAT"])...)
	everywhere, loopback := listen(t, "tcp", ""), listen(t, "tcp4", "127.0.0.1")
	_, registry, err := net.SplitHostPort(own.Registry)
	require.NoError(t, err)
	build4, build6 := otherBuild(t, own)

	type row struct {
		name, host, port string
		reached          bool
		unruled          bool       // closed without the rules too: it is the step's own
		own              netip.Addr // of this machine, if it is one
	}
	rows := []row{
		{name: "internet", host: internet, port: servesPort, reached: true},
		{name: "private network that is allowed", host: allowed, port: servesPort, reached: true},
		{name: "metadata, although it is allowed", host: metadata, port: servesPort},
		{name: "loopback", host: "127.0.0.1", port: loopback, unruled: true},
		{name: "loopback of IPv6", host: "::1", port: everywhere, unruled: true},
		{name: "registry", host: "127.0.0.1", port: registry, unruled: true},
		{name: "bridge", host: own.Gateway, port: everywhere},
		{name: "another build, although its network is allowed", host: build4, port: servesPort},
		{name: "another build by IPv6", host: build6 + "%eth0", port: servesPort},
		{name: "preview", host: previewContainer(t, own), port: servesPort},
	}
	for name, address := range private {
		rows = append(rows, row{name: "private network " + name, host: address, port: servesPort})
	}
	addresses := func() []netip.Addr { return hostAddresses(t, "docker0", own.Config().BridgeName) }
	for _, address := range addresses() {
		rows = append(rows, row{name: "host as " + address.String(), host: address.String(), port: everywhere, unruled: address.Is6() || address.IsLoopback(), own: address})
	}
	var targets []string
	for _, r := range rows {
		targets = append(targets, r.host+"/"+r.port)
	}
	// Docker has rules of its own before its containers; ours must not depend on the order in which the two stand.
	for _, direction := range []string{"-i", "-o"} {
		accept := []string{"FORWARD", direction, own.Config().BridgeName, "-j", "ACCEPT"}
		tool(t, "iptables", append([]string{"-w", "-I"}, accept...)...)
		t.Cleanup(func() { tool(t, "iptables", append([]string{"-w", "-D"}, accept...)...) })
	}
	// Without the rules all of it is reached: what is closed with them is closed by them.
	require.NoError(t, own.Config().Unisolate(t.Context()))
	var amiss []string
	for range 5 { // who has just begun to listen, or has a new address, is not reached at once
		found := reached(t, own, targets)
		amiss = nil
		left := addresses() // other tests' interfaces go meanwhile
		for _, r := range rows {
			if found[r.host+"/"+r.port] == r.unruled && (!r.own.IsValid() || slices.Contains(left, r.own)) {
				amiss = append(amiss, r.name)
			}
		}
		if amiss == nil {
			break
		}
	}
	require.Empty(t, amiss, "without rules")
	require.NoError(t, own.Config().Isolate(t.Context()))
	require.NoError(t, own.Config().Isolate(t.Context()), "once more, with the daemon running")
	found := reached(t, own, targets)
	for i, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, r.reached, found[targets[i]], targets[i])
		})
	}
}
