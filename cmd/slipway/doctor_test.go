package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/doctor"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, stdout, stderr := user(t, api).run("doctor", "api", "git")
	require.Zero(t, code, stderr)
	require.Regexp(t, `^CHECK  STATUS  FOUND\ngit    ok      git version .*\napi    ok      `+api.url+` is ready\napi    ok      the token is valid\napi    ok      clocks agree\n$`, stdout)

	code, stdout, stderr = user(t, api).run("doctor", "api", "-o", "json")
	require.Zero(t, code, stderr)
	var answer struct{ Findings []doctor.Finding }
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	require.Len(t, answer.Findings, 3)
	require.Equal(t, doctor.Finding{Check: "api", Status: doctor.OK, Detail: "the token is valid"}, answer.Findings[1])
}

func TestDoctorFails(t *testing.T) {
	t.Parallel()
	p := user(t, newFakeAPI(t))
	p.vars["SLIPWAY_TOKEN"] = "wrong"
	code, _, stderr := p.run("doctor", "api")
	require.Equal(t, exitError, code)
	require.True(t, strings.HasPrefix(stderr, "fix api: `slipway login`"), stderr)
	require.True(t, strings.HasSuffix(stderr, "error: 1 check has failed\n"), stderr)
	code, stdout, _ := p.run("doctor", "api", "-o", "json")
	require.Equal(t, exitError, code, "as JSON too")
	require.Contains(t, stdout, `"status": "failed"`)

	code, _, stderr = p.run("doctor", "apu")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `"apu" is no check; there are slipway-dev, ports`)
}

func TestDoctorOpensTheStoreOfTheMachine(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SLIPWAY_DATA_DIR", dir)
	t.Setenv("SLIPWAY_TLS", "internal")
	code, stdout, stderr := user(t, newFakeAPI(t)).run("doctor", "tls")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "skipped")
	require.Contains(t, stdout, dir, "where slipway-dev's own Postgres would be")
}
