package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/registry"
)

// chooseProfile returns the environment that slipway-dev runs in. Where public image registries cannot be reached, and the
// operator has said nothing about it, that is the air-gapped profile: base images made from Debian's packages. While one
// runs its profile stands, so that a network that comes and goes restarts nothing.
func chooseProfile(ctx context.Context, c config.Dev, environ []string, reaches func(context.Context) bool, out io.Writer) (
	chosen []string, airGapped bool, err error,
) {
	cache, err := config.CacheDir(environ)
	if err != nil {
		return nil, false, err
	}
	chosen = slices.Clone(environ)
	if own := filepath.Join(cache, "bin", "nixpacks"); c.Planner.Nixpacks == "nixpacks" && exists(own) {
		chosen = append(chosen, "SLIPWAY_NIXPACKS="+own)
	}
	if said(c, environ) {
		return chosen, false, nil
	}
	pid, err := runningPID(c.DataDir)
	if err != nil {
		return nil, false, err
	}
	have, _, err := readRecord(paths{c})
	if err != nil {
		return nil, false, err
	}
	switch decided := pid != 0 && pid == have.PID; {
	case decided && !have.AirGapped:
		return chosen, false, nil
	case decided:
		fmt.Fprintln(out, "==> air-gapped profile, as it was started; `make down` and `make up` choose anew")
	case reaches(ctx):
		return chosen, false, nil
	default:
		fmt.Fprintln(out, "==> public image registries cannot be reached: air-gapped profile, with base images made from Debian's packages")
	}
	profile, err := airGap(ctx, c, cache, out)
	return append(chosen, profile...), true, err
}

// said reports whether the operator has chosen where base images come from.
func said(c config.Dev, environ []string) bool {
	_, overrides := lookUp(environ, "SLIPWAY_PLAN_OVERRIDES")
	_, mirror := lookUp(environ, "SLIPWAY_DOCKER_MIRROR")
	return overrides || mirror || c.Planner.Overrides != "" || c.BuildKit.DockerMirror
}

// airGap makes the base images, where they are not there yet, and returns the settings that use them.
func airGap(ctx context.Context, c config.Dev, cache string, out io.Writer) ([]string, error) {
	build := exec.CommandContext(ctx, "deploy/images/build.sh")
	build.Stdout, build.Stderr = out, out
	build.Cancel = func() error { return build.Process.Signal(syscall.SIGTERM) } // it has mounts to take away
	build.WaitDelay = 10 * time.Second
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("make base images with deploy/images/build.sh: %w: run up from slipway's checkout, "+
			"or set SLIPWAY_PLAN_OVERRIDES to a profile of your own", err)
	}
	overrides, err := filepath.Abs("deploy/overrides/airgapped.yaml")
	if err != nil {
		return nil, err
	}
	settings := []string{"SLIPWAY_PLAN_OVERRIDES=" + overrides, "SLIPWAY_DOCKER_MIRROR=true"}
	if c.Registry.ImagesDir == "" {
		settings = append(settings, "SLIPWAY_IMAGES_DIR="+filepath.Join(cache, "images"))
	}
	return settings, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// reachesPublicImages asks once, with little patience: "no" is the answer at once where a network is closed.
func reachesPublicImages(ctx context.Context) bool {
	return registry.Answers(ctx, registry.Public) == nil
}
