package chaos_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/internal/testbed"
)

// secondHost is another preview host: a network namespace with a Docker engine and a worker. The gateway reaches its previews by
// a route to their subnets, as docs/install.md has it for many hosts.
type secondHost struct {
	root    string // of its files
	dockerd string // its engine's socket, as a URL
	engine  *process
	worker  *process
}

const (
	secondName    = "second"
	secondSpace   = "slwchaos2"
	secondLink    = "slwch2a"
	secondSubnets = "10.233.0.0/16"
)

func newSecondHost(t *testing.T) *secondHost {
	t.Helper()
	machine := func(args ...string) { sh(t, "ip", args...) }
	for _, left := range [][]string{{"link", "delete", secondLink}, {"netns", "delete", secondSpace}} { // by a run that was killed
		_ = exec.Command("ip", left...).Run()
	}
	machine("netns", "add", secondSpace)
	t.Cleanup(func() { machine("netns", "delete", secondSpace) })
	machine("link", "add", secondLink, "type", "veth", "peer", "name", "slwch2b", "netns", secondSpace)
	machine("address", "add", "10.232.0.1/30", "dev", secondLink)
	machine("link", "set", secondLink, "up")
	machine("route", "add", secondSubnets, "via", "10.232.0.2")
	machine("-n", secondSpace, "address", "add", "10.232.0.2/30", "dev", "slwch2b")
	machine("-n", secondSpace, "link", "set", "slwch2b", "up")
	machine("-n", secondSpace, "link", "set", "lo", "up")
	machine("-n", secondSpace, "route", "add", "default", "via", "10.232.0.1")
	git := strings.TrimPrefix(in.gitURL, "http://")
	for _, addr := range []string{in.temporal, in.registry, git} { // which it would reach by the machine's address, were they not on loopback
		passOn(t, addr)
	}
	root := t.TempDir()
	h := &secondHost{root: root, dockerd: "unix://" + filepath.Join(root, "d.sock")}
	h.engine = in.newProcess("dockerd-second", func() *exec.Cmd {
		return inSecond(exec.Command("dockerd", "--host", h.dockerd, "--data-root", filepath.Join(root, "data"), "--exec-root", filepath.Join(root, "run"),
			"--pidfile", filepath.Join(root, "pid"), "--iptables=false", "--ip6tables=false", "--ip-masq=false"))
	}, func(ctx context.Context) error {
		return exec.CommandContext(ctx, "docker", "--host", h.dockerd, "version").Run()
	})
	h.worker = in.newProcess("worker-second", func() *exec.Cmd {
		cmd := inSecond(exec.Command(in.binary, "worker"))
		cmd.Env = append(in.env(0), "SLIPWAY_HOST_ID="+secondName, "SLIPWAY_DOCKER_HOST="+h.dockerd, "SLIPWAY_PREVIEW_SUBNETS="+secondSubnets,
			"SLIPWAY_WORKSPACE_DIR="+filepath.Join(root, "workspaces"), "SLIPWAY_BUILD_SLOTS=1", "SLIPWAY_OPS_ADDR=127.0.0.1:9")
		return cmd
	}, h.seen)
	h.start(t)
	t.Cleanup(func() { h.remove(t) })
	return h
}

// inSecond has a command run in the host's network namespace.
func inSecond(cmd *exec.Cmd) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=/run/netns/" + secondSpace, cmd.Path}, cmd.Args[1:]...)...)
}

// seen reports whether the worker has spoken since the machine's own clock said so.
func (h *secondHost) seen(ctx context.Context) error {
	var lately bool
	err := in.db.QueryRow(ctx, "SELECT last_seen_at > now() - interval '1 second' FROM hosts WHERE id = $1", secondName).Scan(&lately)
	if err == nil && !lately {
		err = fmt.Errorf("host %s is not seen", secondName)
	}
	return err
}

func (h *secondHost) start(t *testing.T) {
	t.Helper()
	require.NoError(t, h.engine.start(t.Context()))
	require.NoError(t, h.worker.start(t.Context()))
}

// lose takes the host away as a power cut would: nothing of it answers.
func (h *secondHost) lose(t *testing.T) {
	t.Helper()
	sh(t, "ip", "link", "set", secondLink, "down")
	require.NoError(t, h.worker.kill())
	require.NoError(t, h.engine.kill())
}

// comeBack starts it anew, with the containers that ran there.
func (h *secondHost) comeBack(t *testing.T) {
	t.Helper()
	sh(t, "ip", "link", "set", secondLink, "up")
	sh(t, "ip", "route", "replace", secondSubnets, "via", "10.232.0.2")
	h.start(t)
}

