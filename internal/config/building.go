package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/go-units"
)

// Worker is a build and preview host.
type Worker struct {
	HostID       string   // stable name of this host; never empty once loaded
	BuildSlots   int      // deploys that fetch, plan or build at a time
	ProjectSlots int      // of one project, on all hosts together; 0 for any number
	WorkspaceDir string   // of checkouts; never empty once loaded
	MinFreeDisk  int64    // bytes below which no build begins; 0 for no bound
	GitCache     int64    // bytes that mirrors of repositories may take together; 0 for no mirrors
	DiskDirs     []string // folders besides, whose disks need as much
	BuildID      string   // of this build of slipway, for Temporal to tell it from others; empty for no difference
	ControlOnly  bool     // runs workflows, and nothing that happens on a host
}

func (w *Worker) keys() []key {
	return []key{
		{
			env: "SLIPWAY_HOST_ID", path: "worker.host_id",
			value: text(&w.HostID, optional(matching(hostIDPattern, "give up to 63 letters, digits, dots, - or _"))),
			doc:   "Name of this host in queues and in the ledger; it must stay the same over restarts. Empty for the host name.",
		},
		{
			env: "SLIPWAY_BUILD_SLOTS", path: "worker.build_slots", initial: "2", value: number(&w.BuildSlots, 1, 256),
			doc: "How many deploys may fetch, plan or build on this host at a time. The others wait in line.",
		},
		{
			env: "SLIPWAY_BUILD_SLOTS_PER_PROJECT", path: "worker.build_slots_per_project", initial: "0", value: number(&w.ProjectSlots, 0, 4096),
			doc: "How many deploys of one project may fetch, plan or build at a time, on all hosts together; 0 for as many as there are slots. Give every host the same.",
		},
		{
			env: "SLIPWAY_WORKSPACE_DIR", path: "worker.workspace_dir", value: text(&w.WorkspaceDir),
			doc: "Folder of checkouts; empty for `workspaces` in the data directory.",
		},
		{
			env: "SLIPWAY_MIN_FREE_DISK", path: "worker.min_free_disk", initial: "3GB", value: size(&w.MinFreeDisk, 0),
			doc: "Free disk space, such as `3GB`, below which this host begins no build: its free slots are closed, and room is made. They open again when there is a tenth more. With half of it left slipway-dev ends the build step that has written most. 0 for no such bound.",
		},
		{
			env: "SLIPWAY_GIT_CACHE_SIZE", path: "worker.git_cache_size", initial: "5GB", value: size(&w.GitCache, 0),
			doc: "How much of the disk the mirrors of repositories may take on this host, such as `5GB`, in `mirrors` beside the checkouts: with one, a fetch moves only what is new. Beyond it the least recently used go. 0 for no mirrors.",
		},
		{
			env: "SLIPWAY_DISK_DIRS", path: "worker.disk_dirs", value: folders(&w.DiskDirs),
			doc: "Further folders of this host, besides that of checkouts, whose disks need as much free space: where a buildkitd, a registry or Docker beside the worker keep their data. slipway-dev adds its own.",
		},
		{
			env: "SLIPWAY_WORKER_BUILD_ID", path: "worker.build_id",
			value: text(&w.BuildID, optional(matching(hostIDPattern, "give up to 63 letters, digits, dots, - or _"))),
			doc:   "Name of this build of slipway, such as `1.4.0`, for Temporal's Worker Deployment Versioning: a deploy ends on the build that began it. New deploys go to the build that is made the current one (docs/operators.md, Upgrades). Empty for none: every worker takes every deploy.",
		},
		{
			env: "SLIPWAY_WORKER_CONTROL_ONLY", path: "worker.control_only", initial: "false", value: yesNo(&w.ControlOnly),
			doc: "Runs workflows only, and nothing that happens on a host: an old build beside the new one, until the deploys that it began have ended.",
		},
	}
}

var notInHostID = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// settle names the host and places the checkouts.
func (w *Worker) settle(dataDir string) Faults {
	if w.WorkspaceDir == "" {
		w.WorkspaceDir = filepath.Join(dataDir, "workspaces")
	}
	if w.HostID != "" {
		return nil
	}
	name, err := os.Hostname()
	name = strings.TrimLeft(notInHostID.ReplaceAllString(name, "-"), "_.-")
	if err != nil || name == "" {
		return Faults{{Key: "SLIPWAY_HOST_ID", Problem: "is empty and this machine has no host name", Fix: "give this host a name"}}
	}
	w.HostID = name[:min(len(name), 63)]
	return nil
}

// Git says which repositories may be deployed.
type Git struct {
	AllowSchemes []string       // of https, ssh, http
	AllowNets    []netip.Prefix // not public, yet allowed

	AcceptNewHostKeys bool // an SSH host that nobody knows is believed once
	MaxMB             int  // of one fetch
	MaxFiles          int  // of one checkout
}

