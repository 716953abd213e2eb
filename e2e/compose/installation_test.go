package compose_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// installation is deploy/compose.yaml as Docker Compose runs it, on ports and under a name of the test's own.
type installation struct {
	program  string // Docker Compose
	dir      string // what is kept from run to run: caches, logs
	settings []string
	ports    map[string]string // by the variable that sets them
	host     netip.Addr        // this machine's address on Docker's default network
}

const project = "slipwaye2e"

func newInstallation(t *testing.T) *installation {
	t.Helper()
	cache, err := testbed.Cache()
	require.NoError(t, err)
	in := &installation{dir: filepath.Join(cache, "test", "compose"), ports: map[string]string{}}
	for _, name := range []string{"registry", "buildkit"} {
		require.NoError(t, os.MkdirAll(filepath.Join(in.dir, name), 0o755))
	}
	lock := flock.New(filepath.Join(in.dir, "lock"))
	require.NoError(t, lock.Lock()) // one name for the containers, one cache
	t.Cleanup(func() { require.NoError(t, lock.Close()) })
	tool := exec.Command("../../deploy/dev/tool.sh", "compose")
	tool.Stderr = os.Stderr
	out, err := tool.Output()
	require.NoError(t, err, "build Docker Compose")
	in.program = filepath.Join(strings.TrimSpace(string(out)), "docker-compose")
	in.host = addressOf(t, docker(t, "network", "inspect", "--format", `{{index .Options "com.docker.network.bridge.name"}}`, "bridge"))
	return in
}

// addressOf is the IPv4 address of a network interface. The engine names its own as the network's gateway only where the
// interface was there before it.
func addressOf(t *testing.T, name string) netip.Addr {
	t.Helper()
	bridge, err := net.InterfaceByName(name)
	require.NoError(t, err)
	all, err := bridge.Addrs()
	require.NoError(t, err)
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() {
			return prefix.Addr()
		}
	}
	require.FailNow(t, "no IPv4 address", name)
	return netip.Addr{}
}

// settle gives the file what it asks for: ports that are free just now, and leave to deploy from this machine.
func (in *installation) settle(t *testing.T) {
	t.Helper()
	names := []string{
		"API_PORT", "TEMPORAL_UI_PORT", "TEMPORAL_PORT", "POSTGRES_PORT", "REGISTRY_PORT", "GATEWAY",
		"API_OPS_PORT", "WORKER_OPS_PORT", "GATEWAY_OPS_PORT",
	}
	free, err := testbed.FreePorts(len(names))
	require.NoError(t, err)
	for n, name := range names {
		_, in.ports[name], _ = net.SplitHostPort(free[n])
		in.settings = append(in.settings, name+"="+in.ports[name])
	}
	in.settings = append(in.settings, "E2E_DIR="+in.dir, "IMAGE_TAG=e2e", "SLIPWAY_GATEWAY_ADDR=127.0.0.1:"+in.ports["GATEWAY"],
		"SLIPWAY_GIT_ALLOW_SCHEMES=http", "SLIPWAY_GIT_ALLOW_NETS="+in.host.String()+"/32", "SLIPWAY_PREVIEW_SUBNETS=10.222.0.0/16",
		"SLIPWAY_MIN_FREE_DISK=100MB")
	daemon := daemon()
	daemon.RegistryAddr, daemon.DockerIOMirror = "registry:"+in.ports["REGISTRY_PORT"], true // of the base images
	daemon.CacheBytes = 4 << 30
	require.NoError(t, os.WriteFile(filepath.Join(in.dir, "buildkitd.toml"), []byte(daemon.TOML()), 0o644))
}

// compose runs a command of Docker Compose.
func (in *installation) compose(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, in.program, append([]string{
		"--project-name", project, "--file", composeFile, "--file", "testdata/standins.yaml", "--progress", "plain",
	}, args...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SLIPWAY_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, in.settings...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("docker compose %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (in *installation) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := in.compose(t.Context(), args...)
	require.NoError(t, err)
	return out
}

// up starts everything and waits until it is well. What is started goes when the test ends, with what a run that was killed
// has left.
func (in *installation) up(t *testing.T) {
	t.Helper()
	in.settle(t)
	in.remove(t)
	t.Cleanup(func() { in.remove(t) })
	out, err := in.compose(t.Context(), "up", "--detach", "--wait", "--no-build", "--pull", "never")
	if err != nil {
		logs, _ := in.compose(t.Context(), "logs", "--no-color", "--tail", "20")
		require.NoError(t, err, "%s\n%s", out, logs)
	}
}

// remove takes away what the installation has on the engine: its previews first, which Compose knows nothing of.
func (in *installation) remove(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Minute)
	defer cancel()
	const previews = `noted=$1
[ ! -s "$noted" ] || { label=label=slipway.installation=$(cat "$noted")
images=$(docker ps -a --filter $label --format '{{.Image}}')
docker ps -aq --filter $label | xargs -r docker rm -f
echo $images | xargs -r docker rmi -f
docker network ls -q --filter $label | xargs -r docker network rm; }
rm -f "$noted"`
	_, err := in.compose(ctx, "kill", "worker") // which would look after its previews
	if err != nil && !strings.Contains(err.Error(), "not running") {
		require.NoError(t, err)
	}
	out, err := exec.CommandContext(ctx, "sh", "-ec", previews, "sh", filepath.Join(in.dir, "installation")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	_, err = in.compose(ctx, "down", "--volumes", "--remove-orphans", "--timeout", "10")
	require.NoError(t, err)
}

// note writes down whose the previews are, for remove.
func (in *installation) note(t *testing.T) {
	t.Helper()
	id := in.must(t, "exec", "-T", "postgres", "psql", "-U", "slipway", "-Atc", "SELECT id FROM installation")
	require.NoError(t, os.WriteFile(filepath.Join(in.dir, "installation"), []byte(id), 0o600))
}

// repository serves a repository of files where containers and the host's own network reach it.
func (in *installation) repository(t *testing.T, files map[string]string) (url string) {
	t.Helper()
	root := t.TempDir()
	handler, err := gitserve.Handler(gitserve.Options{Root: root, AllowAnySHA: true})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", netip.AddrPortFrom(in.host, 0).String())
	require.NoError(t, err)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	repo, err := gitserve.Init(t.Context(), filepath.Join(root, "app.git"))
	require.NoError(t, err)
	gitservetest.Commit(t, &gitservetest.Repo{Repository: repo}, "main", files)
	return "http://" + listener.Addr().String() + "/app.git"
}
