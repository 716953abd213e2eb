package planner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// TestedNixpacks is the version of the CLI that slipway is tested with.
const TestedNixpacks = "1.41.0"

// InstallNixpacks is the fix for a CLI that is not there.
const InstallNixpacks = "install it with `cargo install nixpacks --version " + TestedNixpacks + " --locked`, or name its path in the worker's configuration"

// NixpacksVersion asks the CLI at path, or of that name on PATH, which version it is.
func NixpacksVersion(ctx context.Context, path string) (string, error) {
	return (&nixpacksCLI{program: program{path: path, timeout: DefaultTimeout}}).Version(ctx)
}

// nixpacksCLI runs the nixpacks executable. Its environment is empty: nixpacks pulls variables from there into plans.
type nixpacksCLI struct {
	program program

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

// run executes the CLI and returns its standard output, or whose failure it is that there is none.
func (n *nixpacksCLI) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	stdout, stderr, err := n.program.run(ctx, dir, args...)
	if err != nil {
		return nil, n.explain(ctx, err, stderr)
	}
	return stdout, nil
}

// explain tells whose failure it is that the CLI did not end well.
func (n *nixpacksCLI) explain(ctx context.Context, err error, stderr []string) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return deployment.PlatformFailure("plan.nixpacks_missing", InstallNixpacks, "run nixpacks: %w", err)
	case errors.Is(err, errTooLarge):
		return deployment.UserFailure("plan.too_large", "make the repository's nixpacks.toml and static assets smaller",
			"the plan is larger than %d MiB", maxPlanBytes>>20)
	case errors.Is(err, errTimeout):
		return deployment.TransientFailure("plan.timeout", "make the root directory smaller, or set root_dir to the app's own folder",
			"nixpacks gave no plan within %s", n.program.timeout)
	case ctx.Err() != nil:
		return fmt.Errorf("nixpacks was stopped: %w", err)
	case errors.As(err, &exit) && slices.ContainsFunc(stderr, outOfSpace):
		return noRoom("nixpacks")
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

func noRoom(tool string) error {
	return deployment.DiskFailure("host.disk_full", "free space on the disk of SLIPWAY_WORKSPACE_DIR on the step's host; slipway tries again by itself",
		"%s found no room on the host's disk", tool)
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
