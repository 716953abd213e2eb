package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

func TestLoginStoresWhatTheEnvironmentOverrides(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	home := t.TempDir()
	p := &person{t: t, vars: map[string]string{"XDG_CONFIG_HOME": home}, stdin: testToken + "\n"}

	code, stdout, stderr := p.run("login", "--url", api.url+"/", "--token-stdin")
	require.Zero(t, code, stderr)
	path := filepath.Join(home, "slipway", "config.yaml")
	require.Equal(t, "logged in to "+api.url+", stored in "+path+"\n", stdout)
	require.Empty(t, stderr)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	stored, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "url: "+api.url+"\ntoken: "+testToken+"\n", string(stored))

	code, _, stderr = p.run("ps")
	require.Zero(t, code, stderr)

	p.vars["SLIPWAY_TOKEN"] = "wrong"
	code, _, stderr = p.run("ps")
	require.Equal(t, exitError, code, "the environment's token wins")
	require.Equal(t, "error: no valid token\nfix: run `slipway login`, or set SLIPWAY_TOKEN\n", stderr)
	delete(p.vars, "SLIPWAY_TOKEN")

	p.vars["SLIPWAY_API_URL"] = newFakeAPI(t).url
	code, _, _ = p.run("ps")
	require.Equal(t, exitError, code, "a stored token is not sent to another API")
	delete(p.vars, "SLIPWAY_API_URL")

	code, _, stderr = p.run("logout")
	require.Zero(t, code)
	require.Equal(t, "removed "+path+"\n", stderr)
	require.NoFileExists(t, path)
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	home := t.TempDir()
	p := &person{t: t, vars: map[string]string{"XDG_CONFIG_HOME": home}}
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--url", api.url, "--token", "wrong"}, exitError, "error: no valid token\nfix: check the token"},
		{[]string{"--url", "ftp://x", "--token", "x"}, exitUsage, `error: "ftp://x" is not the URL of an API`},
		{[]string{"--url", api.url}, exitUsage, "error: no token given\nfix: use --token-stdin"},
		{[]string{"--token", "x", "--token-stdin"}, exitUsage, "exclude each other"},
	} {
		code, _, stderr := p.run(append([]string{"login"}, tc.args...)...)
		require.Equal(t, tc.code, code)
		require.Contains(t, stderr, tc.want)
	}
	require.NoDirExists(t, filepath.Join(home, "slipway"))
}

func TestBrokenSettingsAreNamed(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	path := filepath.Join(home, "slipway", "config.yaml")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("uri: http://x\n"), 0o600))
	p := &person{t: t, vars: map[string]string{"XDG_CONFIG_HOME": home}}
	code, _, stderr := p.run("ps")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: read settings "+path)
	require.Contains(t, stderr, "fix: run `slipway login` again")
}

func TestNothingAnswers(t *testing.T) {
	t.Parallel()
	free, err := testbed.FreePorts(1)
	require.NoError(t, err)
	url := "http://" + free[0]
	p := &person{t: t, vars: map[string]string{"SLIPWAY_API_URL": url}}
	code, _, stderr := p.run("ps")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: nothing answers at "+url+": connection refused\n"+
		"fix: start slipway there (`make up` on this machine), or name another API with `slipway login` or SLIPWAY_API_URL\n", stderr)
}
