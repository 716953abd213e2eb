package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/isolation"
	"github.com/slipway-dev/slipway/internal/postgres/cluster"
	"github.com/slipway-dev/slipway/internal/registry"
)

// installation is slipway with every part in a process of its own, on ports and in a folder of its own.
type installation struct {
	dir      string // short, for the sockets in it
	cache    string
	binary   string // slipway
	engineAt string // folder of the Docker engine, kept, so that what a killed run left is found
	dockerd  string // the Docker engine's socket, as a URL
	api      string // host:port, likewise below
	gateway  string
	ops      []string // of API, worker and gateway
	temporal string
	registry string
	token    string
	settings []string // of a test's own, for roles that it restarts
	daemon   buildkit.DaemonConfig
	cluster  *cluster.Cluster
	parts    []*process // in the order in which they are started

	git    *holder // before the git server
	engine *holder // before the Docker engine
	gitURL string
	db     *pgxpool.Pool
	flows  sdkclient.Client
}

const (
	hostID         = "chaos"
	buildBridge    = "slipwaych0"
	buildSubnet    = "10.226.0.0/16"
	previewSubnets = "10.227.0.0/16"
)

func layOut(root, cache, binary string) (*installation, error) {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return nil, err
	}
	i := &installation{dir: dir, cache: cache, binary: binary, engineAt: filepath.Join(root, "docker"), dockerd: "unix://" + filepath.Join(dir, "dockerd.sock")}
	for _, sub := range []string{"hold", "log", "repos"} {
		if err := os.Mkdir(i.path(sub), 0o755); err != nil {
			return i, err
		}
	}
	if err := errors.Join(os.Chmod(dir, 0o755), i.choosePorts()); err != nil { // Postgres runs as another user
		return i, err
	}
	i.daemon = buildkit.DaemonConfig{
		Root: filepath.Join(root, "buildkit"), Address: "unix://" + i.path("buildkit.sock"), RegistryAddr: i.registry, DockerIOMirror: true,
		BridgeName: buildBridge, BridgeSubnet: buildSubnet, CacheBytes: 4 << 30,
	}
	if err := i.daemon.WriteFiles(); err != nil {
		return i, err
	}
	if i.cluster, err = cluster.Find("", i.path("postgres"), i.path("pg"), "max_connections=200", "shared_buffers=64MB"); err != nil {
		return i, err
	}
	if err := errors.Join(i.standIns(), i.planner()); err != nil {
		return i, err
	}
	i.parts = []*process{i.postgres(), i.temporalServer(), i.registryServer(), i.buildkitd(), i.dockerEngine(), i.role("api", 0), i.role("worker", 1), i.role("gateway", 2)}
	return i, nil
}

func (i *installation) path(name string) string { return filepath.Join(i.dir, name) }

func (i *installation) choosePorts() error {
	var ports []string
	// Below the kernel's range for outgoing connections, and below what testbed.FreePorts gives out: they stay free while a part is down.
	for port := 11500; len(ports) < 7; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			ports = append(ports, l.Addr().String())
		}
		if port == 12000 {
			return errors.New("no free ports from 11500 to 12000")
		}
	}
	i.api, i.gateway, i.temporal, i.registry, i.ops = ports[0], ports[1], ports[2], ports[3], ports[4:]
	return nil
}

// standIns serves git repositories and passes on to the Docker engine, both by way of a holder.
func (i *installation) standIns() error {
	handler, err := gitserve.Handler(gitserve.Options{Root: i.path("repos"), AllowAnySHA: true})
	if err != nil {
		return err
	}
	i.git = &holder{next: handler}
	git, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	i.gitURL = "http://" + git.Addr().String()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.FlushInterval = -1
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", strings.TrimPrefix(i.dockerd, "unix://"))
	}}
	i.engine = &holder{next: proxy}
	engine, err := net.Listen("unix", i.path("docker.sock"))
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(git, i.git) }()
	go func() { _ = http.Serve(engine, i.engine) }()
	return nil
}

// planner writes the program that the worker plans with: nixpacks, which waits while the file is there that the app's
// hold.plan names.
func (i *installation) planner() error {
	script := `#!/bin/sh
for a in "$@"; do
  [ -f "$a/hold.plan" ] || continue
  while [ -e "$(cat "$a/hold.plan")" ]; do sleep 0.05; done
done
exec ` + filepath.Join(i.cache, "bin", "nixpacks") + ` "$@"
`
	return os.WriteFile(i.path("nixpacks"), []byte(script), 0o755)
}

// start starts all parts, the first time with what `slipway migrate` makes.
func (i *installation) start(ctx context.Context) error {
	if err := i.daemon.Isolate(ctx); err != nil {
		return err
	}
	for _, p := range i.parts {
		if p.name == "api" {
			if err := errors.Join(i.removePreviews(ctx), i.migrate(ctx)); err != nil { // those of a run that was killed
				return err
			}
		}
		if err := p.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (i *installation) migrate(ctx context.Context) error {
	if _, err := registry.Seed(ctx, registry.Client{Host: i.registry, Insecure: true}, filepath.Join(i.cache, "images")); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, i.binary, "migrate")
	cmd.Env = i.env(0)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("slipway migrate: %w: %s", err, out)
	}
	token, err := os.ReadFile(i.path("data/admin.token"))
	if err != nil {
		return err
	}
	i.token = strings.TrimSpace(string(token))
	if i.db, err = pgxpool.New(ctx, i.cluster.DSN("slipway")); err != nil {
		return err
	}
	i.flows, err = sdkclient.NewLazyClient(sdkclient.Options{HostPort: i.temporal, Logger: quiet{}})
	return err
}

// part returns the process of that name.
func (i *installation) part(name string) *process {
	return i.parts[slices.IndexFunc(i.parts, func(p *process) bool { return p.name == name })]
}

// remove ends everything and takes the previews away. The logs of one that failed stay.
func (i *installation) remove(all bool) error {
	var errs []error
	for _, p := range slices.Backward(i.parts) { // nothing of it is wanted any more
		switch {
		case p.cmd == nil || p.cmd.Process == nil || p.cmd.ProcessState != nil: // never started, or ended
		case p.name == "dockerd": // which ends its containerd too
			errs = append(errs, i.removePreviews(context.Background()), p.terminate())
		default:
			errs = append(errs, p.kill())
		}
	}
	errs = append(errs, isolation.Previews{Pool: netip.MustParsePrefix(previewSubnets)}.Remove())
	if i.daemon.Root != "" {
		errs = append(errs, i.daemon.Unisolate(context.Background()), i.daemon.Sweep(context.Background()))
	}
	if !all {
		fmt.Fprintln(os.Stderr, "chaos: the logs are in", i.path("log"))
		for _, name := range []string{"registry", "postgres"} {
			errs = append(errs, os.RemoveAll(i.path(name)))
		}
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, os.RemoveAll(i.dir))...)
}

// removePreviews removes all that is on the Docker engine, which is the installation's own, but for one image: most layers are
// common to all, and the next run need not pull those.
func (i *installation) removePreviews(ctx context.Context) error {
	const command = `docker ps -aq | xargs -r docker rm -f; docker network prune -f; docker images -q | tail -n +2 | xargs -r docker rmi -f`
	cmd := exec.CommandContext(ctx, "sh", "-ec", command)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+i.dockerd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("remove previews: %w: %s", err, out)
	}
	return nil
}
