package doctor_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/doctor"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/registry"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// asDev makes a copy of this program stand in for slipway-dev: it listens, says where, and ends with its input.
const asDev = "DOCTOR_TEST_AS_DEV"

func TestMain(m *testing.M) {
	if os.Getenv(asDev) != "" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stdout, listener.Addr())
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(postgrestest.Main(m))
}

// machine is a machine on which nothing of slipway runs.
func machine(t *testing.T) doctor.Machine {
	t.Helper()
	c, err := config.LoadMachine([]string{"SLIPWAY_DATA_DIR=" + t.TempDir(), "SLIPWAY_EXAMPLES_DIR="})
	require.NoError(t, err)
	for _, addr := range []*string{&c.API.Addr, &c.Gateway.Addr, &c.Temporal.Addr, &c.Temporal.UIAddr, &c.Registry.Addr} {
		*addr = unused(t)
	}
	c.Registry.PushHost, c.Registry.PullHost = c.Registry.Addr, c.Registry.Addr
	return doctor.Machine{Config: c, APIURL: "http://" + c.API.Addr, Environ: []string{"SLIPWAY_CACHE=" + t.TempDir()}, PublicRegistry: "http://" + unused(t)}
}

// unused returns an address where nothing listens.
func unused(t *testing.T) string {
	t.Helper()
	addrs, err := testbed.FreePorts(1)
	require.NoError(t, err)
	return addrs[0]
}

// find makes one check and wants one finding of it.
func find(t *testing.T, m doctor.Machine, check string) doctor.Finding {
	t.Helper()
	found := doctor.Run(t.Context(), m, []string{check})
	require.Len(t, found, 1)
	wellFormed(t, found)
	return found[0]
}

func wellFormed(t *testing.T, found []doctor.Finding) {
	t.Helper()
	for _, f := range found {
		require.NotEmpty(t, f.Check)
		require.NotEmpty(t, f.Detail)
		bad := f.Status == doctor.Failed || f.Status == doctor.Warning
		require.Equal(t, bad, f.Fix != "", "what is wrong has a fix, and nothing else: %+v", f)
	}
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func status(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

func script(t *testing.T, path, body string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
}

func TestEveryCheckFindsSomething(t *testing.T) {
	t.Parallel()
	m := machine(t)
	found := doctor.Run(t.Context(), m, nil)
	wellFormed(t, found)
	seen := map[string]bool{}
	for _, f := range found {
		seen[f.Check] = true
	}
	require.Len(t, seen, len(doctor.Names()))
	left, err := os.ReadDir(m.Config.DataDir)
	require.NoError(t, err)
	require.Empty(t, left, "it only looks")
}

func TestPorts(t *testing.T) {
	t.Parallel()
	m := machine(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	m.Config.Gateway.Addr = listener.Addr().String()
	found := doctor.Run(t.Context(), m, []string{"ports"})
	wellFormed(t, found)
	require.Equal(t, doctor.Finding{Check: "ports", Status: doctor.OK, Detail: "SLIPWAY_API_ADDR " + m.Config.API.Addr + " is free"}, found[0])
	require.Equal(t, doctor.Failed, found[1].Status)
	require.Equal(t, fmt.Sprintf("SLIPWAY_GATEWAY_ADDR: %s is in use by process %d (doctor.test)", listener.Addr(), os.Getpid()), found[1].Detail)
	require.Equal(t, "stop that, or set SLIPWAY_GATEWAY_ADDR to another address", found[1].Fix)
}

// What the running slipway-dev listens on is as it should be; that it does not listen is not.
func TestPortsOfARunningSlipwayDev(t *testing.T) {
	t.Parallel()
	m := machine(t)
	m.Config.API.Addr = runAsDev(t, m)
	require.Equal(t, doctor.OK, find(t, m, "slipway-dev").Status)
	found := doctor.Run(t.Context(), m, []string{"ports"})
	wellFormed(t, found)
	require.Equal(t, doctor.OK, found[0].Status)
	require.Contains(t, found[0].Detail, "(slipway-dev)")
	require.Equal(t, doctor.Failed, found[1].Status)
	require.Contains(t, found[1].Detail, "nothing listens")

	m.Config.DataDir = t.TempDir()
	found = doctor.Run(t.Context(), m, []string{"ports"})
	require.Equal(t, doctor.Failed, found[0].Status, "the slipway-dev of another data directory")
	require.NoError(t, os.WriteFile(filepath.Join(m.Config.DataDir, "slipway-dev.pid"), []byte(strconv.Itoa(os.Getpid())), 0o600))
	require.Equal(t, doctor.Skipped, find(t, m, "slipway-dev").Status, "a pid that is another program's by now")
}

// runAsDev starts what looks like the slipway-dev of m's data directory, and returns where it listens.
func runAsDev(t *testing.T, m doctor.Machine) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "slipway-dev")
	require.NoError(t, os.WriteFile(path, self, 0o755))
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = append(os.Environ(), asDev+"=1")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(m.Config.DataDir, "slipway-dev.pid"), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o600))
	return strings.TrimSpace(addr)
}

