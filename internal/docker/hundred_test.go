package docker_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

var hundred = flag.Int("previews", 100, "previews of TestAHundredPreviews")

// atOnce is how many are started, or removed, at a time: as a host does it when it resumes its previews.
const atOnce = 8

// A machine runs many more previews than Docker's own pools have networks for, about 31. What they cost it is told, not judged: the
// memory of their processes, of those that the engine starts for each, and of the engine itself.
func TestAHundredPreviews(t *testing.T) {
	e := newEngine(t)
	daemon := memoryOfDaemon(t)
	previews := make([]deployment.Preview, *hundred)
	begun := time.Now()
	inParallel(t, len(previews), func(i int) (err error) {
		previews[i], err = e.Start(t.Context(), spec(""))
		if err == nil {
			_, err = e.Probe(t.Context(), previews[i], probeSpec(60), nil)
		}
		return err
	})
	started := time.Since(begun)

	addresses, networks := map[string]bool{}, map[string]bool{}
	for _, p := range previews {
		require.Contains(t, get(t, p, "/"), "hello from "+p.Address)
		addresses[p.Address], networks[p.Network] = true, true
	}
	require.Len(t, addresses, len(previews))
	require.Len(t, networks, len(previews))
	apps, shims := memoryOf(t, previews)
	grown := memoryOfDaemon(t) - daemon

	begun = time.Now()
	owned, err := e.Owned(t.Context())
	require.NoError(t, err)
	for _, kind := range []deployment.ResourceKind{deployment.ResourceContainer, deployment.ResourceNetwork} {
		inParallel(t, len(owned), func(i int) error { return remove(t, e, owned[i], kind) })
	}
	ended := time.Since(begun)
	owned, err = e.Owned(t.Context())
	require.NoError(t, err)
	require.Empty(t, owned)
	n := float64(len(previews))
	t.Logf("%d previews: started and answered after %.1f s, gone after %.1f s; each takes %.1f MiB for app and init, %.1f MiB for containerd's shim; "+
		"dockerd grew by %.1f MiB for all", len(previews), started.Seconds(), ended.Seconds(), apps/n, shims/n, grown)
}

func remove(t *testing.T, e *docker.Engine, r deployment.Resource, kind deployment.ResourceKind) error {
	t.Helper()
	switch {
	case r.Kind != kind:
		return nil
	case kind == deployment.ResourceContainer:
		return e.Stop(t.Context(), r.Name, 10*time.Second)
	default:
		return e.RemoveNetwork(t.Context(), r.Name)
	}
}

func inParallel(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range n {
		group.Go(func() error { return do(i) })
	}
	require.NoError(t, group.Wait())
}

// memoryOf returns how much memory the processes in containers take together, and the shims that hold them, in MiB.
func memoryOf(t *testing.T, previews []deployment.Preview) (apps, shims float64) {
	t.Helper()
	ours := func(text string) bool {
		for _, p := range previews {
			if strings.Contains(text, p.ContainerID) {
				return true
			}
		}
		return false
	}
	all, err := procfs.AllProcs()
	require.NoError(t, err)
	for _, p := range all {
		groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.PID))
		line, lineErr := p.CmdLine()
		switch {
		case err != nil || lineErr != nil: // it has ended
		case ours(string(groups)):
			apps += proportional(p)
		case ours(strings.Join(line, " ")):
			shims += proportional(p)
		}
	}
	require.Positive(t, apps)
	require.Positive(t, shims)
	return apps, shims
}

// memoryOfDaemon returns how much memory the Docker engine takes, in MiB.
func memoryOfDaemon(t *testing.T) (mib float64) {
	t.Helper()
	all, err := procfs.AllProcs()
	require.NoError(t, err)
	for _, p := range all {
		if name, err := p.Comm(); err == nil && name == "dockerd" {
			mib += proportional(p)
		}
	}
	require.Positive(t, mib)
	return mib
}

// proportional is a process's memory in MiB, what it shares with others divided among them; 0 for one that has ended.
func proportional(p procfs.Proc) float64 {
	sum, err := p.ProcSMapsRollup()
	if err != nil {
		return 0
	}
	return float64(sum.Pss) / (1 << 20)
}
