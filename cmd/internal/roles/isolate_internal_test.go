package roles

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// The tests need root. Each has a range of its own, in which there is no preview.

// besides is a worker beside a Docker engine.
func besides(t *testing.T, engineHost, pool string) (h *host, log *bytes.Buffer) {
	t.Helper()
	engine, err := docker.New(docker.Options{Host: engineHost, Installation: uuid.NewString(), HostID: "host-1"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	log = &bytes.Buffer{}
	h = &host{WorkerParts: WorkerParts{Log: slog.New(slog.NewTextHandler(log, nil))}, engine: engine}
	h.c.Docker.PreviewSubnets, h.c.Timeouts.Short = netip.MustParsePrefix(pool), time.Minute
	t.Cleanup(func() {
		h.c.Docker.Isolation = config.IsolationOff
		require.NoError(t, h.isolate(t.Context()))
	})
	return h, log
}

// bridgeOf makes a network, so that one is here whatever other tests remove, and returns its interface.
func bridgeOf(t *testing.T) string {
	t.Helper()
	network := run(t, "docker", "network", "create", "slipway-test-"+uuid.NewString())
	t.Cleanup(func() { run(t, "docker", "network", "rm", network) })
	return "br-" + network[:12]
}

// rulesFor reports whether a table of rules is in the network namespace of the thread.
func rulesFor(name string) (bool, error) {
	conn, err := nftables.New()
	if err != nil {
		return false, err
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	for _, table := range tables {
		if table.Name == name {
			return true, nil
		}
	}
	return false, err
}

func TestIsolate_NotInANamespaceOfItsOwn(t *testing.T) {
	t.Parallel()
	h, _ := besides(t, "", "10.238.0.0/24")
	const table = "slipway-previews-10.238.0.0-24"
	bridge := bridgeOf(t)
	space := "slwiso" + strconv.Itoa(os.Getpid())
	run(t, "ip", "netns", "add", space)
	t.Cleanup(func() { run(t, "ip", "netns", "delete", space) })
	err := testbed.In(space, func() error {
		failure := h.isolate(t.Context())
		set, err := rulesFor(table)
		if err != nil || set {
			return errors.New("rules are set where no preview passes")
		}
		return failure
	})
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, "preview.not_isolated", f.Code)
	require.Contains(t, f.Fix, "network_mode: host")
	require.Contains(t, f.Fix, "SLIPWAY_PREVIEW_ISOLATION=off")

	run(t, "ip", "-n", space, "link", "add", bridge, "type", "bridge")
	require.NoError(t, testbed.In(space, func() error { return h.isolate(t.Context()) }), "as if it were the engine's")
	require.NoError(t, h.isolate(t.Context()), "the engine's")
}

func TestIsolate_IsSwitchedOff(t *testing.T) {
	t.Parallel()
	h, _ := besides(t, "", "10.239.0.0/24")
	bridgeOf(t)
	const table = "slipway-previews-10.239.0.0-24"
	require.NoError(t, h.isolate(t.Context()))
	set, err := rulesFor(table)
	require.NoError(t, err)
	require.True(t, set)
	h.c.Docker.Isolation = config.IsolationOff
	for range 2 {
		require.NoError(t, h.isolate(t.Context()))
		set, err = rulesFor(table)
		require.NoError(t, err)
		require.False(t, set)
	}
}

// The engine lists a network for a moment whose interface is gone. When that is so depends on the engine, so another answers here.
func TestIsolate_WhileANetworkGoes(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	var looks atomic.Int32
	engine := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.43")
		switch {
		case !strings.HasSuffix(r.URL.Path, "/networks"):
			fmt.Fprint(w, `{"NCPU": 2}`)
		case looks.Add(1) == 1:
			fmt.Fprint(w, `[{"Id": "0123456789abcdef"}]`)
		default:
			fmt.Fprint(w, `[{"Options": {"com.docker.network.bridge.name": "lo"}}]`)
		}
	})}
	go func() { _ = engine.Serve(listener) }()
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	h, log := besides(t, "unix://"+socket, "10.241.0.0/24")
	require.NoError(t, h.isolate(t.Context()))
	require.EqualValues(t, 2, looks.Load())
	require.Empty(t, log.String())
	set, err := rulesFor("slipway-previews-10.241.0.0-24")
	require.NoError(t, err)
	require.True(t, set)
}

// As when a machine starts, where the engine may be the last to come up.
func TestIsolate_BesideAnEngineThatIsDown(t *testing.T) {
	t.Parallel()
	h, log := besides(t, "unix://"+filepath.Join(t.TempDir(), "none.sock"), "10.240.0.0/24")
	require.NoError(t, h.isolate(t.Context()))
	set, err := rulesFor("slipway-previews-10.240.0.0-24")
	require.NoError(t, err)
	require.True(t, set)
	require.Contains(t, log.String(), "cannot tell whether previews pass the rules")
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return strings.TrimSpace(string(out))
}
