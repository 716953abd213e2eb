package docker_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

// The tests run against the real engine, with one image made of a static Go program. Each test is an installation of its
// own and takes away what it made, whatever happened in it.

var (
	api       *client.Client
	testImage v1.Image
	imageName string

	runtimeName = flag.String("runtime", "", "runtime of the tests' containers, which the engine has to know; empty for its default")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil { // the tests mostly wait for the engine
		panic(err)
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "set up tests:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	api, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return 0, err
	}
	api.NegotiateAPIVersion(context.Background()) // not within the first call: tests run at the same time
	if testImage, err = buildImage(); err != nil {
		return 0, err
	}
	imageName = "slipway-test/docker:" + uuid.NewString()
	if err := loadImage(imageName, testImage); err != nil {
		return 0, err
	}
	defer func() {
		_, removeErr := api.ImageRemove(context.Background(), imageName, image.RemoveOptions{})
		err = errors.Join(err, removeErr)
	}()
	return m.Run(), nil
}

func buildImage() (v1.Image, error) {
	dir, err := os.MkdirTemp("", "slipway-docker-test")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "testapp")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, "./testdata/testapp")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build testapp: %w\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return tarOf("testapp", program, "bin/cat") })
	if err != nil {
		return nil, err
	}
	platform, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(platform, layer)
	if err != nil {
		return nil, err
	}
	return mutate.Config(img, v1.Config{Entrypoint: []string{"/testapp"}, Env: []string{"FROM_IMAGE=yes"}})
}

func loadImage(tag string, img v1.Image) error {
	ref, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := tarball.Write(ref, img, &file); err != nil {
		return err
	}
	answer, err := api.ImageLoad(context.Background(), &file)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// newEngine returns the engine of a new installation and takes everything of it away at the test's end.
func newEngine(t *testing.T, change ...func(*docker.Options)) *docker.Engine {
	t.Helper()
	o := docker.Options{Installation: "test-" + uuid.NewString(), HostID: "host-1", SubnetPool: netip.MustParsePrefix("10.214.0.0/16"), Runtime: *runtimeName}
	for _, c := range change {
		c(&o)
	}
	e, err := docker.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		removeAll(ctx, t, e)
		require.NoError(t, e.Close())
	})
	return e
}

func removeAll(ctx context.Context, t *testing.T, e *docker.Engine) {
	t.Helper()
	owned, err := e.Owned(ctx)
	require.NoError(t, err)
	for _, r := range owned { // containers come before the networks that they are on
		if r.Kind == deployment.ResourceContainer {
			require.NoError(t, e.Stop(ctx, r.Name, 0))
		} else {
			require.NoError(t, e.RemoveNetwork(ctx, r.Name))
		}
	}
	owned, err = e.Owned(ctx)
	require.NoError(t, err)
	require.Empty(t, owned, "something was left behind")
}

func spec(mode string, env ...string) deployment.RunSpec {
	id := uuid.NewString()
	return deployment.RunSpec{
		DeploymentID: id, ProjectID: "project-1", EnvironmentID: "environment-1", RunID: "run-1",
		Name: "slipway-test-" + id + "-run-1", Image: imageName, Port: 3000,
		Env:       append([]string{"MODE=" + mode}, env...),
		Resources: deployment.Resources{CPUs: 0.5, MemoryMB: 64}.WithDefaults(),
	}
}

func start(t *testing.T, e *docker.Engine, s deployment.RunSpec) deployment.Preview {
	t.Helper()
	p, err := e.Start(t.Context(), s)
	require.NoError(t, err)
	return p
}

// startReady starts s and waits until it answers.
func startReady(t *testing.T, e *docker.Engine, s deployment.RunSpec) deployment.Preview {
	t.Helper()
	p := start(t, e, s)
	require.NoError(t, probeError(e.Probe(t.Context(), p, probeSpec(30), nil)))
	return p
}

// untilSays returns when the app has printed a line: what a probe finds that has little time must not depend on how long the start takes.
func untilSays(t *testing.T, e *docker.Engine, p deployment.Preview, line string) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	said := errors.New("it has")
	require.ErrorIs(t, e.Logs(ctx, p.Container, nil, func(l deployment.OutputLine) {
		if l.Text == line {
			cancel(said)
		}
	}), said, "it never says %q", line)
}

func probeSpec(seconds int) deployment.ProbeSpec {
	return deployment.ProbeSpec{Check: deployment.HealthCheck{Path: "/", TimeoutSeconds: seconds}, Interval: 50 * time.Millisecond}
}

// probeError is what a probe came to, wherever it was answered.
func probeError(_ string, err error) error { return err }

func failureOf(t *testing.T, err error) *deployment.Failure {
	t.Helper()
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	return f
}

// get reads a path of the app in the preview.
func get(t *testing.T, p deployment.Preview, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.Address+path, nil)
	require.NoError(t, err)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	return string(body)
}