func (h *secondHost) containers(t *testing.T) []string {
	t.Helper()
	return h.docker(t, "ps", "-aq")
}

// networks lists those of previews.
func (h *secondHost) networks(t *testing.T) []string {
	t.Helper()
	return h.docker(t, "network", "ls", "-q", "--filter", "label=slipway.managed=true")
}

// docker asks its engine for a list.
func (h *secondHost) docker(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("docker", append([]string{"--host", h.dockerd}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.Fields(string(out))
}

func (h *secondHost) remove(t *testing.T) {
	t.Helper()
	_ = h.worker.kill() // it may be dead
	if exec.Command("docker", "--host", h.dockerd, "version").Run() != nil {
		require.NoError(t, h.engine.start(context.Background()))
	}
	for _, id := range h.containers(t) {
		sh(t, "docker", "--host", h.dockerd, "rm", "-f", id)
	}
	require.NoError(t, h.engine.terminate())
	for _, mount := range slices.Backward(mountsBelow(t, h.root)) { // of the engine that was killed
		require.NoError(t, syscall.Unmount(mount, unix.MNT_DETACH))
	}
	_, err := in.db.Exec(context.Background(), "DELETE FROM hosts WHERE id = $1", secondName) // as slipway admin hosts forget does, at once
	require.NoError(t, err)
}

// mountsBelow lists the mounts in a folder, in the order in which they were made.
func mountsBelow(t *testing.T, dir string) (mounts []string) {
	t.Helper()
	all, err := os.ReadFile("/proc/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(all)) {
		if at := strings.Fields(line)[1]; strings.HasPrefix(at, dir+"/") {
			mounts = append(mounts, at)
		}
	}
	return mounts
}

// passOn lets the host reach an address on the machine's loopback by the same address on its own.
func passOn(t *testing.T, addr string) {
	t.Helper()
	listener, err := testbed.ListenIn(secondSpace, addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", addr)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, from); _ = to.(*net.TCPConn).CloseWrite() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
		}
	}()
}

// awayFromTheFirst lets previews be placed on the second host for a while: it seems to have more memory.
func awayFromTheFirst(t *testing.T) (stop func()) {
	t.Helper()
	run := func(sql string) {
		_, err := in.db.Exec(context.WithoutCancel(t.Context()), sql)
		require.NoError(t, err)
	}
	run(`CREATE FUNCTION no_memory() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.free_memory := 0; RETURN NEW; END';
		CREATE TRIGGER no_memory BEFORE INSERT OR UPDATE ON hosts FOR EACH ROW WHEN (NEW.id = '` + hostID + `') EXECUTE FUNCTION no_memory();
		UPDATE hosts SET free_memory = 0 WHERE id = '` + hostID + `'`)
	stop = sync.OnceFunc(func() { run("DROP FUNCTION no_memory CASCADE") })
	t.Cleanup(stop)
	return stop
}

// A preview host that is lost takes nothing with it for long: what was live there is started elsewhere from the registry. When it comes
// back it removes what it still holds.
func TestAPreviewHostIsLost(t *testing.T) {
	restartWith(t, "SLIPWAY_PREVIEW_HOST_LOST=31s")
	h := newSecondHost(t)
	a := newApp(t, "moves", nil, 0)
	stop := awayFromTheFirst(t)
	d := awaitStatus(t, a.deploy(t), "ready")
	stop()
	require.Equal(t, secondName, hostOfPreview(t, d.ID))
	require.NotEmpty(t, h.containers(t))
	require.NotEmpty(t, h.networks(t))
	require.Eventually(t, func() bool { return a.answersAt(t, d.EnvironmentURL) }, repaired, 4*tick, "the gateway reaches it by the route to its subnets")

	lost := time.Now()
	h.lose(t)
	require.Eventually(t, func() bool { return a.answersAt(t, d.EnvironmentURL) }, ofADeploy, 4*tick, "it was not started elsewhere")
	t.Logf("answered again %.1f s after its host was lost", time.Since(lost).Seconds())
	require.Equal(t, hostID, hostOfPreview(t, d.ID))

	h.comeBack(t)
	require.Eventually(t, func() bool { return len(h.containers(t))+len(h.networks(t)) == 0 }, repaired, 4*tick, "the host that came back keeps what it held")
	requireInvariants(t, a, d.ID)
}

func (a *app) answersAt(t *testing.T, url string) bool {
	t.Helper()
	body, err := visit(t.Context(), url)
	return err == nil && body == a.answer
}

func hostOfPreview(t *testing.T, deployment string) (host string) {
	t.Helper()
	require.NoError(t, in.db.QueryRow(t.Context(), "SELECT host FROM previews WHERE deployment_id = $1", deployment).Scan(&host))
	return host
}

func sh(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
}
