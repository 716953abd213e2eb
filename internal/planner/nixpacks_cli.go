package planner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	maxPlanBytes   = 4 << 20
	maxStderrBytes = 64 << 10
)

// TestedNixpacks is the version of the CLI that slipway is tested with.
const TestedNixpacks = "1.41.0"

// InstallNixpacks is the fix for a CLI that is not there.
const InstallNixpacks = "install it with `cargo install nixpacks --version " + TestedNixpacks + " --locked`, or name its path in the worker's configuration"

// NixpacksVersion asks the CLI at path, or of that name on PATH, which version it is.
func NixpacksVersion(ctx context.Context, path string) (string, error) {
	return (&nixpacksCLI{path: path, timeout: DefaultTimeout}).Version(ctx)
}

// nixpacksCLI runs the nixpacks executable.
type nixpacksCLI struct {
	path    string
	timeout time.Duration
	tempDir string

	mu      sync.Mutex
	version string
}

// Version returns what `nixpacks --version` says, asked once.
func (n *nixpacksCLI) Version(ctx context.Context) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.version != "" {
		return n.version, nil
	}
	out, err := n.run(ctx, "", "--version")
	if err != nil {
		return "", fmt.Errorf("ask nixpacks for its version: %w", err)
	}
	n.version = strings.TrimPrefix(strings.TrimSpace(string(out)), "nixpacks ")
	return n.version, nil
}

// run executes the CLI in a process group of its own, with an environment that holds nothing of the host's (nixpacks
// pulls variables from its own environment into plans), and returns its standard output. Paths of dir in what it reports
// are shown relative to it.
func (n *nixpacksCLI) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	home, err := os.MkdirTemp(n.tempDir, "slipway-home-*")
	if err != nil {
		return nil, fmt.Errorf("make an empty home: %w", err)
	}
	defer os.RemoveAll(home)

	limited, stop := context.WithTimeoutCause(ctx, n.timeout, errTimeout)
	defer stop()
	limited, overflow := context.WithCancelCause(limited)
	defer overflow(nil)
	stdout := &cappedBuffer{max: maxPlanBytes, full: func() { overflow(errTooLarge) }}
	stderr := &cappedBuffer{max: maxStderrBytes}

	cmd := exec.CommandContext(limited, n.path, args...)
	cmd.Dir, cmd.Env = home, []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild in another group may hold the pipes open

	if err := cmd.Run(); err != nil {
		return nil, n.explain(limited, err, relativeLines(stderr.String(), dir))
	}
	if stdout.overflowed {
		return nil, n.explain(limited, errTooLarge, nil)
	}
	return stdout.Bytes(), nil
}

var (
	errTimeout  = errors.New("nixpacks took too long")
	errTooLarge = errors.New("nixpacks wrote too much")
)

// explain tells whose failure it is that the CLI did not end well.
func (n *nixpacksCLI) explain(ctx context.Context, err error, stderr []string) error {
	var exit *exec.ExitError
	switch cause := context.Cause(ctx); {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return deployment.PlatformFailure("plan.nixpacks_missing", InstallNixpacks, "run nixpacks: %w", err)
	case errors.Is(err, errTooLarge), errors.Is(cause, errTooLarge):
		return deployment.UserFailure("plan.too_large", "make the repository's nixpacks.toml and static assets smaller",
			"the plan is larger than %d MiB", maxPlanBytes>>20)
	case errors.Is(cause, errTimeout):
		return deployment.TransientFailure("plan.timeout", "make the root directory smaller, or set root_dir to the app's own folder",
			"nixpacks gave no plan within %s", n.timeout)
	case cause != nil:
		return fmt.Errorf("nixpacks was stopped: %w", cause)
	case errors.As(err, &exit) && slices.ContainsFunc(stderr, outOfSpace):
		return deployment.DiskFailure("host.disk_full", "free space on the disk of SLIPWAY_WORKSPACE_DIR on the step's host; slipway tries again by itself",
			"nixpacks found no room on the host's disk")
	case errors.As(err, &exit) && len(errorLines(stderr)) > 0:
		f := deployment.UserFailure("plan.nixpacks_failed", "put right what nixpacks names, or add a Dockerfile and set the project's builder to dockerfile",
			"nixpacks cannot plan this repository: %s", strings.TrimPrefix(strings.Join(errorLines(stderr), ": "), "Error: "))
		f.Lines = tail(stderr, deployment.MaxFailureLines)
		return f
	}
	f := deployment.PlatformFailure("plan.nixpacks_crashed", "run the nixpacks CLI by hand on the worker's machine", "run nixpacks: %w", err)
	f.Lines = tail(stderr, deployment.MaxFailureLines)
	return f
}

// outOfSpace reports whether a line tells of a full disk: the host's trouble, not the repository's.
func outOfSpace(line string) bool {
	return strings.Contains(strings.ToLower(line), syscall.ENOSPC.Error())
}

// errorLines returns what nixpacks reports as an error and its causes, empty when it ended in another way.
func errorLines(stderr []string) []string {
	for i, line := range stderr {
		if !strings.HasPrefix(line, "Error:") {
			continue
		}
		lines := []string{line}
		for _, cause := range stderr[i+1:] {
			if cause = strings.TrimSpace(cause); cause != "" && cause != "Caused by:" {
				lines = append(lines, cause)
			}
		}
		return lines
	}
	return nil
}

func relativeLines(text, dir string) []string {
	if dir != "" {
		text = strings.ReplaceAll(text, dir+string(filepath.Separator), "")
		text = strings.ReplaceAll(text, dir, ".")
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, strings.ToValidUTF8(line, "\uFFFD"))
		}
	}
	return lines
}

func tail(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }
