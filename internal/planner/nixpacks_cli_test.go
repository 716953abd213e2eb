package planner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func mkfifo(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(path, 0o600))
}

// script makes an executable that stands in for nixpacks where the real one cannot show the failure.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nixpacks")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/bash\n"+body), 0o700))
	return path
}

// hangs is a stand-in that starts a child of its own, writes both process ids and never ends.
func hangs(t *testing.T) (executable, pids string) {
	t.Helper()
	pids = filepath.Join(t.TempDir(), "pids")
	return script(t, fmt.Sprintf("sleep 600 & echo $$ $! > %s.new; mv %s.new %s; wait\n", pids, pids, pids)), pids
}

func requireGone(t *testing.T, pids string) {
	t.Helper()
	data, err := os.ReadFile(pids)
	require.NoError(t, err)
	fields := strings.Fields(string(data))
	require.Len(t, fields, 2)
	for _, field := range fields {
		pid, err := strconv.Atoi(field)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return ended(pid) }, time.Minute, 10*time.Millisecond, "process %d still runs", pid)
	}
}

// ended reports whether a process is gone, or a zombie that waits for whoever inherited it.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

func TestNixpacks_TimeoutEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	executable, pids := hangs(t)
	p := planner.New(planner.Options{NixpacksPath: executable, Timeout: 5 * time.Second}) // enough to write the ids
	_, _, err := p.Plan(t.Context(), repo("spa"), deployment.Project{}, nil)
	requireFailure(t, err, deployment.ClassTransient, "plan.timeout")
	requireGone(t, pids)
}

func TestNixpacks_CancelEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	executable, pids := hangs(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	stopped := errors.New("the deployment was canceled")
	result := make(chan error, 1)
	go func() {
		p := planner.New(planner.Options{NixpacksPath: executable, Timeout: time.Minute})
		_, _, err := p.Plan(ctx, repo("spa"), deployment.Project{}, nil)
		result <- err
	}()
	require.Eventually(t, func() bool { return fileExists(pids) }, time.Minute, 5*time.Millisecond)
	cancel(stopped)
	require.ErrorIs(t, <-result, stopped)
	requireGone(t, pids)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestNixpacks_MissingIsThePlatformsFault(t *testing.T) {
	t.Parallel()
	for _, path := range []string{filepath.Join(t.TempDir(), "nixpacks"), "nixpacks-that-nobody-installed"} {
		p := planner.New(planner.Options{NixpacksPath: path})
		_, _, err := p.Plan(t.Context(), repo("spa"), deployment.Project{}, nil)
		f := requireFailure(t, err, deployment.ClassPlatform, "plan.nixpacks_missing")
		require.Contains(t, f.Fix, "cargo install nixpacks --version 1.41.0 --locked")
	}
}

func TestNixpacks_IsNotNeededForADockerfile(t *testing.T) {
	t.Parallel()
	p := planner.New(planner.Options{NixpacksPath: filepath.Join(t.TempDir(), "nixpacks")})
	_, _, err := p.Plan(t.Context(), repo("multi-stage"), deployment.Project{}, nil)
	require.NoError(t, err)
}

func TestNixpacks_FailuresOfItsOwn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		class  deployment.Class
		code   string
	}{
		"a crash":           {"echo 'thread main panicked' >&2; exit 101", deployment.ClassPlatform, "plan.nixpacks_crashed"},
		"a full disk":       {"echo 'Error: No space left on device (os error 28)' >&2; exit 1", deployment.ClassPlatform, "host.disk_full"},
		"no JSON":           {"echo hello", deployment.ClassPlatform, "plan.nixpacks_crashed"},
		"an endless plan":   {"exec cat /dev/zero", deployment.ClassUser, "plan.too_large"},
		"an endless report": {"head -c 10000000 /dev/zero >&2; exit 1", deployment.ClassPlatform, "plan.nixpacks_crashed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := planner.New(planner.Options{NixpacksPath: script(t, test.script)})
			_, _, err := p.Plan(t.Context(), repo("spa"), deployment.Project{}, nil)
			requireFailure(t, err, test.class, test.code)
		})
	}
}

// What a plan needs on disk lies where it is told to, and is gone afterwards.
func TestPlan_KeepsItsTemporaryFilesTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seen := filepath.Join(t.TempDir(), "seen")
	wrapper := script(t, "find "+dir+" >>"+seen+"\nexec "+nixpacksPath(t)+` "$@"`)
	p := planner.New(planner.Options{NixpacksPath: wrapper, TempDir: dir})
	_, _, err := p.Plan(t.Context(), repo("spa"), deployment.Project{}, nil)
	require.NoError(t, err)
	list, err := os.ReadFile(seen)
	require.NoError(t, err)
	require.Regexp(t, `(?m)^`+dir+`/slipway-plan-\d+/app/package.json$`, string(list))
	require.Regexp(t, `(?m)^`+dir+`/slipway-home-\d+$`, string(list))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// Nixpacks pulls variables of its own environment into a plan when told so with an empty value; a cleared environment has
// none to give.
func TestNixpacks_SeesNothingOfTheHostsEnvironment(t *testing.T) {
	const secret = "value-of-the-worker"
	t.Setenv("SLIPWAY_TEST_SECRET", secret)
	t.Setenv("NIXPACKS_START_CMD", secret)
	seen := filepath.Join(t.TempDir(), "seen")
	wrapper := script(t, fmt.Sprintf(`env >> %s
if [ "$1" = plan ]; then exec %s "$@" --env SLIPWAY_TEST_SECRET= --env HOME; fi
exec %s "$@"
`, seen, nixpacksPath(t), nixpacksPath(t)))

	plan, dockerfile, err := planner.New(planner.Options{NixpacksPath: wrapper}).Plan(t.Context(), repo("node-static"), deployment.Project{}, nil)
	require.NoError(t, err)
	require.NotContains(t, everything(t, plan, dockerfile), secret)
	require.Contains(t, plan.Variables, "HOME", "the wrapper's flags reached the real CLI")
	require.NotEqual(t, os.Getenv("HOME"), plan.Variables["HOME"])

	environment, err := os.ReadFile(seen)
	require.NoError(t, err)
	for line := range strings.Lines(string(environment)) {
		name, _, _ := strings.Cut(line, "=")
		require.Contains(t, []string{"PATH", "HOME", "PWD", "SHLVL", "_"}, name, "bash sets the last three")
	}
}

func TestNixpacks_LeavesNothingBehind(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	_, _, err := newPlanner(t).Plan(t.Context(), repo("spa"), deployment.Project{}, nil)
	require.NoError(t, err)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
