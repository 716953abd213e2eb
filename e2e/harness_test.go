package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/isolation"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// system is one slipway-dev in a process of its own, on ports and in a data directory of its own, as a user would run it.
type system struct {
	binary   string
	tight    string // a folder whose disk has to have room, too
	data     string
	env      []string
	api      string // host:port, likewise below
	gateway  string
	git      string
	ops      string
	ui       string
	temporal string
	registry string
	service  string // of this machine, that previews may reach
	process  testbed.Dev
}

var dev *system

const previewSubnets = "10.218.0.0/16"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	fmt.Fprintln(os.Stderr, "e2e: building slipway-dev with the race detector")
	s, release, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer release()
	fmt.Fprintln(os.Stderr, "e2e: starting slipway-dev on", s.api, "with data in", s.data)
	if err := s.start(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	dev = s
	code := m.Run()
	if err := errors.Join(s.forgetMounts(context.Background()), s.stop(), testbed.RemovePreviews(s.data), isolation.Previews{Pool: netip.MustParsePrefix(previewSubnets)}.Remove()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: stop slipway-dev:", err)
		code = 1
	}
	return code
}

// prepare builds the program and lays out the data directory. BuildKit's cache is kept from run to run: that is what
// makes a warm run quick; everything else is new.
func prepare() (s *system, release func(), err error) {
	cache, err := testbed.Cache()
	if err != nil {
		return nil, nil, err
	}
	root := filepath.Join(cache, "test", "e2e")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, nil, err
	}
	lock := flock.New(filepath.Join(root, "lock"))
	if err := lock.Lock(); err != nil {
		return nil, nil, err
	}
	release = func() { _ = lock.Unlock() }
	defer func() {
		if err != nil {
			_ = lock.Unlock()
		}
	}()
	s = &system{data: filepath.Join(root, "data")}
	if s.binary, err = raceBuilt(root); err != nil {
		return nil, nil, err
	}
	if err := s.layOut(root, cache); err != nil {
		return nil, nil, err
	}
	return s, release, nil
}

// raceBuilt returns slipway-dev, built with the race detector: what make has built, or a build of its own.
func raceBuilt(root string) (string, error) {
	if dir := os.Getenv("SLIPWAY_TEST_BIN_DIR"); dir != "" {
		return filepath.Abs(filepath.Join(dir, "slipway-dev"))
	}
	binary := filepath.Join(root, "slipway-dev")
	build := exec.Command("go", "build", "-race", "-o", binary, "../cmd/slipway-dev")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build slipway-dev: %w\n%s", err, out)
	}
	return binary, nil
}

