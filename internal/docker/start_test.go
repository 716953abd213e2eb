package docker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

func TestStartRunsAPreviewThatAnswersAtItsAddress(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("", "GREETING=hi there")
	p := startReady(t, e, s)

	require.Equal(t, s.DeploymentID, p.DeploymentID)
	require.Equal(t, "host-1", p.Host)
	require.Equal(t, s.Name, p.Container)
	require.Equal(t, e.NetworkName(s.DeploymentID), p.Network)
	require.Equal(t, deployment.PreviewStarting, p.State)
	require.Equal(t, uint16(3000), netip.MustParseAddrPort(p.Address).Port())
	require.Contains(t, get(t, p, "/"), "hello from "+p.Address)
	require.Equal(t, "hi there", get(t, p, "/env?name=GREETING"))
	require.Equal(t, "3000", get(t, p, "/env?name=PORT"))
	require.Equal(t, "yes", get(t, p, "/env?name=FROM_IMAGE"))
}

func TestStartTwiceKeepsTheContainer(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("")
	first := startReady(t, e, s)
	second := start(t, e, s)
	require.Equal(t, first, second)
}

func TestStartBringsAStoppedContainerBackAtItsAddress(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("")
	first := startReady(t, e, s)
	require.NoError(t, api.ContainerKill(t.Context(), first.ContainerID, "KILL"))
	require.Eventually(t, func() bool { return !inspect(t, first).State.Running }, time.Minute, 20*time.Millisecond)
	require.Equal(t, first, startReady(t, e, s))
}

func TestConcurrentStartsEndWithOneContainerAndOneNetwork(t *testing.T) {
	t.Parallel()
	// Three engines stand for three processes: locks within one do not help.
	var installation string
	e := newEngine(t, func(o *docker.Options) { installation = o.Installation })
	same := func(o *docker.Options) { o.Installation = installation }
	engines := []*docker.Engine{e, newEngine(t, same), newEngine(t, same)}
	s := spec("")
	const n = 6
	previews, errs := make([]deployment.Preview, n), make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { previews[i], errs[i] = engines[i%len(engines)].Start(t.Context(), s) })
	}
	group.Wait()
	for i := range n {
		require.NoError(t, errs[i])
		require.Equal(t, previews[0], previews[i])
	}
	owned, err := e.Owned(t.Context())
	require.NoError(t, err)
	for i := range owned {
		require.WithinDuration(t, time.Now(), owned[i].Made, time.Minute)
		owned[i].Made = time.Time{}
	}
	require.ElementsMatch(t, []deployment.Resource{
		{Kind: deployment.ResourceContainer, Name: s.Name, Host: "host-1", DeploymentID: s.DeploymentID, RunID: s.RunID},
		{Kind: deployment.ResourceNetwork, Name: e.NetworkName(s.DeploymentID), Host: "host-1", DeploymentID: s.DeploymentID},
	}, owned)
	require.NoError(t, probeError(e.Probe(t.Context(), previews[0], probeSpec(30), nil)))
}

func TestStartReplacesWhatDiffers(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("")
	first := startReady(t, e, s)
	s.Env = append(s.Env, "ADDED=1")
	second := startReady(t, e, s)
	require.NotEqual(t, first.ContainerID, second.ContainerID)
	require.Equal(t, "1", get(t, second, "/env?name=ADDED"))
}

func TestRunsOfADeploymentStandSideBySide(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	old := spec("")
	previews := []deployment.Preview{startReady(t, e, old)}
	for _, run := range []string{"run-2", "run-3", "run-4", "run-5"} { // addresses of 13 meet sooner or later
		next := old
		next.RunID, next.Name = run, old.Name+run
		previews = append(previews, startReady(t, e, next))
	}
	seen := map[string]bool{}
	for _, p := range previews {
		require.Equal(t, previews[0].Network, p.Network)
		require.False(t, seen[p.Address], "two containers have address %s", p.Address)
		seen[p.Address] = true
	}
}

func TestStartLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	mine, theirs := newEngine(t), newEngine(t)
	s := spec("")
	p := startReady(t, theirs, s)

	_, err := mine.Start(t.Context(), s)
	require.Equal(t, "release.name_taken", failureOf(t, err).Code)
	require.Equal(t, "release.name_taken", failureOf(t, mine.Stop(t.Context(), s.Name, 0)).Code)
	require.Equal(t, "release.name_taken", failureOf(t, mine.RemoveNetwork(t.Context(), p.Network)).Code)
	require.True(t, inspect(t, p).State.Running)
}

func TestLabelsSayWhoseItIs(t *testing.T) {
	t.Parallel()
	var installation string
	e := newEngine(t, func(o *docker.Options) { installation = o.Installation })
	s := spec("silent")
	p := start(t, e, s)
	want := map[string]string{
		"slipway.managed": "true", "slipway.installation": installation, "slipway.deployment": s.DeploymentID,
		"slipway.project": "project-1", "slipway.environment": "environment-1", "slipway.host": "host-1",
	}
	n, err := api.NetworkInspect(t.Context(), p.Network, network.InspectOptions{})
	require.NoError(t, err)
	require.Equal(t, want, n.Labels)
	want["slipway.run"], want["traefik.enable"] = "run-1", "false"
	require.Equal(t, want, inspect(t, p).Config.Labels)
}

func TestHardeningHolds(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := startReady(t, e, spec(""))
	c := inspect(t, p)
	require.Equal(t, []string{"ALL"}, []string(c.HostConfig.CapDrop))
	require.Equal(t, []string{"no-new-privileges:true"}, c.HostConfig.SecurityOpt)
	require.EqualValues(t, 64<<20, c.HostConfig.Memory)
	require.EqualValues(t, 64<<20, c.HostConfig.MemorySwap)
	require.EqualValues(t, 500_000_000, c.HostConfig.NanoCPUs)
	require.EqualValues(t, 512, *c.HostConfig.PidsLimit)
	require.Equal(t, container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10240k", "max-file": "3"}}, c.HostConfig.LogConfig)
	require.Equal(t, container.RestartPolicyDisabled, c.HostConfig.RestartPolicy.Name)
	require.Empty(t, c.HostConfig.PortBindings)
	require.False(t, c.HostConfig.Privileged)

	status := get(t, p, "/status")
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		require.Contains(t, status, set+":\t0000000000000000", "the app has capabilities")
	}
	require.Contains(t, status, "NoNewPrivs:\t1")
	if *runtimeName == "" { // gVisor filters the calls of its own process, and shows none inside
		require.Contains(t, status, "Seccomp:\t2")
	} else {
		require.Equal(t, *runtimeName, c.HostConfig.Runtime)
	}
	require.Equal(t, "docker-init", strings.TrimSpace(get(t, p, "/init")))
}

func TestProcessesAreBounded(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("")
	s.Resources = deployment.Resources{CPUs: 64, MemoryMB: 2048}.WithDefaults() // more CPUs than the host has are no error
	p := startReady(t, e, s)
	require.Less(t, len(get(t, p, "/threads")), 4, "more than 999 processes were started")
}

func TestResourcesBoundTheContainer(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("")
	s.Resources = deployment.Resources{CPUs: 0.5, MemoryMB: 64, PIDs: 40, LogMB: 3, OpenFiles: 100, ReadOnlyRoot: true}
	p := startReady(t, e, s)
	require.Less(t, number(t, get(t, p, "/threads")), 40)
	require.Regexp(t, `Max open files +100 +100 `, get(t, p, "/limits"))
	require.Contains(t, get(t, p, "/write?path=/x"), "read-only file system")
	require.Equal(t, "written", get(t, p, "/write?path=/tmp/x"))
	require.Equal(t, "1024k", inspect(t, p).HostConfig.LogConfig.Config["max-size"])
	require.False(t, p.DiskUnbounded, "nothing bounds it")
}

// The storage of the test's engine may have quotas or none: either the bound holds, or the preview says that it does not.
func TestTheDiskIsBoundedOrItIsSaid(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("")
	s.Resources.DiskMB = 32
	p := startReady(t, e, s)
	written := get(t, p, "/write?path=/x&mb=64")
	require.Equal(t, p.DiskUnbounded, written == "written", written)
	require.Equal(t, p.DiskUnbounded, start(t, e, s).DiskUnbounded, "once more")
}

func TestARuntimeThatTheEngineLacks(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *docker.Options) { o.Runtime = "runsc-of-nobody" })
	_, err := e.Start(t.Context(), spec(""))
	f := failureOf(t, err)
	require.Equal(t, "release.no_runtime", f.Code)
	require.Contains(t, f.Message, "it has ")
	require.Contains(t, f.Message, "runc")

	e = newEngine(t, func(o *docker.Options) { o.Runtime = "runc" })
	require.Equal(t, "runc", inspect(t, startReady(t, e, spec(""))).HostConfig.Runtime)
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func TestNetworksDoNotOverlap(t *testing.T) {
	t.Parallel()
	pool := netip.MustParsePrefix(fmt.Sprintf("10.215.%d.0/26", rand.IntN(256))) // four networks, of no other run
	e := newEngine(t, func(o *docker.Options) { o.SubnetPool = pool })
	seen := map[netip.Prefix]bool{}
	for range 4 {
		p := start(t, e, spec("silent"))
		n, err := api.NetworkInspect(t.Context(), p.Network, network.InspectOptions{})
		require.NoError(t, err)
		subnet := netip.MustParsePrefix(n.IPAM.Config[0].Subnet)
		require.True(t, pool.Overlaps(subnet))
		require.Equal(t, 28, subnet.Bits())
		require.False(t, seen[subnet])
		seen[subnet] = true
	}
	_, err := e.Start(t.Context(), spec("silent"))
	require.Equal(t, "release.no_subnet", failureOf(t, err).Code)
}

func TestStartNamesWhatTheImageLacks(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("")
	s.Image = "slipway-test/docker@sha256:" + strings.Repeat("0", 64)
	_, err := e.Start(t.Context(), s)
	f := failureOf(t, err)
	require.Equal(t, "release.image_missing", f.Code)
	require.Equal(t, deployment.ClassPlatform, f.Class)
}

func TestAnEngineThatIsDownIsTransient(t *testing.T) {
	t.Parallel()
	e, err := docker.New(docker.Options{Installation: "test-" + uuid.NewString(), Host: "unix://" + t.TempDir() + "/none.sock"})
	require.NoError(t, err)
	for _, err := range []error{
		e.Ping(t.Context()),
		func() error { _, err := e.Start(t.Context(), spec("")); return err }(),
		e.Pull(t.Context(), "127.0.0.1:1/app@sha256:"+strings.Repeat("0", 64), nil),
		e.Stop(t.Context(), "any", 0),
		e.RemoveNetwork(t.Context(), "any"),
		e.Logs(t.Context(), "any", nil, nil),
		probeError(e.Probe(t.Context(), deployment.Preview{ContainerID: "any", Address: "127.0.0.1:1"}, probeSpec(1), nil)),
	} {
		f := failureOf(t, err)
		require.Equal(t, "release.docker_unavailable", f.Code, err.Error())
		require.Equal(t, deployment.ClassTransient, f.Class)
		require.NotEmpty(t, f.Fix)
	}
}

func inspect(t *testing.T, p deployment.Preview) container.InspectResponse {
	t.Helper()
	c, err := api.ContainerInspect(context.WithoutCancel(t.Context()), p.ContainerID)
	require.NoError(t, err)
	return c
}
