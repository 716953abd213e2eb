package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/doctor"
)

// shell is somebody with the CLI, somewhere.
type shell struct {
	t     *testing.T
	cli   string
	token string
	dir   string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	return &shell{t: t, cli: abs(t, "../bin/slipway"), token: dev.token(t), dir: t.TempDir()}
}

// run runs one command with the settings of the running system.
func (s *shell) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), s.cli, args...) // cleaning up comes after the context's end
	cmd.Dir = s.dir
	cmd.Env = append(dev.env, "SLIPWAY_API_URL=http://"+dev.api, "SLIPWAY_TOKEN="+s.token, "XDG_CONFIG_HOME="+s.dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	require.NotNil(s.t, cmd.ProcessState, "%v", err)
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (s *shell) must(args ...string) string {
	s.t.Helper()
	code, stdout, stderr := s.run(args...)
	require.Zero(s.t, code, "slipway %s: %s", strings.Join(args, " "), stderr)
	return stdout
}

func TestCLI_Tokens(t *testing.T) {
	s := newShell(t)
	made := strings.TrimSpace(s.must("admin", "token", "create", "ci/e2e", "--expires", "1h"))
	t.Cleanup(func() { s.run("admin", "token", "revoke", "ci/e2e") })
	ci := *s
	ci.token = made
	ci.must("projects", "list")
	require.Regexp(t, `(?m)^ci/e2e +\S+ +\S+ ago +valid until .* yes$`, strings.Join(strings.Fields(lineOf(ci.must("admin", "token", "list"), "ci/e2e")), " "))

	code, _, stderr := s.run("admin", "token", "revoke", "admin", "--yes")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "the last one that does not expire")
	s.must("admin", "token", "revoke", "ci/e2e")
	code, _, stderr = ci.run("projects", "list")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "the token is not known")

	var log []byte
	require.Eventually(t, func() bool { // a request is logged when it was answered
		var err error
		log, err = os.ReadFile(dev.data + ".log")
		require.NoError(t, err)
		return bytes.Contains(log, []byte(`"token":"ci/e2e"`))
	}, eventually, tick)
	require.NotContains(t, string(log), made)
}

func lineOf(text, start string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, start) {
			return line
		}
	}
	return ""
}

// The public network is left out: tests do not ask it.
func TestCLI_DoctorOfARunningSystem(t *testing.T) {
	s := newShell(t)
	var checks []string
	for _, name := range doctor.Names() {
		if name != "network" {
			checks = append(checks, name)
		}
	}
	var stdout string
	require.EventuallyWithT(t, func(c *assert.CollectT) { // what is busy may answer later than the doctor waits
		code, out, stderr := s.run(append([]string{"doctor", "--output", "json"}, checks...)...)
		assert.Zero(c, code, "%s%s", out, stderr)
		stdout = out
	}, eventually, tick)
	var answer struct{ Findings []doctor.Finding }
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	seen := map[string]int{}
	for _, f := range answer.Findings {
		seen[f.Check]++
		require.Equal(t, f.Check == "tls", f.Status == doctor.Skipped, "%+v", f) // it is off
	}
	require.Len(t, seen, len(checks))
	require.Equal(t, []int{7, 2, 3}, []int{seen["ports"], seen["registry"], seen["api"]})
	require.NotContains(t, stdout, s.token)
}

// A clone of what slipway serves finds its project by the remote that git gave it.
func TestCLI_InACheckout(t *testing.T) {
	s := newShell(t)
	out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", dev.repo("in-a-checkout"), filepath.Join(s.dir, "work")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	s.dir = filepath.Join(s.dir, "work")
	s.must("projects", "create", "in-a-checkout")
	t.Cleanup(func() { s.must("projects", "delete", "in-a-checkout", "--yes") })
	require.Contains(t, s.must("projects", "show"), dev.repo("in-a-checkout"))
	code, stdout, stderr := s.run("ps")
	require.Zero(t, code, stderr)
	require.Empty(t, stdout)
	code, _, stderr = s.run("show")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "project in-a-checkout has no deployment yet")
}