func TestHolderOfAWiderAddress(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", ""} {
		holder, used := doctor.HolderOf(t.Context(), net.JoinHostPort(host, port))
		require.True(t, used, host)
		require.EqualValues(t, os.Getpid(), holder.PID)
	}
	_, used := doctor.HolderOf(t.Context(), "nonsense")
	require.False(t, used)
}

func TestDiskOfAFolderThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	m := machine(t)
	m.Config.DataDir = filepath.Join(t.TempDir(), "a", "b")
	found := doctor.Run(t.Context(), m, []string{"disk"})
	wellFormed(t, found)
	require.Contains(t, found[0].Detail, "B free in "+m.Config.DataDir)
	require.NoDirExists(t, m.Config.DataDir)
}

func TestDiskThatIsTooFullForABuild(t *testing.T) {
	t.Parallel()
	m := machine(t)
	m.Config.Worker.WorkspaceDir, m.Config.Worker.MinFreeDisk = t.TempDir(), 1<<60
	found := doctor.Run(t.Context(), m, []string{"disk"})
	wellFormed(t, found)
	require.Equal(t, doctor.Failed, found[1].Status)
	require.Contains(t, found[1].Detail, "free in "+m.Config.Worker.WorkspaceDir+", and no build begins below 1024 PB")
	require.Contains(t, found[1].Fix, "SLIPWAY_MIN_FREE_DISK")
}

func TestCgroup(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		files map[string]string
		want  doctor.Status
		says  string
	}{
		"version 2":      {map[string]string{"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids"}, doctor.OK, "version 2"},
		"a kernel's gap": {map[string]string{"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids"}, doctor.Failed, "no memory controller"},
		"not delegated": {map[string]string{
			"sys/fs/cgroup/cgroup.controllers": "cpu memory pids", "proc/self/cgroup": "0::/user.slice/a\n",
			"sys/fs/cgroup/user.slice/a/cgroup.controllers": "memory pids",
		}, doctor.Warning, "cpu controller is not handed down"},
		"version 1":        {map[string]string{"sys/fs/cgroup/cpu/a": "", "sys/fs/cgroup/memory/a": "", "sys/fs/cgroup/pids/a": ""}, doctor.Warning, "version 1"},
		"half a version 1": {map[string]string{"sys/fs/cgroup/cpu/a": "", "sys/fs/cgroup/memory/a": ""}, doctor.Failed, "no pids controller"},
		"none":             {nil, doctor.Failed, "no cpu, memory, pids controller"},
	} {
		m := machine(t)
		m.Root = t.TempDir()
		for path, text := range tc.files {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(m.Root, path)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(m.Root, path), []byte(text), 0o600))
		}
		f := find(t, m, "cgroup")
		require.Equal(t, tc.want, f.Status, name)
		require.Contains(t, f.Detail, tc.says, name)
	}
}

