package devservertest

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/namespace"
)

// shared is the one server of this test binary.
var shared struct {
	sync.Mutex
	server *Server
}

// Widen lets more tests run at the same time than there are processors, unless -parallel says how many: tests on a server
// wait more than they compute. TestMain calls it before m.Run.
func Widen() {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) { // not chosen by anybody
		_ = flag.Set("test.parallel", "6")
	}
}

// Main runs a test binary's tests and ends its server. TestMain calls it, or Stop after its own m.Run.
func Main(m *testing.M) {
	Widen()
	code := m.Run()
	Stop()
	os.Exit(code)
}

// Stop ends the shared server, if one was started, and removes its files.
func Stop() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return
	}
	shared.server.Kill()
	_ = os.RemoveAll(shared.server.dir) // in the temporary folder: what stays is the system's to clean
	shared.server = nil
}

// Start returns the frontend address of the test binary's server and starts it at the first call.
func Start(tb testing.TB) (addr string) {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		dir, err := os.MkdirTemp("", "slipway-temporal-") //nolint:usetesting // it outlives the test that starts the server
		require.NoError(tb, err)
		shared.server, err = start(dir)
		require.NoError(tb, err)
	}
	return shared.server.Addr
}

// Namespace registers a fresh namespace with slipway's search attributes on the shared server and returns its name.
func Namespace(tb testing.TB) string {
	tb.Helper()
	name := "test-" + uuid.NewString()
	c := dial(tb, Start(tb), name)
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	require.NoError(tb, namespace.Prepare(ctx, c, namespace.Spec{
		Name: name, Retention: 24 * time.Hour, SearchAttributes: temporal.SearchAttributes(),
	}))
	return name
}

// Client returns a client of a fresh namespace on the shared server, closed when the test ends.
func Client(tb testing.TB) sdkclient.Client {
	tb.Helper()
	return ClientOf(tb, Namespace(tb))
}

// ClientOf returns a client of a namespace on the shared server, closed when the test ends; configure changes its options.
func ClientOf(tb testing.TB, ns string, configure ...func(*sdkclient.Options)) sdkclient.Client {
	tb.Helper()
	return dial(tb, Start(tb), ns, configure...)
}

// Client returns a client of the namespace "default", closed when the test ends.
func (s *Server) Client(tb testing.TB) sdkclient.Client {
	tb.Helper()
	return dial(tb, s.Addr, "default")
}

func dial(tb testing.TB, addr, ns string, configure ...func(*sdkclient.Options)) sdkclient.Client {
	tb.Helper()
	quiet := slog.New(slog.DiscardHandler) // workers report every poll that the end of a test cuts off
	options := sdkclient.Options{HostPort: addr, Namespace: ns, Logger: quiet}
	for _, change := range configure {
		change(&options)
	}
	c, err := sdkclient.NewLazyClient(options)
	require.NoError(tb, err)
	tb.Cleanup(c.Close)
	return c
}
