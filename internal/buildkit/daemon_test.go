package buildkit_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestDaemonThatIsKilledIsTransient(t *testing.T) {
	t.Parallel()
	own := buildkittest.Start(t) // beside the shared one, which shows that two run on one machine
	mark := uuid.NewString()
	r := request(t, from+"RUN echo started; sleep 300; : "+mark+"\n", nil)
	r.Image = own.Registry + "/test:" + r.Ref
	s := &transcript{}
	ended := make(chan error, 1)
	go func() {
		_, err := own.Builder(t).Solve(t.Context(), r, s)
		ended <- err
	}()
	require.Eventually(t, s.saw("stdout: #n started\n"), 60*time.Second, 10*time.Millisecond, s.text)
	require.NoError(t, own.Process.Signal(syscall.SIGKILL))
	var f *deployment.Failure
	require.ErrorAs(t, <-ended, &f)
	require.Equal(t, "build.builder_unavailable", f.Code)
	require.Equal(t, deployment.ClassTransient, f.Class)
	require.Eventually(t, func() bool { return len(processes(t, mark)) == 0 }, time.Minute, 50*time.Millisecond, "the step outlives its daemon")
}

func TestStepsReachPackagesButNotTheHost(t *testing.T) {
	t.Parallel()
	port := func(address string) string {
		ln, err := net.Listen("tcp", address+":0")
		require.NoError(t, err)
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Listener = ln
		server.Start()
		t.Cleanup(server.Close)
		_, port, err := net.SplitHostPort(ln.Addr().String())
		require.NoError(t, err)
		return port
	}
	loopback, everywhere := port("127.0.0.1"), port("0.0.0.0")
	dockerfile := from + "SHELL [\"/bin/bash\", \"-c\"]\nRUN : " + uuid.NewString()
	for _, target := range []string{"127.0.0.1/" + loopback, stack.Gateway + "/" + loopback, stack.Gateway + "/" + everywhere} {
		dockerfile += "; timeout 1 bash -c 'exec 3<>/dev/tcp/" + target + "' 2>/dev/null && echo reached " + target + " || echo closed " + target
	}
	dockerfile += "\nRUN apt-get update # " + uuid.NewString() + "\n"
	s := &transcript{}
	_, err := stack.Builder(t).Solve(t.Context(), request(t, dockerfile, nil), s)
	require.NoError(t, err, s.text())
	for _, target := range []string{"127.0.0.1/" + loopback, stack.Gateway + "/" + loopback, stack.Gateway + "/" + everywhere} {
		require.Contains(t, s.text(), "stdout: #n closed "+target+"\n")
	}
	require.Contains(t, s.text(), "Reading package lists...")
}

func TestDaemonConfig(t *testing.T) {
	t.Parallel()
	c := buildkit.DaemonConfig{
		Root: "/data/buildkit", Address: "unix:///run/b.sock", RegistryAddr: "127.0.0.1:5000", DockerIOMirror: true,
		BridgeName: "slipway0", BridgeSubnet: "10.99.0.0/24", Nameservers: []string{"192.0.2.1", "192.0.2.2"}, CacheBytes: 1 << 30, MaxParallel: 2,
	}
	want, err := os.ReadFile("testdata/buildkitd.toml")
	require.NoError(t, err)
	require.Equal(t, string(want), c.TOML())
	c.Frontend = "example.com/frontend:1"
	require.Contains(t, c.TOML(), "enabled = true\nallowedRepositories = [\"example.com/frontend:1\"]\n")
	require.Equal(t, []string{"--config", "/data/buildkit/buildkitd.toml"}, c.Args())
	require.NotEmpty(t, c.Env())
}