func TestDocker(t *testing.T) {
	t.Parallel()
	m := machine(t)
	f := find(t, m, "docker")
	require.NotEqual(t, doctor.Failed, f.Status, f.Detail)
	require.Contains(t, f.Detail, "unix://")

	m.Config.Docker.Host = "unix://" + filepath.Join(t.TempDir(), "none.sock")
	require.Equal(t, doctor.Failed, find(t, m, "docker").Status)

	m.Config.Docker.Host = "tcp" + strings.TrimPrefix(serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"ServerVersion":"19.03.15","ApiVersion":"1.40"}`)
	})), "http")
	f = find(t, m, "docker")
	require.Equal(t, doctor.Failed, f.Status)
	require.Contains(t, f.Detail, "19.03.15 is older than 20.10")
}

func TestWhatBuildKitNeeds(t *testing.T) {
	t.Parallel()
	m := machine(t)
	m.BinDir, m.Config.BuildKit.CNIDir = t.TempDir(), t.TempDir()
	script(t, filepath.Join(m.Config.BuildKit.CNIDir, "bridge"), "")
	f := find(t, m, "cni")
	require.Equal(t, doctor.Failed, f.Status)
	require.Contains(t, f.Detail, "has no firewall, host-local, loopback")
	f = find(t, m, "buildkit")
	require.Equal(t, doctor.Failed, f.Status)
	require.Contains(t, f.Detail, "no program "+m.BinDir+"/buildkitd")
	script(t, filepath.Join(m.BinDir, "buildkitd"), "")
	require.Equal(t, doctor.OK, find(t, m, "buildkit").Status)
	for _, plugin := range []string{"firewall", "host-local", "loopback"} {
		script(t, filepath.Join(m.Config.BuildKit.CNIDir, plugin), "")
	}
	require.Equal(t, doctor.OK, find(t, m, "cni").Status)

	m.Config.BuildKit.Addrs = []string{"unix://" + filepath.Join(t.TempDir(), "none.sock")}
	require.Equal(t, doctor.Failed, find(t, m, "buildkit").Status)
	two := append(m.Config.BuildKit.Addrs, "unix://"+filepath.Join(t.TempDir(), "another.sock"))
	m.Config.BuildKit.Addrs = two
	findings := doctor.Run(t.Context(), m, []string{"buildkit"})
	require.Len(t, findings, 2, "each of them is looked at")
	require.Contains(t, findings[1].Detail, "another.sock")
	require.Equal(t, doctor.Skipped, find(t, m, "runc").Status, "somebody else's buildkitd")
	require.Equal(t, doctor.Skipped, find(t, m, "cni").Status)
}

func TestProgramsThatAreNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	m := machine(t)
	require.Equal(t, doctor.Failed, find(t, m, "runc").Status)
	require.Equal(t, doctor.Warning, find(t, m, "git").Status)
	require.Equal(t, doctor.Failed, find(t, m, "nixpacks").Status)
}

func TestNixpacks(t *testing.T) {
	t.Parallel()
	m := machine(t)
	own := filepath.Join(strings.TrimPrefix(m.Environ[0], "SLIPWAY_CACHE="), "bin", "nixpacks")
	script(t, own, "echo nixpacks 1.41.0")
	f := find(t, m, "nixpacks")
	require.Equal(t, doctor.OK, f.Status)
	require.Equal(t, "version 1.41.0 ("+own+")", f.Detail)
	script(t, own, "echo nixpacks 1.2.3")
	f = find(t, m, "nixpacks")
	require.Equal(t, doctor.Warning, f.Status)
	require.Contains(t, f.Detail, "tested with 1.41.0")
	m.Config.Planner.Nixpacks = "/nowhere/nixpacks"
	require.Equal(t, doctor.Failed, find(t, m, "nixpacks").Status)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	m := machine(t)
	require.Equal(t, doctor.OK, find(t, m, "postgres").Status, "the machine's own binaries")
	m.Config.Postgres.URL = postgrestest.New(t).Config().ConnString()
	f := find(t, m, "postgres")
	require.Equal(t, doctor.OK, f.Status)
	require.Regexp(t, `^version \d+\.\d+ at `, f.Detail)
	m.Config.Postgres.URL = "postgres://someone:secret@" + unused(t) + "/slipway"
	f = find(t, m, "postgres")
	require.Equal(t, doctor.Failed, f.Status)
	require.NotContains(t, f.Detail, "secret")
}

func TestTemporal(t *testing.T) {
	t.Parallel()
	m := machine(t)
	f := find(t, m, "temporal")
	require.Equal(t, doctor.Skipped, f.Status, "slipway-dev would serve it")
	runAsDev(t, m)
	require.Equal(t, doctor.Failed, find(t, m, "temporal").Status, "it runs, and does not")

	m.Config.Temporal.Addr = strings.TrimPrefix(serve(t, status(200)), "http://")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	found := doctor.Run(ctx, m, []string{"temporal"})
	require.Equal(t, doctor.Failed, found[0].Status)
	require.Contains(t, found[0].Detail, "is not Temporal's frontend")
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	m := machine(t)
	require.Equal(t, doctor.Skipped, find(t, m, "registry").Status, "slipway-dev would serve it")
	server, err := registry.New(registry.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	there := strings.TrimPrefix(serve(t, server), "http://")
	m.Config.Registry.PushHost, m.Config.Registry.PullHost = there, there
	found := doctor.Run(t.Context(), m, []string{"registry"})
	require.Equal(t, []doctor.Finding{
		{Check: "registry", Status: doctor.OK, Detail: there + " answers"},
		{Check: "registry", Status: doctor.OK, Detail: "the Docker engine reaches " + there},
	}, found)

	m.Config.Registry.PullHost = unused(t)
	m.Config.Registry.PushHost = strings.TrimPrefix(serve(t, status(404)), "http://")
	found = doctor.Run(t.Context(), m, []string{"registry"})
	wellFormed(t, found)
	require.Equal(t, doctor.Failed, found[0].Status, "another server")
	require.Equal(t, doctor.Failed, found[1].Status, "nothing listens where the engine pulls from")
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	m := machine(t)
	f := find(t, m, "network")
	require.Equal(t, doctor.Warning, f.Status)
	require.Contains(t, f.Fix, "air-gapped profile")
	m.PublicRegistry = "http://registry.invalid/v2/"
	require.Contains(t, find(t, m, "network").Detail, "names of the internet are not resolved")
	m.Config.BuildKit.DockerMirror = true
	require.Equal(t, doctor.OK, find(t, m, "network").Status)
	m.Config.BuildKit.DockerMirror = false
	m.PublicRegistry = serve(t, status(401))
	require.Equal(t, doctor.OK, find(t, m, "network").Status)
}

func TestAPI(t *testing.T) {
	t.Parallel()
	m := machine(t)
	require.Equal(t, doctor.Skipped, find(t, m, "api").Status, "slipway-dev would serve it")
	m.APIURL = serve(t, status(200))
	require.Contains(t, find(t, m, "api").Detail, "is not slipway's API")

	late := time.Duration(0)
	components := `{"postgres":{"status":"ok"}}`
	m.APIURL = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(late).UTC().Format(http.TimeFormat))
		if r.URL.Path == "/v1/projects" && r.Header.Get("Authorization") != "Bearer good" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"status":"ok","components":%s}`, components)
	}))
	look := func() (states []doctor.Status) {
		found := doctor.Run(t.Context(), m, []string{"api"})
		wellFormed(t, found)
		for _, f := range found {
			states = append(states, f.Status)
		}
		return states
	}
	require.Equal(t, []doctor.Status{doctor.OK, doctor.Warning, doctor.OK}, look(), "no token")
	m.Token = "bad"
	require.Equal(t, []doctor.Status{doctor.OK, doctor.Failed, doctor.OK}, look())
	m.Token = "good"
	require.Equal(t, []doctor.Status{doctor.OK, doctor.OK, doctor.OK}, look())
	for _, late = range []time.Duration{-time.Minute, time.Minute} {
		require.Equal(t, []doctor.Status{doctor.OK, doctor.OK, doctor.Warning}, look())
	}
	late, components = 0, `{"postgres":{"status":"ok"},"temporal":{"status":"unavailable"}}`
	require.Equal(t, doctor.Failed, look()[0])
}
