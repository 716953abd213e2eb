package buildkit

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Isolate keeps build steps away from the host: from every service on any of its addresses but DNS, from what Docker
// publishes there, from containers on Docker's networks, and from link-local addresses, where clouds keep credentials.
// The internet and private networks beyond the host stay reachable, as packages come from there. The rules stand in the
// mangle table, which no order of other tools' rules can get around, and name the bridge alone; Isolate may be called
// again, and before the daemon starts.
func (c DaemonConfig) Isolate(ctx context.Context) error {
	if err := c.Unisolate(ctx); err != nil {
		return err
	}
	for _, rule := range c.rules() {
		if err := iptables(ctx, rule.program, "-A", rule); err != nil {
			return fmt.Errorf("isolate builds on %s: %w", c.BridgeName, err)
		}
	}
	return nil
}

// Unisolate takes the rules of Isolate away; those that are not there are no error.
func (c DaemonConfig) Unisolate(ctx context.Context) error {
	for _, rule := range c.rules() {
		for iptables(ctx, rule.program, "-C", rule) == nil {
			if err := iptables(ctx, rule.program, "-D", rule); err != nil {
				return fmt.Errorf("take away the isolation of builds on %s: %w", c.BridgeName, err)
			}
		}
	}
	return nil
}

// rule is one rule of the mangle table.
type rule struct {
	program string // iptables or ip6tables
	chain   string
	match   string
	target  string
}

func (c DaemonConfig) rules() []rule {
	in := "-i " + c.BridgeName
	return []rule{
		{"iptables", "PREROUTING", in + " -m addrtype --dst-type LOCAL -p udp --dport 53", "ACCEPT"},
		{"iptables", "PREROUTING", in + " -m addrtype --dst-type LOCAL -p tcp --dport 53", "ACCEPT"},
		{"iptables", "PREROUTING", in + " -m addrtype --dst-type LOCAL", "DROP"},
		{"iptables", "PREROUTING", in + " -d 169.254.0.0/16", "DROP"},
		{"iptables", "FORWARD", in + " -o docker+", "DROP"},
		{"iptables", "FORWARD", in + " -o br-+", "DROP"}, // Docker's own networks
		{"ip6tables", "PREROUTING", in, "DROP"},          // a step has no IPv6 but link-local, which leads to the host
	}
}

func iptables(ctx context.Context, program, action string, r rule) error {
	args := append([]string{"-w", "-t", "mangle", action, r.chain}, strings.Fields(r.match+" -j "+r.target)...)
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
