package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/internal/planner"
)

func dockerEngine(ctx context.Context, m Machine) Finding {
	facts, err := docker.Look(ctx, m.Config.Docker.Host)
	switch {
	case err != nil:
		return failed("start it, let this user use its socket (group docker, or root), or name another with SLIPWAY_DOCKER_HOST", "%v", err)
	case !atLeast(facts.Version, 20, 10):
		return failed("update it", "%s is older than 20.10 (%s)", facts.Version, facts.Address)
	case len(facts.Unsupported) > 0:
		return warning("see cgroup", "%s at %s keeps no limit of %s", facts.Version, facts.Address, strings.Join(facts.Unsupported, ", "))
	}
	return ok("%s, API %s, at %s", facts.Version, facts.APIVersion, facts.Address)
}

// atLeast compares a version such as 20.10.24+dfsg1. One without numbers is somebody's own build, and taken for new.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	have, err := strconv.Atoi(parts[0])
	if err != nil {
		return true
	}
	haveMinor := 0
	if len(parts) > 1 {
		haveMinor, _ = strconv.Atoi(parts[1])
	}
	return have > major || have == major && haveMinor >= minor
}

func runc(ctx context.Context, m Machine) Finding {
	if len(m.Config.BuildKit.Addrs) > 0 {
		return skipped("builds go to %s", strings.Join(m.Config.BuildKit.Addrs, ", "))
	}
	version, err := versionOf(ctx, "runc")
	if err != nil {
		return failed("install the package runc (`make deps`)", "%v", err)
	}
	return ok("%s", version)
}

// versionOf returns the first line that a program says to --version.
func versionOf(ctx context.Context, program string) (string, error) {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", program, err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line, nil
}

func cniPlugins(_ context.Context, m Machine) Finding {
	if len(m.Config.BuildKit.Addrs) > 0 {
		return skipped("builds go to %s", strings.Join(m.Config.BuildKit.Addrs, ", "))
	}
	dir := m.Config.BuildKit.CNIDir
	var missing []string
	for _, plugin := range []string{"bridge", "firewall", "host-local", "loopback"} {
		if _, err := exec.LookPath(filepath.Join(dir, plugin)); err != nil {
			missing = append(missing, plugin)
		}
	}
	if len(missing) > 0 {
		return failed("install the package containernetworking-plugins (`make deps`), or set SLIPWAY_CNI_DIR", "%s has no %s", dir, strings.Join(missing, ", "))
	}
	return ok("bridge, firewall, host-local and loopback in %s", dir)
}

// builders looks at each builder.
func builders(ctx context.Context, m Machine) []Finding {
	if len(m.Config.BuildKit.Addrs) == 0 && runningDev(ctx, m) == 0 {
		binary := filepath.Join(cmp.Or(m.Config.BinDir, m.BinDir), "buildkitd")
		if _, err := exec.LookPath(binary); err != nil {
			return []Finding{failed("`make build`, set SLIPWAY_BIN_DIR to the folder that holds it, or name a running one with SLIPWAY_BUILDKIT_ADDR", "no program %s", binary)}
		}
		return []Finding{ok("slipway-dev will start %s", binary)}
	}
	addresses := m.Config.Builders()
	found := make([]Finding, len(addresses))
	var wait sync.WaitGroup
	for i, address := range addresses {
		wait.Go(func() { found[i] = builder(ctx, m.Config.BuildKit, address) })
	}
	wait.Wait()
	return found
}

func builder(ctx context.Context, c config.BuildKit, address string) Finding {
	version, err := buildkit.Version(ctx, buildkit.Options{Address: address, CA: c.CA, Cert: c.Cert, Key: c.Key})
	if err != nil {
		return failed("see that it runs (`make status`) and that this user may use its socket, or name another with SLIPWAY_BUILDKIT_ADDR", "%v", err)
	}
	return ok("%s at %s", version, address)
}

func nixpacks(ctx context.Context, m Machine) Finding {
	path := m.Config.Planner.Nixpacks
	if cache, err := config.CacheDir(m.Environ); err == nil && path == "nixpacks" { // as `make up` chooses
		if own := filepath.Join(cache, "bin", "nixpacks"); isFile(own) {
			path = own
		}
	}
	version, err := planner.NixpacksVersion(ctx, path)
	switch {
	case err != nil:
		return failed(planner.InstallNixpacks, "%v", err)
	case version != planner.TestedNixpacks:
		return warning(planner.InstallNixpacks, "version %s (%s); slipway is tested with %s", version, path, planner.TestedNixpacks)
	}
	return ok("version %s (%s)", version, path)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// gitProgram is for people: the worker fetches with a library.
func gitProgram(ctx context.Context, _ Machine) Finding {
	version, err := versionOf(ctx, "git")
	if err != nil {
		return warning("install the package git", "%v: in a checkout, commands will not find their project", err)
	}
	return ok("%s", version)
}
