package buildkit_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// Builds that take whatever they get end in a failure that says so, and a build beside them does not notice.
func TestAStepIsBounded(t *testing.T) { //nolint:tparallel // the neighbour ends after them
	t.Parallel()
	limits := buildkit.StepLimits{CPUs: 0.5, Memory: 256 << 20, Processes: 200}
	own := buildkittest.StartWith(t, func(c *buildkit.DaemonConfig) { c.Limits = limits })
	b := own.Builder(t)
	on := func(script string) deployment.BuildRequest {
		r := request(t, from+"RUN <<'EOF' bash\n: "+uuid.NewString()+"\n"+script+"\nEOF\n", nil)
		r.Image = own.Registry + "/test:" + r.Ref
		return r
	}
	// The neighbour works, and forks, until the others have ended: until a file appears in the cache mount that both have.
	neighbour := on("")
	mount := "RUN --mount=type=cache,target=/c "
	neighbour.Dockerfile = from + mount + "echo started; until test -e /c/go; do true | sleep 0.05; done # " + uuid.NewString() + "\n"
	heard, ended := &transcript{}, make(chan error, 1)
	go func() {
		_, err := b.Solve(t.Context(), neighbour, heard)
		ended <- err
	}()
	require.Eventually(t, heard.saw("stdout: #n started\n"), 60*time.Second, 10*time.Millisecond, heard.text)

	t.Run("greedy", func(t *testing.T) {
		for name, c := range map[string]struct{ script, code, line string }{
			"forks":               {"while :; do sleep 600 & done", "build.too_many_processes", "fork"},
			"allocates":           {"exec perl -e 'my @a; push @a, \"x\" x 1000000 while 1'", "build.out_of_memory", ""},
			"allocates in a tree": {"perl -e 'my @a; push @a, \"x\" x 1000000 while 1'; echo went on; exit 1", "build.out_of_memory", "Killed"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := failure(t, b, on(c.script))
				require.Equal(t, c.code, f.Code, "%s\n%s", f.Message, strings.Join(f.Lines, "\n"))
				require.Equal(t, deployment.ClassUser, f.Class)
				require.Contains(t, strings.Join(f.Lines, "\n"), c.line)
			})
		}
		t.Run("forks and never gives up", func(t *testing.T) {
			t.Parallel()
			r, s := on("perl -e '1 while defined(fork) || 1'"), &transcript{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := b.Solve(ctx, r, s)
				ended <- err
			}()
			forked := func() int { return len(processes(t, "1 while defined(fork)")) }
			require.Eventually(t, func() bool { return forked() > limits.Processes/2 }, time.Minute, 50*time.Millisecond, s.text)
			cancel()
			require.ErrorIs(t, <-ended, context.Canceled)
			require.Eventually(t, func() bool { return forked() == 0 }, time.Minute, 50*time.Millisecond)
		})
	})
	release := on("")
	release.CacheScope, release.Dockerfile = neighbour.CacheScope, from+mount+"touch /c/go # "+uuid.NewString()+"\n"
	_, err := b.Solve(t.Context(), release, &transcript{})
	require.NoError(t, err)
	require.NoError(t, <-ended, "the neighbour is unharmed: %s", heard.text())
}

// What the kernel says to a step of its bounds, in either version of cgroups, whatever started it.
func TestAStepKnowsItsBounds(t *testing.T) {
	t.Parallel()
	own := buildkittest.StartWith(t, func(c *buildkit.DaemonConfig) {
		c.Limits = buildkit.StepLimits{CPUs: 1.5, Memory: 300 << 20, Processes: 123}
	})
	r, s := request(t, from+"RUN cd /sys/fs/cgroup && cat pids/pids.max memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids.max memory.max cpu.max 2>/dev/null; "+
		`: '"resources":{"devices":[]},"linux":{"resources":{"devices":' # `+uuid.NewString()+"\n", nil), &transcript{}
	r.Image = own.Registry + "/test:" + r.Ref
	_, err := own.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())
	require.Contains(t, s.text(), " 123\n")
	require.Contains(t, s.text(), fmt.Sprintf(" %d\n", 300<<20))
	require.Regexp(t, ` 150000( 100000)?\n`, s.text())
}

// A configuration without a place for limits is not run without them.
func TestTheRuntimeRefusesWhatItCannotBound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "runtime.sh")
	require.NoError(t, os.WriteFile(script, []byte(buildkit.StepLimits{Processes: 5}.Runtime()), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"linux":{}}`), 0o600))
	out, err := exec.CommandContext(t.Context(), script, "run", "--bundle", dir, "id").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "no place for limits")
}
