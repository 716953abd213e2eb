package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gofrs/flock"

	"github.com/slipway-dev/slipway/internal/registry"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// bin is where slipway is run from. That of the package's short run has no race detector: the same code runs under it in ./e2e, as a
// whole, and in each package's own tests; here it would slow down the restarts of every cell.
var bin = flag.String("bin", "../../bin", "folder of the slipway to run, as make build has made it; bin/race has the race detector")

// registryAt makes a process of this program a registry instead: on the address that it says.
const registryAt, registryDir = "CHAOS_REGISTRY_ADDR", "CHAOS_REGISTRY_DIR"

var in *installation

func TestMain(m *testing.M) {
	if addr := os.Getenv(registryAt); addr != "" {
		fmt.Fprintln(os.Stderr, serveRegistry(addr, os.Getenv(registryDir)))
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	flag.Parse() // the installation is laid out by it
	bridge := bridgeOfTheMachine()
	release, err := prepare()
	if err == nil {
		defer release()
		err = in.start(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = 1
	} else {
		code = m.Run()
	}
	if in != nil {
		if err := in.remove(code == 0); err != nil {
			fmt.Fprintln(os.Stderr, "chaos: remove the installation:", err)
			code = 1
		}
	}
	if after := bridgeOfTheMachine(); after != bridge {
		fmt.Fprintf(os.Stderr, "chaos: the bridge of the machine's Docker engine was %q and is %q: the installation's engine must leave it alone\n", bridge, after)
		code = 1
	}
	return code
}

// bridgeOfTheMachine is the default bridge of the machine's Docker engine and its IPv4 address. Linux gives it one of IPv6 when the first
// container is on it, of whatever else runs here.
func bridgeOfTheMachine() string {
	bridge, err := net.InterfaceByName("docker0")
	if err != nil {
		return "not there"
	}
	addresses, err := bridge.Addrs()
	addresses = slices.DeleteFunc(addresses, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Is6()
	})
	return fmt.Sprint(bridge.Index, addresses, err)
}

// prepare finds the program and lays the installation out. BuildKit's cache is kept from run to run.
func prepare() (release func(), err error) {
	cache, err := testbed.Cache()
	if err != nil {
		return nil, err
	}
	root := filepath.Join(cache, "test", "chaos")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(root, "lock"))
	if err := lock.Lock(); err != nil { // one bridge, one BuildKit root
		return nil, err
	}
	binary, err := filepath.Abs(filepath.Join(*bin, "slipway"))
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	in, err = layOut(root, cache, binary)
	return func() { _ = lock.Close() }, err
}

// serveRegistry serves until it is killed. Requests for which there is a file in the folder hold wait until it is gone.
func serveRegistry(addr, dir string) error {
	server, err := registry.New(registry.Options{Dir: dir, Logger: slog.Default()})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return http.Serve(listener, heldByFiles(server, filepath.Join(filepath.Dir(dir), "hold")))
}
