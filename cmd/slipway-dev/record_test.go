package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
)

func TestFingerprintSeesWhatAStartDependsOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	c := config.Dev{}
	c.Planner.Overrides, c.Registry.ImagesDir = file("mine.yaml", "a"), filepath.Join(dir, "images")
	program, yaml := file("bin/slipway-dev", "1"), file("slipway.yaml", "log: {level: info}")
	environ := []string{"HOME=/root", "SLIPWAY_CONFIG=" + yaml, "SLIPWAY_LOG_LEVEL=info", "SLIPWAY_DATABASE_URL=postgres://u:hunter2@h/d"}
	take := func(more ...string) map[string]string {
		made, err := fingerprint(c, []string{program}, append(environ, more...))
		require.NoError(t, err)
		return made
	}
	before := take()
	require.Empty(t, changed(before, take()))
	require.NotContains(t, jsonOf(t, before), "hunter2")
	require.Empty(t, changed(before, take("SLIPWAY_TOKEN=x", "SLIPWAY_API_URL=y", "PATH=/z")), "nothing to slipway-dev")
	require.Equal(t, []string{"SLIPWAY_LOG_LEVEL"}, changed(before, take("SLIPWAY_LOG_LEVEL=debug")))
	require.Equal(t, []string{"SLIPWAY_BUILD_SLOTS"}, changed(before, take("SLIPWAY_BUILD_SLOTS=3")))
	require.Equal(t, []string{"SLIPWAY_BUILD_SLOTS"}, changed(take("SLIPWAY_BUILD_SLOTS=3"), before), "taken back")

	file("bin/slipway-dev", "2")
	file("slipway.yaml", "")
	file("mine.yaml", "b")
	file("images/base-0123.json", "{}")
	require.Equal(t, []string{"base images", "mine.yaml", "slipway-dev", "slipway.yaml"}, changed(before, take()))

	_, err := fingerprint(c, []string{filepath.Join(dir, "none")}, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestRecord(t *testing.T) {
	t.Parallel()
	p := paths{config.Dev{DataDir: t.TempDir()}}
	_, ok, err := readRecord(p)
	require.NoError(t, err)
	require.False(t, ok)

	want := record{PID: 7, AirGapped: true, Made: map[string]string{"SLIPWAY_LOG_LEVEL": digest([]byte("info"))}}
	require.NoError(t, want.write(p))
	got, ok, err := readRecord(p)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, want, got)

	require.NoError(t, os.Truncate(p.record(), 5))
	_, ok, err = readRecord(p)
	require.NoError(t, err)
	require.False(t, ok, "one that a crash has cut is none")
}

func TestLookUpTakesTheLast(t *testing.T) {
	t.Parallel()
	environ := []string{"A=1", "B=", "A=2"}
	value, ok := lookUp(environ, "A")
	require.Equal(t, "2", value)
	require.True(t, ok)
	_, ok = lookUp(environ, "B")
	require.True(t, ok, "empty, but there")
	_, ok = lookUp(environ, "C")
	require.False(t, ok)
}
