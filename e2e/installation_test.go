package e2e_test

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

// installation is what a user has after `make build`: programs in a folder, settings, and no data.
type installation struct{ system }

// proc is a process of an installation. Start tells it from a later one with the same pid.
type proc struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start_ticks"`
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	cache, err := testbed.Cache()
	require.NoError(t, err)
	root := filepath.Join(cache, "test", "updown")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "buildkit"), 0o755))
	lock := flock.New(filepath.Join(root, "lock"))
	require.NoError(t, lock.Lock()) // one bridge, one BuildKit root
	t.Cleanup(func() { require.NoError(t, lock.Close()) })

	in := &installation{system{binary: filepath.Join(root, "slipway-dev"), data: filepath.Join(root, "data")}}
	program, err := os.ReadFile(abs(t, "../bin/slipway-dev")) // as users have it: without the race detector
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(in.binary)) // one that runs cannot be written to
	require.NoError(t, os.WriteFile(in.binary, program, 0o755))
	for _, name := range []string{"slipway-temporal", "buildkitd"} {
		link := filepath.Join(root, name)
		require.NoError(t, os.RemoveAll(link))
		require.NoError(t, os.Symlink(abs(t, "../bin/"+name), link))
	}
	in.settle(t, cache)
	in.down(t, "--purge") // what a test that was killed has left
	t.Cleanup(func() { in.down(t, "--purge") })
	in.layOutData(t)
	return in
}

// settle gives the installation ports and networks of its own, and a profile, so that no image is made here.
func (in *installation) settle(t *testing.T, cache string) {
	t.Helper()
	ports := steadyPorts(7)
	in.api, in.gateway, in.git, in.registry = ports[0], ports[1], ports[2], ports[5]
	in.env = append(testbed.WithoutSlipway(), "SLIPWAY_CACHE="+cache, "SLIPWAY_DATA_DIR="+in.data,
		"SLIPWAY_API_ADDR="+in.api, "SLIPWAY_GATEWAY_ADDR="+in.gateway, "SLIPWAY_EXAMPLES_ADDR="+in.git,
		"SLIPWAY_UI_ADDR="+ports[3], "SLIPWAY_TEMPORAL_ADDR="+ports[4], "SLIPWAY_REGISTRY_ADDR="+ports[5], "SLIPWAY_OPS_ADDR="+ports[6],
		"SLIPWAY_EXAMPLES_DIR="+abs(t, "../examples"), "SLIPWAY_PLAN_OVERRIDES="+abs(t, "../deploy/overrides/airgapped.yaml"),
		"SLIPWAY_DOCKER_MIRROR=true", "SLIPWAY_IMAGES_DIR="+filepath.Join(cache, "images"),
		"SLIPWAY_BUILD_BRIDGE=slipwayud0", "SLIPWAY_BUILD_SUBNET=10.221.0.0/16", "SLIPWAY_PREVIEW_SUBNETS=10.220.0.0/16",
	)
}

// run runs a command as from a script: its output is a pipe, its stdin is closed, and a further pipe is open, as make's
// own are. It returns the output once nobody holds either pipe any more.
func (in *installation) run(args ...string) (string, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", `exec "$0" "$@" <&-`, in.binary}, args...)...)
	cmd.Env = in.env
	output, writeOutput, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer output.Close()
	further, writeFurther, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer further.Close()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = writeOutput, writeOutput, []*os.File{writeFurther}
	ended := make(chan error, 1)
	err = cmd.Start()
	writeOutput.Close()
	writeFurther.Close()
	if err != nil {
		return "", err
	}
	go func() {
		err := cmd.Wait()
		soon := time.Now().Add(30 * time.Second) // os.ErrDeadlineExceeded: somebody keeps the pipe open
		_, _ = output.SetReadDeadline(soon), further.SetReadDeadline(soon)
		ended <- err
	}()
	text, readErr := io.ReadAll(output)
	_, furtherErr := io.ReadAll(further)
	for _, err := range []error{<-ended, readErr, furtherErr} {
		if err != nil {
			return string(text), err
		}
	}
	return string(text), nil
}

func (in *installation) up(t *testing.T) string {
	t.Helper()
	out, err := in.run("up", "--example", "static")
	require.NoError(t, err, "%s", out)
	return out
}

// down never gets --docker-engine here: the engine is everybody's.
func (in *installation) down(t *testing.T, flags ...string) string {
	t.Helper()
	out, err := in.run(append([]string{"down"}, flags...)...)
	require.NoError(t, err, "%s", out)
	docker(t, "version")
	return out
}

// processes returns slipway-dev and its children by what they noted of themselves.
func (in *installation) processes(t *testing.T) map[string]proc {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(in.data, "slipway-dev.pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	main, ok := procOf(pid)
	require.True(t, ok)
	all := map[string]proc{"slipway-dev": main}
	for _, name := range []string{"postgres", "temporal", "buildkitd"} {
		all[name] = in.child(name)
		require.True(t, all[name].runs(), name)
	}
	return all
}

// child returns the process that slipway-dev keeps under a name, none while it is being started again.
func (in *installation) child(name string) proc {
	var owner struct{ Process proc }
	if data, err := os.ReadFile(filepath.Join(in.data, "run", name+".json")); err == nil {
		_ = json.Unmarshal(data, &owner) // cut short is none
	}
	return owner.Process
}

func (p proc) runs() bool {
	now, ok := procOf(p.PID)
	return ok && now == p
}

func procOf(pid int) (proc, bool) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return proc{}, false
	}
	stat, err := p.Stat()
	return proc{PID: pid, Start: stat.Starttime}, err == nil && stat.State != "Z"
}

// installation returns the id that this installation's containers and networks carry.
func (in *installation) installation(t *testing.T) string {
	t.Helper()
	id, err := os.ReadFile(filepath.Join(in.data, "installation"))
	require.NoError(t, err)
	return strings.TrimSpace(string(id))
}

func (in *installation) containers(t *testing.T) []string {
	t.Helper()
	return docker(t, "ps", "-aq", "--filter", "label=slipway.installation="+in.installation(t))
}

// steadyPorts returns addresses that nobody takes while an installation is down: its ports lie below the kernel's range for outgoing
// connections, and below those that testbed.FreePorts gives out.
func steadyPorts(n int) []string {
	var addrs []string
	for port := 11100; len(addrs) < n; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			listener.Close()
			addrs = append(addrs, listener.Addr().String())
		}
	}
	return addrs
}

func abs(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	require.NoError(t, err)
	return full
}