func (s *system) layOut(root, cache string) error {
	if err := testbed.RemovePreviews(s.data); err != nil { // of a run that was killed
		return err
	}
	entries, err := os.ReadDir(s.data)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		if e.Name() != "buildkit" && e.Name() != "run" { // run tells the next start which children to end
			if err := os.RemoveAll(filepath.Join(s.data, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.RemoveAll(s.data + ".log"); err != nil { // which is appended to, and searched for secrets
		return err
	}
	s.tight = filepath.Join(root, "tight")
	if err := os.MkdirAll(s.tight, 0o755); err != nil {
		return err
	}
	examples := filepath.Join(root, "examples")
	if err := os.RemoveAll(examples); err != nil {
		return err
	}
	for _, from := range []string{"../examples", "testdata"} {
		if err := copyFolders(from, examples); err != nil {
			return err
		}
	}
	if traces, err = startCollector(); err != nil {
		return err
	}
	ports, err := testbed.FreePorts(8)
	if err != nil {
		return err
	}
	s.api, s.gateway, s.git, s.ui, s.temporal, s.registry, s.ops = ports[0], ports[1], ports[2], ports[3], ports[4], ports[5], ports[6]
	if s.service, err = onDockersBridge(ports[7]); err != nil {
		return err
	}
	bin, err := filepath.Abs("../bin")
	if err != nil {
		return err
	}
	overrides, err := filepath.Abs("../deploy/overrides/airgapped.yaml")
	if err != nil {
		return err
	}
	s.env = append(testbed.WithoutSlipway(),
		"SLIPWAY_DATA_DIR="+s.data, "SLIPWAY_API_ADDR="+s.api, "SLIPWAY_GATEWAY_ADDR="+s.gateway,
		"SLIPWAY_EXAMPLES_ADDR="+s.git, "SLIPWAY_EXAMPLES_DIR="+examples, "SLIPWAY_UI_ADDR="+s.ui,
		"SLIPWAY_TEMPORAL_ADDR="+ports[4], "SLIPWAY_REGISTRY_ADDR="+ports[5], "SLIPWAY_OPS_ADDR="+s.ops, "SLIPWAY_OTLP_ENDPOINT="+traces.url,
		"SLIPWAY_BUILD_BRIDGE=slipwaye2e0", "SLIPWAY_BUILD_SUBNET=10.219.0.0/16", "SLIPWAY_BUILD_CACHE_SIZE=4GB", "SLIPWAY_PREVIEW_SUBNETS="+previewSubnets, "SLIPWAY_PREVIEW_SERVICES="+s.service,
		"SLIPWAY_PLAN_OVERRIDES="+overrides, "SLIPWAY_DOCKER_MIRROR=true", "SLIPWAY_IMAGES_DIR="+filepath.Join(cache, "images"),
		"SLIPWAY_NIXPACKS="+filepath.Join(cache, "bin", "nixpacks"), "SLIPWAY_BIN_DIR="+bin,
		"SLIPWAY_GIT_ALLOW_SCHEMES=https,ssh,http", "SLIPWAY_GIT_ALLOW_NETS="+privateNet,
		"SLIPWAY_HEARTBEAT_TIMEOUT=10s", "SLIPWAY_RECONCILE_INTERVAL=2s", "SLIPWAY_DRAIN_WAIT=10s", "SLIPWAY_WAKE_WAIT=2m", "SLIPWAY_LOG_FORMAT=json",
		"SLIPWAY_BUILD_SLOTS=4", "SLIPWAY_MIN_FREE_DISK=100MB", "SLIPWAY_DISK_DIRS="+s.tight, // builds that sleep hold up no others, and no test waits for room
	)
	return nil
}

// onDockersBridge returns the address of Docker's own bridge with the port of another.
func onDockersBridge(address string) (string, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	bridge, err := net.InterfaceByName("docker0")
	if err != nil {
		return "", fmt.Errorf("docker0: %w", err)
	}
	addresses, err := bridge.Addrs()
	if err != nil || len(addresses) == 0 {
		return "", fmt.Errorf("docker0 has no address: %w", err)
	}
	host, _, err := net.ParseCIDR(addresses[0].String())
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host.String(), port), nil
}

// start starts the program and waits until it says that it is ready.
func (s *system) start() error {
	s.process = testbed.Dev{Binary: s.binary, Data: s.data, Env: s.env, API: s.api}
	return s.process.Start()
}

// stop asks the program to end, as `make down` does, and reports how it did.
func (s *system) stop() error { return s.process.Stop() }

// kill ends the program as a power cut would; its children live on until the next start finds them.
func (s *system) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, s.process.Kill())
}

func (s *system) token(t *testing.T) string {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(s.data, "admin.token"))
	require.NoError(t, err)
	return strings.TrimSpace(string(token))
}

func (s *system) client(t *testing.T) *client.ClientWithResponses {
	t.Helper()
	token := s.token(t)
	c, err := client.NewClientWithResponses("http://"+s.api, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}))
	require.NoError(t, err)
	return c
}

// repo is the URL of an example, or of a folder of testdata, as slipway-dev serves it.
func (s *system) repo(name string) string { return "http://" + s.git + "/" + name + ".git" }

// answer is what remains of an API's response once its body is read.
type answer struct {
	status      int
	contentType string
}

// call sends a request to the API and decodes the JSON that it answers into out, if there is an out.
func (s *system) call(t *testing.T, method, path string, body, out any) answer {
	t.Helper()
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		require.NoError(t, err)
		reader = bytes.NewReader(data)
	}
	return s.send(t, method, path, reader, out)
}

func (s *system) send(t *testing.T, method, path string, body io.Reader, out any) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.api+path, body)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+s.token(t))
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if out != nil {
		require.NoError(t, json.Unmarshal(data, out), "%s %s: %s", method, path, data)
	}
	return answer{status: response.StatusCode, contentType: response.Header.Get("Content-Type")}
}

// get reads a URL of the gateway. Its host names are dialed at the gateway, whatever the machine's resolver thinks.
func (s *system) get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := s.browser().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(data)
}

func (s *system) browser() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, s.gateway)
		},
	}}
}

// copyFolders copies each folder of from into to.
func copyFolders(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := os.CopyFS(filepath.Join(to, e.Name()), os.DirFS(filepath.Join(from, e.Name()))); err != nil {
				return err
			}
		}
	}
	return nil
}
