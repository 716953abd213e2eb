package buildkit

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// DaemonConfig describes a buildkitd that runs as a child of slipway.
//
// What its builds can reach. RUN steps get a network of their own behind the bridge BridgeName. They reach the internet
// through NAT; the firewall plugin of CNI accepts their traffic, so it passes although Docker drops what it does not know
// in FORWARD. They do not reach the host's loopback, neither as 127.0.0.1, which is their own, nor by the bridge's
// gateway address, where nothing listens that is bound to the loopback; and bridges of other daemons are closed to them.
// They do reach, until Isolate is called, what listens on all addresses of the host, containers on Docker's networks, each
// other and private networks.
//
// ADD, FROM and git sources are fetched by buildkitd from the host's own network. Builder refuses those whose host is
// written as an inward address or name; a public name that resolves inward, a redirect, a submodule and the host's own
// public address are not covered, and git over ssh greets the named host before it is refused.
type DaemonConfig struct {
	Root           string   // state: layers, caches, history
	Address        string   // unix:///path; keep it short, sockets have about 100 characters
	RegistryAddr   string   // host:port of a registry that speaks plain HTTP, "" for none
	DockerIOMirror bool     // take docker.io's images from RegistryAddr first: FROM debian is RegistryAddr/library/debian
	CNIBinDir      string   // CNI's plugins bridge, firewall, host-local and loopback; "" for where Debian keeps them
	BridgeName     string   // an interface of this daemon alone, 15 characters at most
	BridgeSubnet   string   // CIDR, disjoint from other daemons'
	Nameservers    []string // for RUN steps; empty: the host's, or public ones where the host has a loopback one only
	// PrivateNetworks are those beyond the host that RUN steps reach, as where a company has its package registry. IPv4.
	PrivateNetworks []netip.Prefix
	CacheBytes      int64 // bound on layers and caches together
	MaxParallel     int   // RUN steps at a time; 0: no bound
	Limits          StepLimits
	Frontend        string // image of the one frontend that a build may name, in whatever version; "" for none
}

// Defaults of a daemon's network, and how many networks are kept ready: making one takes a third of a second.
const (
	defaultCNIBinDir = "/usr/lib/cni"
	networkPool      = 4
)

// ConfigFile is where WriteFiles writes TOML and where Command looks for it.
func (c DaemonConfig) ConfigFile() string { return filepath.Join(c.Root, "buildkitd.toml") }

// Args returns buildkitd's arguments.
func (c DaemonConfig) Args() []string { return []string{"--config", c.ConfigFile()} }

// Env returns variables that buildkitd needs: a step's output is kept whole up to 64 MiB. By default what comes faster
// than 200 KiB a second, or after 2 MiB, is lost.
func (c DaemonConfig) Env() []string {
	return []string{"BUILDKIT_STEP_LOG_MAX_SIZE=67108864", "BUILDKIT_STEP_LOG_MAX_SPEED=-1"}
}

// Command returns the command that runs buildkitd from binary, as root, with this configuration. It is the first process
// of a PID namespace of its own, so that the kernel ends every build step with it, however it ends: a step of a daemon
// that was killed would run on for ever otherwise. Its mounts are its own too and go with it. The command's process is
// buildkitd itself; SIGTERM stops it in order. Callers may add to SysProcAttr.
func (c DaemonConfig) Command(binary string) *exec.Cmd {
	// The shell gives the namespace its /proc and then becomes buildkitd.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `mount -t proc proc /proc && exec "$0" "$@"`, binary}, c.Args()...)...)
	cmd.Env = append(os.Environ(), c.Env()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}

// TOML returns the content of ConfigFile.
func (c DaemonConfig) TOML() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("root = %q", c.Root)
	line("[log]\nformat = \"text\"\nlevel = \"warn\"")
	line("[grpc]\naddress = [%q]", c.Address)
	line("[otel]\nsocketPath = %q", filepath.Join(c.Root, "otel.sock")) // its default is one path for all daemons
	line("[cdi]\ndisabled = true")
	line("# A worker that restarted asks the history whether a build had finished.\n[history]\nmaxAge = 604800\nmaxEntries = 1000")
	if len(c.Nameservers) > 0 {
		line("[dns]\nnameservers = [%s]", quoted(c.Nameservers))
	}
	c.worker(line)
	if c.RegistryAddr != "" {
		line("[registry.%q]\nhttp = true", c.RegistryAddr)
	}
	if c.RegistryAddr != "" && c.DockerIOMirror {
		line("[registry.\"docker.io\"]\nmirrors = [%q]", c.RegistryAddr)
	}
	line("# A Dockerfile must not choose the program that reads it.\n[frontend.\"gateway.v0\"]\nenabled = %t", c.Frontend != "")
	if c.Frontend != "" {
		line("allowedRepositories = [%q]", c.Frontend)
	}
	return b.String()
}

func (c DaemonConfig) worker(line func(string, ...any)) {
	bin := c.CNIBinDir
	if bin == "" {
		bin = defaultCNIBinDir
	}
	line("[worker.containerd]\nenabled = false")
	line("[worker.oci]\nenabled = true\ngc = true\nmax-parallelism = %d", c.MaxParallel)
	line("binary = %q", c.RuntimeFile())
	line("networkMode = \"bridge\"\ncniBinaryPath = %q\ncniPoolSize = %d", bin, networkPool)
	line("bridgeName = %q\nbridgeSubnet = %q", c.BridgeName, c.BridgeSubnet)
	line("defaultCgroupParent = %q", c.cgroup())
	c.cache(line)
}

func quoted(items []string) string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = fmt.Sprintf("%q", item)
	}
	return strings.Join(out, ", ")
}
