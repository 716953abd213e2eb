package docker_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

func TestProbeReportsAnExitAtOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("exit"))
	began := time.Now()
	f := failureOf(t, probeError(e.Probe(t.Context(), p, probeSpec(60), nil)))
	require.Less(t, time.Since(began), 10*time.Second)
	require.Equal(t, "release.app_exited", f.Code)
	require.Equal(t, deployment.ClassUser, f.Class)
	require.Equal(t, 7, *f.ExitCode)
	require.Len(t, f.Lines, deployment.MaxFailureLines)
	require.Contains(t, f.Lines, "boom: no such table")
	require.Contains(t, f.Lines, "line 59")
	require.NotEmpty(t, f.Fix)
}

func TestProbeTellsOutOfMemory(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := spec("oom")
	s.Resources.MemoryMB = 32
	f := failureOf(t, probeError(e.Probe(t.Context(), start(t, e, s), probeSpec(60), nil)))
	require.Equal(t, "release.out_of_memory", f.Code)
	require.Equal(t, 137, *f.ExitCode)
	require.Contains(t, f.Message, "32 MB")
	require.Contains(t, f.Fix, "memory_mb")
}

func TestProbeTellsWhatIsWrongWithThePort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, mode, listen, code, message string
	}{
		{"never listens", "silent", "", "release.not_ready", "nothing listens on PORT 3000"},
		{"wrong port", "", ":8080", "release.wrong_port", "listens on 8080, not on PORT 3000"},
		{"loopback only", "", "127.0.0.1:3000", "release.loopback_only", "listens on 127.0.0.1:3000 only"},
		{"wrong port on loopback", "", "127.0.0.1:5173", "release.wrong_port", "listens on 127.0.0.1:5173, not on PORT 3000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			var said []string
			p := start(t, e, spec(c.mode, "LISTEN="+c.listen))
			says := "mode " + c.mode
			if c.listen != "" {
				says = "listening on " + c.listen
			}
			untilSays(t, e, p, says)
			f := failureOf(t, probeError(e.Probe(t.Context(), p, probeSpec(2), func(l string) { said = append(said, l) })))
			require.Equal(t, c.code, f.Code, f.Message)
			require.Equal(t, deployment.ClassUser, f.Class)
			require.Contains(t, f.Message, c.message)
			require.NotEmpty(t, f.Fix)
			require.Contains(t, f.Lines, "mode "+c.mode)
			require.Contains(t, said, "waiting for GET / on port 3000: connection refused")
		})
	}
}

// An app that reads PORT from nowhere is found where it listens, once it is clear that nothing comes on PORT.
func TestProbeFindsTheOnlyOtherPort(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("", "LISTEN=:8080"))
	untilSays(t, e, p, "listening on :8080")
	s := probeSpec(8)
	s.OtherPort = true
	began := time.Now()
	address, err := e.Probe(t.Context(), p, s, nil)
	require.NoError(t, err)
	require.Equal(t, strings.TrimSuffix(p.Address, ":3000")+":8080", address)
	require.Greater(t, time.Since(began), 6*time.Second, "PORT has its time first")

	p.Address = address
	require.NotEmpty(t, get(t, p, "/"))
	onPort := startReady(t, e, spec(""))
	address, err = e.Probe(t.Context(), onPort, s, nil)
	require.NoError(t, err)
	require.Equal(t, onPort.Address, address)
}

// What listens at once is for metrics, say, and the app comes to PORT when it has warmed up.
func TestProbeWaitsForThePortOfASlowApp(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("", "LISTEN=:9090", "LATER=:3000"))
	s := probeSpec(20)
	s.OtherPort = true
	address, err := e.Probe(t.Context(), p, s, nil)
	require.NoError(t, err)
	require.Equal(t, p.Address, address)
}

func TestProbeTakesNoOtherPortWhenItIsNotClear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, listen, last, code string }{
		{"several", ":8080,:9090", ":9090", "release.wrong_port"},
		{"PORT on loopback", "127.0.0.1:3000,:9090", ":9090", "release.loopback_only"},
		{"another on loopback", "127.0.0.1:8080", "127.0.0.1:8080", "release.wrong_port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			s := probeSpec(3)
			s.OtherPort = true
			p := start(t, e, spec("", "LISTEN="+c.listen))
			untilSays(t, e, p, "listening on "+c.last)
			f := failureOf(t, probeError(e.Probe(t.Context(), p, s, nil)))
			require.Equal(t, c.code, f.Code, f.Message)
		})
	}
}

