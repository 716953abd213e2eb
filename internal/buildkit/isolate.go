package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/util/resolvconf"
)

// privateNetworks are closed to build steps unless the configuration opens some.
var privateNetworks = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"}

// Isolate keeps build steps away from the host: from every service on any of its addresses, from what Docker publishes
// there, from containers on Docker's networks, from each other, from link-local addresses, where clouds keep credentials,
// and from private networks but those of PrivateNetworks. The internet stays reachable, as packages come from there, and
// the resolvers answer, wherever they are. The rules stand in the mangle table, which no order of other tools' rules can get
// around, and name the bridge alone; Isolate may be called again, without a gap, and before the daemon starts.
func (c DaemonConfig) Isolate(ctx context.Context) error {
	resolvers, err := c.resolvers()
	if err != nil {
		return fmt.Errorf("isolate builds on %s: find the resolvers: %w", c.BridgeName, err)
	}
	err = errors.Join(c.filterBridge(ctx), c.setRules(ctx, "iptables", c.rules(resolvers)), c.setRules(ctx, "ip6tables", c.rules6()))
	if err != nil {
		return fmt.Errorf("isolate builds on %s: %w", c.BridgeName, err)
	}
	return nil
}

// Unisolate takes the rules of Isolate away; those that are not there are no error.
func (c DaemonConfig) Unisolate(ctx context.Context) error {
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, jump := range c.jumps() {
			for iptables(ctx, program, "-C", jump...) == nil {
				if err := iptables(ctx, program, "-D", jump...); err != nil {
					return fmt.Errorf("take away the isolation of builds on %s: %w", c.BridgeName, err)
				}
			}
			chain := jump[len(jump)-1]
			if iptables(ctx, program, "-F", chain) != nil {
				continue // there is none
			}
			if err := iptables(ctx, program, "-X", chain); err != nil {
				return fmt.Errorf("take away the isolation of builds on %s: %w", c.BridgeName, err)
			}
		}
	}
	return nil
}

// The chains of this daemon's rules: for what comes from its bridge, and for where that goes.
func (c DaemonConfig) fromChain() string { return "slipway-" + c.BridgeName }
func (c DaemonConfig) toChain() string   { return "slipway-" + c.BridgeName + "-to" }

// jumps lead to the chains.
func (c DaemonConfig) jumps() [][]string {
	return [][]string{
		{"PREROUTING", "-i", c.BridgeName, "-j", c.fromChain()},
		{"FORWARD", "-i", c.BridgeName, "-j", c.toChain()},
	}
}

// rules of IPv4. The order says what an allowed network does not open: this host, link-local addresses and other builds.
func (c DaemonConfig) rules(resolvers []netip.Addr) []string {
	from, to := "-A "+c.fromChain()+" ", "-A "+c.toChain()+" "
	var rules []string
	for _, r := range resolvers {
		for _, protocol := range []string{"udp", "tcp"} {
			rules = append(rules, fmt.Sprintf("%s-d %s -p %s --dport 53 -j ACCEPT", from, r, protocol))
		}
	}
	for _, kind := range []string{"LOCAL", "BROADCAST", "MULTICAST"} {
		rules = append(rules, from+"-m addrtype --dst-type "+kind+" -j DROP")
	}
	rules = append(rules, from+"-d 169.254.0.0/16 -j DROP", from+"-d "+c.BridgeSubnet+" -j DROP")
	for _, network := range c.PrivateNetworks {
		rules = append(rules, from+"-d "+network.String()+" -j ACCEPT")
	}
	for _, network := range privateNetworks {
		rules = append(rules, from+"-d "+network+" -j DROP")
	}
	for _, out := range []string{"docker+", "br-+", c.BridgeName} { // Docker's own networks, and other builds
		rules = append(rules, to+"-o "+out+" -j DROP")
	}
	return rules
}

// rules6 are those of IPv6: a step has no address but a link-local one, which leads to the host and to other builds.
func (c DaemonConfig) rules6() []string {
	return []string{"-A " + c.fromChain() + " -j DROP", "-A " + c.toChain() + " -j DROP"}
}

// setRules replaces the content of the chains in one transaction, and makes sure that something leads there.
func (c DaemonConfig) setRules(ctx context.Context, program string, rules []string) error {
	restore := exec.CommandContext(ctx, program+"-restore", "-w", "--noflush")
	restore.Stdin = strings.NewReader(fmt.Sprintf("*mangle\n:%s - [0:0]\n:%s - [0:0]\n%s\nCOMMIT\n",
		c.fromChain(), c.toChain(), strings.Join(rules, "\n")))
	if out, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("%s-restore: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	for _, jump := range c.jumps() {
		if iptables(ctx, program, "-C", jump...) == nil {
			continue
		}
		if err := iptables(ctx, program, "-I", jump...); err != nil {
			return err
		}
	}
	return nil
}

// filterBridge makes the bridge, which the daemon then takes as it is, and lets frames from one of its ports to another
// pass the rules: the kernel shows them none by itself.
func (c DaemonConfig) filterBridge(ctx context.Context) error {
	attributes := filepath.Join("/sys/class/net", c.BridgeName, "bridge")
	if _, err := os.Stat(attributes); errors.Is(err, fs.ErrNotExist) {
		out, err := exec.CommandContext(ctx, "ip", "link", "add", c.BridgeName, "type", "bridge").CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip link add %s: %w: %s", c.BridgeName, err, strings.TrimSpace(string(out)))
		}
	}
	for _, name := range []string{"nf_call_iptables", "nf_call_ip6tables"} {
		err := os.WriteFile(filepath.Join(attributes, name), []byte("1"), 0) // it is there, or cannot be made
		if err != nil {
			return fmt.Errorf("keep builds apart from each other: %w: load the kernel's module br_netfilter", err)
		}
	}
	return nil
}

// resolvers are the servers whose names build steps get from the daemon: its own, else those that it takes from the host.
func (c DaemonConfig) resolvers() ([]netip.Addr, error) {
	if len(c.Nameservers) > 0 {
		var list []netip.Addr
		for _, text := range c.Nameservers {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, err
			}
			list = append(list, addr)
		}
		return list, nil
	}
	return HostResolvers()
}

// HostResolvers returns the servers that containers of this host ask for names, as Docker and BuildKit choose them.
func HostResolvers() ([]netip.Addr, error) {
	return hostResolvers("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
}

// hostResolvers reads the file that the daemon reads: that of systemd's resolver where the usual one names nothing else
// (executor/oci/resolvconf.go of BuildKit). Steps get none on a loopback address, nor an IPv6 one.
func hostResolvers(usual, systemd string) ([]netip.Addr, error) {
	conf, err := resolvconf.Load(usual)
	if err == nil {
		if servers := conf.NameServers(); len(servers) == 1 && servers[0] == netip.MustParseAddr("127.0.0.53") {
			conf, err = resolvconf.Load(systemd)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the daemon names public ones
	}
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for _, addr := range conf.NameServers() {
		if addr.Is4() && !addr.IsLoopback() {
			list = append(list, addr)
		}
	}
	return list, nil
}

func iptables(ctx context.Context, program, action string, rule ...string) error {
	args := append([]string{"-w", "-t", "mangle", action}, rule...)
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
