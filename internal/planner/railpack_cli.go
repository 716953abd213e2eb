package planner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// prepare runs `railpack prepare` on dir, with its results beside it. It is told the names of the build variables alone:
// each becomes a secret of the plan.
func (p *Planner) prepare(ctx context.Context, dir string, project deployment.Project, secretNames []string) (plan []byte, info railpackInfo, err error) {
	planFile, infoFile := filepath.Join(filepath.Dir(dir), "plan.json"), filepath.Join(filepath.Dir(dir), "info.json")
	args := []string{"prepare", dir, "--plan-out=" + planFile, "--info-out=" + infoFile, "--hide-pretty-plan", "--error-missing-start"}
	if project.BuildCommand != "" {
		args = append(args, "--build-cmd="+project.BuildCommand)
	}
	if project.StartCommand != "" {
		args = append(args, "--start-cmd="+project.StartCommand)
	}
	for _, name := range secretNames {
		args = append(args, "--env="+name+"=")
	}
	cli := p.nixpacks.program
	cli.path, cli.environment = p.railpack.Path, p.railpack.Environment
	_, stderr, runErr := cli.run(ctx, dir, args...)
	if err := readJSON(infoFile, &info); err != nil && runErr == nil {
		return nil, info, deployment.PlatformFailure("plan.railpack_unreadable", checkRailpack, "read what railpack says about its plan: %w", err)
	}
	if runErr != nil {
		return nil, info, explainRailpack(ctx, runErr, info, stderr, p.nixpacks.program)
	}
	var checked json.RawMessage
	if err := readJSON(planFile, &checked); err != nil {
		return nil, info, deployment.PlatformFailure("plan.railpack_unreadable", checkRailpack, "read the plan of railpack: %w", err)
	}
	return checked, info, nil
}

const checkRailpack = "run `railpack prepare` by hand on the worker's machine"

// readJSON reads a file that the CLI has written.
func readJSON(name string, into any) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxPlanBytes {
		return fmt.Errorf("%s: larger than %d MiB, or not a file", filepath.Base(name), maxPlanBytes>>20)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// railpackTryAgain is the exit code of trouble that may be gone the next time; others are the repository's.
const railpackTryAgain = 75

func explainRailpack(ctx context.Context, err error, info railpackInfo, stderr []string, cli program) error {
	var exit *exec.ExitError
	var told []string
	for _, line := range info.Logs {
		if line.Level == "error" {
			told = append(told, line.Message)
		}
	}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return deployment.PlatformFailure("plan.railpack_missing", "correct SLIPWAY_RAILPACK on the worker's machine, or install the CLI there", "run railpack: %w", err)
	case errors.Is(err, errTimeout):
		return deployment.TransientFailure("plan.timeout", "see that the worker reaches the internet: Railpack looks up versions there",
			"railpack gave no plan within %s", cli.timeout)
	case ctx.Err() != nil:
		return fmt.Errorf("railpack was stopped: %w", err)
	case slices.ContainsFunc(stderr, outOfSpace):
		return noRoom("railpack")
	case errors.As(err, &exit) && exit.ExitCode() == railpackTryAgain:
		return withLines(deployment.TransientFailure("plan.railpack_unavailable", "see that the worker reaches the internet: Railpack looks up versions there",
			"railpack could not look up what it needs: %s", strings.Join(told, ": ")), stderr)
	case errors.As(err, &exit) && exit.ExitCode() == 1 && len(told) > 0:
		return withLines(deployment.UserFailure("plan.railpack_failed", "put right what Railpack names, or set the project's builder to nixpacks or dockerfile",
			"Railpack cannot plan this repository: %s", strings.Join(told, ": ")), stderr)
	}
	return withLines(deployment.PlatformFailure("plan.railpack_crashed", checkRailpack, "run railpack: %w", err), stderr)
}

func withLines(f *deployment.Failure, lines []string) error {
	f.Lines = tail(lines, deployment.MaxFailureLines)
	return f
}