func TestProbeWantsTheStatus(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	broken := start(t, e, spec("broken"))
	untilSays(t, e, broken, "listening on :3000")
	f := failureOf(t, probeError(e.Probe(t.Context(), broken, probeSpec(2), nil)))
	require.Equal(t, "release.not_ready", f.Code)
	require.Contains(t, f.Message, "answered 503")

	wants503 := probeSpec(10)
	wants503.Check.Status = http.StatusServiceUnavailable
	require.NoError(t, probeError(e.Probe(t.Context(), broken, wants503, nil)))
}

func TestProbeFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec(""))
	s := probeSpec(10)
	s.Check.Path, s.Check.Status, s.Host = "/elsewhere", http.StatusFound, "1234abcd-preview.localhost"
	var said []string
	require.NoError(t, probeError(e.Probe(t.Context(), p, s, func(l string) { said = append(said, l) })))
	require.Regexp(t, `^ready after \d+\.\d s: GET /elsewhere answered 302$`, said[len(said)-1])
}

func TestProbeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("silent"))
	canceled := errors.New("the deployment was canceled")
	ctx, cancel := context.WithCancelCause(t.Context())
	waiting := func(l string) {
		if strings.Contains(l, "waiting") {
			cancel(canceled)
		}
	}
	began := time.Now()
	require.ErrorIs(t, probeError(e.Probe(ctx, p, probeSpec(60), waiting)), canceled)
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestProbeOfARemovedContainerIsTransient(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("silent"))
	removed := make(chan error, 1)
	_, err := e.Probe(t.Context(), p, probeSpec(60), func(string) {
		go func() { removed <- e.Stop(context.WithoutCancel(t.Context()), p.Container, 0) }()
	})
	require.NoError(t, <-removed)
	f := failureOf(t, err)
	require.NotEqual(t, "release.not_ready", f.Code)
	require.Error(t, probeError(e.Probe(t.Context(), p, probeSpec(60), nil)))
	require.Equal(t, "release.container_gone", failureOf(t, probeError(e.Probe(t.Context(), p, probeSpec(60), nil))).Code)
}

func TestKeepAliveRestartsACrashedApp(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := startReady(t, e, spec(""))
	require.NoError(t, e.KeepAlive(t.Context(), p.Container, spec("").Resources))
	_, err := http.Post("http://"+p.Address+"/exit", "", nil) //nolint:bodyclose,noctx // the app dies of it
	require.Error(t, err)
	require.Eventually(t, func() bool { c := inspect(t, p); return c.RestartCount == 1 && c.State.Running }, time.Minute, 20*time.Millisecond)
	require.NoError(t, probeError(e.Probe(t.Context(), p, probeSpec(30), nil)), "it came back at another address")
}

// Most of an app's work is its start, for which somebody waits.
func TestAnAppMayUseMoreCPUsUntilItIsReady(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *docker.Options) { o.StartCPUs = 1 })
	p := startReady(t, e, spec(""))
	require.Equal(t, int64(1e9), inspect(t, p).HostConfig.NanoCPUs)
	require.NoError(t, e.KeepAlive(t.Context(), p.Container, deployment.Resources{CPUs: 0.5}))
	require.Equal(t, int64(5e8), inspect(t, p).HostConfig.NanoCPUs)

	larger := spec("")
	larger.Resources.CPUs = 1.5
	p = startReady(t, e, larger)
	require.Equal(t, int64(1e9*min(1.5, float64(runtime.NumCPU()))), inspect(t, p).HostConfig.NanoCPUs, "its own are more")
}

func TestKeepAliveOfAnExitedAppIsAFailure(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("exit"))
	require.Error(t, probeError(e.Probe(t.Context(), p, probeSpec(60), nil)))
	require.Equal(t, "release.app_exited", failureOf(t, e.KeepAlive(t.Context(), p.Container, spec("").Resources)).Code)
}
