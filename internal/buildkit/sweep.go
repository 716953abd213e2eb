package buildkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Where CNI's plugins keep what they know of networks, by the name that buildkitd gives its own.
const (
	cniAddresses = "/var/lib/cni/networks/buildkit"
	cniResults   = "/var/lib/cni/results"
	cgroupRoot   = "/sys/fs/cgroup"
)

// Sweep removes what a daemon that was killed has left of its builds: addresses and rules of CNI's plugins, the bridge,
// network namespaces and cgroups. Its steps and mounts went with its namespaces. What is this daemon's shows by bridge
// and subnet, which no other uses, so that nothing needs its data directory, which may have been purged. It must not run
// meanwhile.
func (c DaemonConfig) Sweep(ctx context.Context) error {
	subnet, err := netip.ParsePrefix(c.BridgeSubnet)
	if err != nil {
		return fmt.Errorf("sweep what builds on %s left: %w", c.BridgeName, err)
	}
	err = errors.Join(c.sweepRules(ctx, "nat", subnet), c.sweepRules(ctx, "filter", subnet),
		sweepAddresses(subnet), c.sweepBridge(ctx), c.sweepCgroups(ctx), os.RemoveAll(filepath.Join(c.Root, "net", "cni")))
	if err != nil {
		return fmt.Errorf("sweep what builds on %s left: %w", c.BridgeName, err)
	}
	return nil
}

// sweepRules removes the rules that CNI's plugins made for addresses and the bridge of this daemon, with the chains that
// they made for single addresses, in one transaction. A chain to which nothing leads yet is one that was being made.
func (c DaemonConfig) sweepRules(ctx context.Context, table string, subnet netip.Prefix) error {
	saved, err := exec.CommandContext(ctx, "iptables-save", "-t", table).Output()
	if err != nil {
		return fmt.Errorf("iptables-save: %w", err)
	}
	var changes, chains []string
	for line := range strings.Lines(string(saved)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "-A" || !c.ownsRule(words, subnet) {
			continue
		}
		changes = append(changes, "-D"+strings.TrimPrefix(strings.TrimSpace(line), "-A"))
		switch {
		case words[1] == "POSTROUTING":
			chains = append(chains, words[len(words)-1])
		case slices.Contains(words, subnet.Masked().String()):
			chains = append(chains, words[1])
		}
	}
	slices.Sort(chains)
	chains = slices.Compact(chains)
	for _, chain := range chains {
		changes = append(changes, "-F "+chain, "-X "+chain)
	}
	if len(changes) == 0 {
		return nil
	}
	restore := exec.CommandContext(ctx, "iptables-restore", "-w", "--noflush")
	restore.Stdin = strings.NewReader("*" + table + "\n" + strings.Join(changes, "\n") + "\nCOMMIT\n")
	if out, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// ownsRule reports whether a rule is one of CNI's plugins, for this daemon's bridge, its subnet or an address of that.
func (c DaemonConfig) ownsRule(words []string, subnet netip.Prefix) bool {
	chain, target := words[1], words[len(words)-1]
	if !strings.HasPrefix(chain, "CNI-") && (chain != "POSTROUTING" || !strings.HasPrefix(target, "CNI-")) {
		return false
	}
	for i, word := range words[:len(words)-1] {
		switch value := words[i+1]; word {
		case "-i", "-o":
			if value == c.BridgeName {
				return true
			}
		case "-s", "-d":
			if p, err := netip.ParsePrefix(value); err == nil && p.Bits() >= subnet.Bits() && subnet.Contains(p.Addr()) {
				return true
			}
		}
	}
	return false
}

// sweepAddresses gives addresses of the subnet back: files of the plugin host-local named by the address, and CNI's own
// note of each.
func sweepAddresses(subnet netip.Prefix) error {
	files, err := os.ReadDir(cniAddresses)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	for _, f := range files {
		if addr, err := netip.ParseAddr(f.Name()); err == nil && subnet.Contains(addr) {
			errs = append(errs, gone(os.Remove(filepath.Join(cniAddresses, f.Name()))))
		}
	}
	notes, err := filepath.Glob(filepath.Join(cniResults, "buildkit-*"))
	errs = append(errs, err)
	for _, note := range notes {
		if holdsAddress(note, subnet) {
			errs = append(errs, gone(os.Remove(note)))
		}
	}
	return errors.Join(errs...)
}

// holdsAddress reports whether a note of CNI's is about an address of the subnet.
func holdsAddress(note string, subnet netip.Prefix) bool {
	var content struct {
		Result struct {
			IPs []struct {
				Address netip.Prefix `json:"address"`
			} `json:"ips"`
		} `json:"result"`
	}
	b, err := os.ReadFile(note)
	if err != nil || json.Unmarshal(b, &content) != nil {
		return false // gone, or being written: not of a daemon that is dead
	}
	for _, ip := range content.Result.IPs {
		if subnet.Contains(ip.Address.Addr()) {
			return true
		}
	}
	return false
}

// sweepBridge removes the bridge: buildkitd removes only one that it made itself.
func (c DaemonConfig) sweepBridge(ctx context.Context) error {
	if _, err := net.InterfaceByName(c.BridgeName); err != nil {
		return nil //nolint:nilerr // no build has run, or it is gone
	}
	if text, err := exec.CommandContext(ctx, "ip", "link", "delete", c.BridgeName, "type", "bridge").CombinedOutput(); err != nil {
		return fmt.Errorf("ip link delete %s: %w: %s", c.BridgeName, err, strings.TrimSpace(string(text)))
	}
	return nil
}

// cgroup is the parent of the cgroups of this daemon's steps, in every hierarchy.
func (c DaemonConfig) cgroup() string { return "slipway-" + c.BridgeName }

// sweepCgroups removes the cgroups of steps. The kernel takes a moment to let go of one whose processes have just died.
func (c DaemonConfig) sweepCgroups(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.removeCgroups()
		if !errors.Is(err, syscall.EBUSY) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// removeCgroups removes them once, the innermost first: v2 has one hierarchy, v1 one below each controller's folder.
func (c DaemonConfig) removeCgroups() error {
	var folders []string
	for _, pattern := range []string{c.cgroup(), filepath.Join("*", c.cgroup())} {
		tops, err := filepath.Glob(filepath.Join(cgroupRoot, pattern))
		if err != nil {
			return err
		}
		for _, top := range tops {
			err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					folders = append(folders, path)
				}
				return gone(err)
			})
			if err != nil {
				return err
			}
		}
	}
	var errs []error
	for _, folder := range slices.Backward(folders) {
		errs = append(errs, gone(os.Remove(folder)))
	}
	return errors.Join(errs...)
}

// gone takes what is not there any more for removed.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