func (g *Git) keys() []key {
	return []key{
		{
			env: "SLIPWAY_GIT_ALLOW_SCHEMES", path: "git.allow_schemes", initial: "https,ssh",
			value: words(&g.AllowSchemes, "https", "ssh", "http"),
			doc:   "Schemes of repository URLs that are accepted, separated by commas. With http, tokens travel unencrypted.",
		},
		{
			env: "SLIPWAY_GIT_ALLOW_NETS", path: "git.allow_nets", value: networks(&g.AllowNets),
			doc: "Private networks (CIDRs, separated by commas) that repositories may lie in; others than public ones are refused.",
		},
		{
			env: "SLIPWAY_GIT_ACCEPT_NEW_HOST_KEYS", path: "git.accept_new_host_keys", initial: "false", value: yesNo(&g.AcceptNewHostKeys),
			doc: "Believe an SSH host whose key nobody gave, the first time, and remember the key for all projects. Otherwise such a host is refused.",
		},
		{
			env: "SLIPWAY_GIT_MAX_MB", path: "git.max_mb", initial: "1024", value: number(&g.MaxMB, 1, 1<<20),
			doc: "What one fetch may receive, and apart from that what it may check out, in MiB: the repository, its submodules and Git LFS objects together.",
		},
		{
			env: "SLIPWAY_GIT_MAX_FILES", path: "git.max_files", initial: "300000", value: number(&g.MaxFiles, 1, 10_000_000),
			doc: "How many files, folders and links one checkout may have, its submodules included. They are counted before any is made.",
		},
	}
}

// Planner turns a checkout into a plan.
type Planner struct {
	Nixpacks  string // name on PATH, or path
	Overrides string // YAML file; empty: none
	Railpack  string // name on PATH, or path; empty: none
	Frontend  string // image of Railpack's BuildKit frontend; empty: that of the CLI's version
}

func (p *Planner) keys() []key {
	return []key{
		{
			env: "SLIPWAY_NIXPACKS", path: "planner.nixpacks", initial: "nixpacks", value: text(&p.Nixpacks, given),
			doc: "The nixpacks CLI: a path, or a name that is looked up on PATH.",
		},
		{
			env: "SLIPWAY_PLAN_OVERRIDES", path: "planner.overrides", value: text(&p.Overrides),
			doc: "YAML file with base images and plan changes of your own (the air-gapped profile); empty for none.",
		},
		{
			env: "SLIPWAY_RAILPACK", path: "planner.railpack", value: text(&p.Railpack),
			doc: "The railpack CLI, for projects with builder `railpack`: a path, or a name that is looked up on PATH. Empty for none: it is an " +
				"experiment, and fetches tools from the internet while it plans.",
		},
		{
			env: "SLIPWAY_RAILPACK_FRONTEND", path: "planner.railpack_frontend", value: text(&p.Frontend),
			doc: "Image of Railpack's BuildKit frontend, best by digest; empty for `ghcr.io/railwayapp/railpack-frontend` with the version that the CLI has.",
		},
	}
}

// BuildKit builds and pushes images.
type BuildKit struct {
	Addrs         []string     // none in slipway-dev: a child of its own
	CA            string       // file; for tcp, checks the server
	Cert, Key     string       // files; for tcp, show who the worker is
	Bridge        string       // interface of that child's RUN steps
	Subnet        netip.Prefix // of that interface
	StepCPUs      float64      // of that child's RUN steps, each
	StepMemory    int64        // bytes, likewise
	StepProcesses int
	PrivateNets   []netip.Prefix // not public, yet RUN steps of that child reach them
	CNIDir        string         // CNI plugins for that child
	CacheSize     int64          // bytes that the child's layers and caches may take together
	DockerMirror  bool           // that child takes docker.io's images from the registry first
	RegistryCache bool           // the registry keeps the steps of production's builds
	SBOMScanner   string         // image
}

