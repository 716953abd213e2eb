package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/supervise"
)

// checkout makes the working directory one with a script that makes images, and returns an environment for it.
func checkout(t *testing.T, script string) []string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.MkdirAll("deploy/images", 0o700))
	require.NoError(t, os.MkdirAll("cache/bin", 0o700))
	require.NoError(t, os.WriteFile("cache/bin/nixpacks", nil, 0o700))
	require.NoError(t, os.WriteFile("deploy/images/build.sh", []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return []string{"SLIPWAY_CACHE=" + filepath.Join(dir, "cache"), "SLIPWAY_DATA_DIR=" + filepath.Join(dir, "data")}
}

func choose(t *testing.T, environ []string, reaches func(context.Context) bool) (c config.Dev, airGapped bool, out string, err error) {
	t.Helper()
	before, err := config.LoadDev(environ)
	require.NoError(t, err)
	var b bytes.Buffer
	chosen, airGapped, err := chooseProfile(t.Context(), before, environ, reaches, &b)
	if err != nil {
		return before, false, b.String(), err
	}
	c, err = config.LoadDev(chosen)
	require.NoError(t, err)
	return c, airGapped, b.String(), nil
}

func answer(yes bool) func(context.Context) bool { return func(context.Context) bool { return yes } }

func unasked(t *testing.T) func(context.Context) bool {
	t.Helper()
	return func(context.Context) bool { t.Error("the network was asked"); return false }
}

func TestProfileWherePublicImagesAreReached(t *testing.T) {
	c, airGapped, out, err := choose(t, checkout(t, "exit 1"), answer(true))
	require.NoError(t, err)
	require.False(t, airGapped)
	require.Empty(t, out)
	require.Empty(t, c.Planner.Overrides)
	require.False(t, c.BuildKit.DockerMirror)
	require.Equal(t, "nixpacks", filepath.Base(c.Planner.Nixpacks))
	require.FileExists(t, c.Planner.Nixpacks, "the one that make installed")
}

func TestProfileWhereTheyAreNot(t *testing.T) {
	c, airGapped, out, err := choose(t, checkout(t, "echo making images"), answer(false))
	require.NoError(t, err)
	require.True(t, airGapped)
	require.Contains(t, out, "cannot be reached: air-gapped profile")
	require.Contains(t, out, "making images")
	require.Equal(t, "airgapped.yaml", filepath.Base(c.Planner.Overrides))
	require.True(t, filepath.IsAbs(c.Planner.Overrides))
	require.True(t, c.BuildKit.DockerMirror)
	require.Equal(t, "images", filepath.Base(c.Registry.ImagesDir))
}

func TestProfileWithoutImagesIsAnError(t *testing.T) {
	_, _, _, err := choose(t, checkout(t, "exit 3"), answer(false)) //nolint:dogsled // all that there is
	require.ErrorContains(t, err, "deploy/images/build.sh: exit status 3: run up from slipway's checkout, or set SLIPWAY_PLAN_OVERRIDES")
}

func TestWhatTheOperatorSaysWins(t *testing.T) {
	for _, said := range []string{"SLIPWAY_PLAN_OVERRIDES=/mine.yaml", "SLIPWAY_PLAN_OVERRIDES=", "SLIPWAY_DOCKER_MIRROR=false"} {
		c, airGapped, out, err := choose(t, append(checkout(t, "exit 1"), said, "SLIPWAY_NIXPACKS=/mine"), unasked(t))
		require.NoError(t, err)
		require.False(t, airGapped)
		require.Empty(t, out)
		require.False(t, c.BuildKit.DockerMirror)
		require.Equal(t, "/mine", c.Planner.Nixpacks)
	}
	environ := checkout(t, "exit 1")
	require.NoError(t, os.WriteFile("slipway.yaml", []byte("planner: {overrides: /file.yaml, nixpacks: /file}"), 0o600))
	c, _, _, err := choose(t, environ, unasked(t))
	require.NoError(t, err)
	require.Equal(t, "/file.yaml", c.Planner.Overrides)
	require.Equal(t, "/file", c.Planner.Nixpacks)
}

func TestProfileStandsWhileOneRuns(t *testing.T) {
	for _, airGapped := range []bool{true, false} {
		environ := checkout(t, "exit 0")
		c, err := config.LoadDev(environ)
		require.NoError(t, err)
		lock, err := supervise.Lock(c.DataDir)
		require.NoError(t, err)
		require.NoError(t, record{PID: os.Getpid(), AirGapped: airGapped}.write(paths{c}))
		_, got, _, err := choose(t, environ, unasked(t))
		require.NoError(t, err)
		require.Equal(t, airGapped, got)

		require.NoError(t, lock.Unlock())
		_, got, _, err = choose(t, environ, answer(airGapped))
		require.NoError(t, err)
		require.Equal(t, !airGapped, got, "nothing runs: it is chosen anew")
	}
}
