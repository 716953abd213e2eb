package e2e_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// The commands reach the host by its worker alone: the one of a system that runs answers, and agrees with the rows in the end.
func TestCLI_ReconcileAndHosts(t *testing.T) {
	s := newShell(t)
	var hosts struct{ Items []deployment.Host }
	require.Eventually(t, func() bool { // a worker that has begun just now makes itself known
		require.NoError(t, json.Unmarshal([]byte(s.must("admin", "hosts", "list", "--output", "json")), &hosts))
		return len(hosts.Items) == 1
	}, eventually, tick)
	host := hosts.Items[0]
	require.True(t, host.Alive)
	require.Regexp(t, `\n`+host.ID+` +build,preview +alive +\S+ ago +\d/\d`, s.must("admin", "hosts", "list"))

	require.EventuallyWithT(t, func(c *assert.CollectT) { // what the tests before left is still being swept
		code, stdout, stderr := s.run("admin", "reconcile", "--dry-run")
		assert.Zero(c, code, "%s%s", stdout, stderr)
		assert.Equal(c, "nothing differs\n", stdout)
	}, eventually, time.Second)
	var answer struct {
		DryRun bool `json:"dry_run"`
		Items  []deployment.Difference
	}
	require.NoError(t, json.Unmarshal([]byte(s.must("admin", "reconcile", "--output", "json")), &answer))
	require.False(t, answer.DryRun)
	require.NotNil(t, answer.Items)

	code, _, stderr := s.run("admin", "hosts", "forget", host.ID, "--yes")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "fix: stop its worker first")
	require.Contains(t, s.must("admin", "hosts", "forget", "nobody", "--yes"), "nothing names host nobody")
}