func (b *BuildKit) keys(addrs func(*[]string) value) []key {
	return []key{
		{
			env: "SLIPWAY_BUILDKIT_ADDR", path: "buildkit.addr", value: addrs(&b.Addrs),
			doc: "A buildkitd, or several that are separated by commas: `unix://`, `tcp://`, `docker-container://` or `kube-pod://`. The builds of a project go to " +
				"the same one, where its cache is, while that answers and is not overloaded; else to another. slipway-dev runs its own when it is empty.",
		},
		{
			env: "SLIPWAY_BUILDKIT_CA_FILE", path: "buildkit.ca_file", value: text(&b.CA),
			doc: "Certificate authority (PEM) that a `tcp://` buildkitd is checked against. Without one the connection is not encrypted.",
		},
		{
			env: "SLIPWAY_BUILDKIT_CERT_FILE", path: "buildkit.cert_file", value: text(&b.Cert),
			doc: "Client certificate (PEM) for a `tcp://` buildkitd, which should let nobody in without one.",
		},
		{
			env: "SLIPWAY_BUILDKIT_KEY_FILE", path: "buildkit.key_file", value: text(&b.Key),
			doc: "Key (PEM) of the client certificate.",
		},
		{
			env: "SLIPWAY_SBOM_SCANNER", path: "buildkit.sbom_scanner", initial: "docker.io/docker/buildkit-syft-scanner:1", value: text(&b.SBOMScanner, given),
			doc: "Image that lists what an image holds, for projects that set `sbom`; it keeps to BuildKit's scanner protocol.",
		},
		{
			env: "SLIPWAY_BUILD_BRIDGE", path: "buildkit.bridge", initial: "slipway0",
			value: text(&b.Bridge, matching(interfacePattern, "give an interface name of up to 15 characters")),
			doc:   "Bridge of slipway-dev's own buildkitd. Two installations on one machine need different ones.",
		},
		{
			env: "SLIPWAY_BUILD_SUBNET", path: "buildkit.subnet", initial: "10.214.0.0/16", value: network(&b.Subnet, 24),
			doc: "Network that RUN steps of a build get their addresses from.",
		},
		{
			env: "SLIPWAY_BUILD_CPUS", path: "buildkit.cpus", initial: "0", value: decimal(&b.StepCPUs, 0.1, 1024),
			doc: "How many CPUs one RUN step on slipway-dev's own buildkitd may use, such as `1.5`; 0 for all: steps that run at the same time share them evenly. " +
				"Another buildkitd has this and the next two in `deploy/step-runtime.sh`.",
		},
		{
			env: "SLIPWAY_BUILD_MEMORY", path: "buildkit.memory", initial: "4GB", value: size(&b.StepMemory, 0),
			doc: "How much memory one RUN step may use, such as `4GB`, without swap. What needs more is killed, and the deployment fails with `build.out_of_memory`. 0 for no bound.",
		},
		{
			env: "SLIPWAY_BUILD_PROCESSES", path: "buildkit.processes", initial: "4096", value: number(&b.StepProcesses, 0, 1<<22),
			doc: "How many processes and threads one RUN step may have at a time. 0 for no bound.",
		},
		{
			env: "SLIPWAY_BUILD_PRIVATE_NETWORKS", path: "buildkit.private_networks", value: networks(&b.PrivateNets, ipv4),
			doc: "Private networks (IPv4 CIDRs, separated by commas) that RUN steps on slipway-dev's own buildkitd reach, such as that of a company's package " +
				"registry. Empty for none: steps reach public addresses and the resolvers of `/etc/resolv.conf` alone. This host, link-local addresses, " +
				"previews and other builds are never reached, whatever is given. `deploy/buildkitd.sh` reads it too.",
		},
		{
			env: "SLIPWAY_CNI_DIR", path: "buildkit.cni_dir", initial: "/usr/lib/cni", value: text(&b.CNIDir, given),
			doc: "Folder of the CNI plugins bridge, firewall, host-local and loopback.",
		},
		{
			env: "SLIPWAY_BUILD_CACHE_SIZE", path: "buildkit.cache_size", initial: "20GB", value: size(&b.CacheSize, units.GiB),
			doc: "How much of the disk the layers and caches of slipway-dev's own buildkitd may take, such as `20GB` (1 GB is 1024³ bytes). Beyond it " +
				"layers go first, those that no build has used for a day before others; a cache mount (of `npm`, `go` and the like) that was used within " +
				"a week goes last. 10 % of the disk stays free of it, unless that left it less than a tenth of its size. " +
				"Another buildkitd has it in its `buildkitd.toml`.",
		},
		{
			env: "SLIPWAY_REGISTRY_CACHE", path: "buildkit.registry_cache", initial: "false", value: yesNo(&b.RegistryCache),
			doc: "Keep the steps of each project's last production build in the registry, those of earlier stages too: any build of the project takes from there what " +
				"its builder has no longer, or never had. Kept once the deployment is ready, one build at a time; for several builders, or such whose disks do " +
				"not last. Whoever may read the registry may read these layers.",
		},
		{
			env: "SLIPWAY_DOCKER_MIRROR", path: "buildkit.docker_mirror", initial: "false", value: yesNo(&b.DockerMirror),
			doc: "Take `docker.io` images from slipway-dev's registry: for machines that reach no public image registry.",
		},
	}
}

// check reports TLS files that could not be used.
func (b *BuildKit) check() Faults {
	plain := slices.IndexFunc(b.Addrs, func(addr string) bool { return !strings.HasPrefix(addr, "tcp://") })
	switch {
	case b.CA+b.Cert+b.Key != "" && (len(b.Addrs) == 0 || plain >= 0):
		uses := "slipway-dev's own buildkitd"
		if plain >= 0 {
			uses = b.Addrs[plain]
		}
		return Faults{{
			Key: "SLIPWAY_BUILDKIT_ADDR", Problem: "has TLS files, and " + uses + " uses none",
			Fix: "give tcp:// addresses, or leave SLIPWAY_BUILDKIT_CA_FILE, _CERT_FILE and _KEY_FILE out",
		}}
	case b.Cert == "" && b.Key != "", b.Cert != "" && (b.Key == "" || b.CA == ""):
		return Faults{{
			Key: "SLIPWAY_BUILDKIT_CERT_FILE", Problem: "certificate, key and authority are not all there",
			Fix: "give SLIPWAY_BUILDKIT_CA_FILE, _CERT_FILE and _KEY_FILE, or the authority alone",
		}}
	}
	return nil
}

// Docker runs the previews.
type Docker struct {
	Host           string       // empty: DOCKER_HOST, else the default socket
	PreviewSubnets netip.Prefix // cut into one network per preview
	StartCPUs      float64      // that an app may use until it is healthy; 0: its own

	Runtime     string           // of containers; empty for the engine's default
	Isolation   string           // whether previews are kept away from this machine: on, off
	Services    []netip.AddrPort // that they reach all the same
	PrivateNets []netip.Prefix   // that they reach

	TraefikEntryPoints string // of a Traefik that reaches previews past the gateway; empty for none
}

var entryPointsPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*$`)

// IsolationOff lets previews reach what is near them.
const IsolationOff = "off"

func (d *Docker) keys() []key {
	return []key{
		{
			env: "SLIPWAY_DOCKER_HOST", path: "docker.host", value: text(&d.Host, optional(dockerHost)),
			doc: "The Docker Engine (20.10 or newer) that runs previews; empty for DOCKER_HOST or the default socket.",
		},
		{
			env: "SLIPWAY_PREVIEW_SUBNETS", path: "docker.preview_subnets", initial: "10.213.0.0/16",
			value: network(&d.PreviewSubnets, 24),
			doc:   "Network that is cut into one small network per preview.",
		},
		{
			env: "SLIPWAY_PREVIEW_RUNTIME", path: "docker.preview_runtime", value: text(&d.Runtime),
			doc: "Runtime of previews' containers, such as `runsc` (gVisor), which the Docker Engine has to know; empty for its default.",
		},
		{
			env: "SLIPWAY_PREVIEW_ISOLATION", path: "docker.isolation", initial: "on", value: oneOf(&d.Isolation, "on", IsolationOff),
			doc: "Keeps previews away from every service of this machine, from each other, from cloud metadata and from private networks, with rules in the " +
				"kernel's packet filter (nftables). The worker needs the capability `CAP_NET_ADMIN` for it, in the network of the Docker engine's machine: in a container, with host networking. With `off` nothing is set.",
		},
		{
			env: "SLIPWAY_PREVIEW_SERVICES", path: "docker.preview_services", value: services(&d.Services),
			doc: "Services (`address:port` with an IPv4 address, separated by commas) that previews reach by TCP although they are on this machine or in a private network, " +
				"such as a database that apps share.",
		},
		{
			env: "SLIPWAY_PREVIEW_PRIVATE_NETWORKS", path: "docker.preview_private_networks", value: networks(&d.PrivateNets, ipv4),
			doc: "Private networks (IPv4 CIDRs, separated by commas) that previews reach. Empty for none: previews reach public addresses and the resolvers of " +
				"`/etc/resolv.conf` alone. This machine, link-local addresses and other previews are never reached, whatever is given.",
		},
		{
			env: "SLIPWAY_START_CPUS", path: "docker.start_cpus", initial: "2", value: decimal(&d.StartCPUs, 0.1, 1024),
			doc: "How many CPUs an app may use until it answers its health check for the first time, when its project's `resources.cpus` are fewer; 0 for those. " +
				"A start is most of the work of many apps, and whoever deploys waits for it.",
		},
		{
			env: "SLIPWAY_TRAEFIK_ENTRYPOINTS", path: "docker.traefik_entrypoints",
			value: text(&d.TraefikEntryPoints, optional(matching(entryPointsPattern, "give names of Traefik's entry points, separated by commas, such as websecure"))),
			doc: "Entry points of a Traefik with the Docker provider on the preview host. Containers that never sleep (production's; all with `SLIPWAY_PREVIEW_IDLE=forever`) " +
				"then carry labels that lead the deployment's and the environment's host name to them **past the gateway**: without its swap, its metrics and access log, its pages and its limits, and never " +
				"under a custom domain. [docs/traefik.md](traefik.md) has what that means, and how Traefik leads to the gateway instead, which needs no label. Empty for none.",
		},
	}
}
