package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// countLines counts the lines that a container of the release printed and that end in a text.
func countLines(t *testing.T, id, suffix string) (n int) {
	t.Helper()
	for _, l := range logs(t, id) {
		if l.Step == "release" && l.Stream != "slipway" && strings.HasSuffix(l.Text, suffix) {
			n++
		}
	}
	return n
}

func TestReleaseCommand(t *testing.T) {
	t.Parallel()
	project := createProject(t, "release-command", dev.repo("migrates"), nil)
	greet(t, project, "everybody")
	first := waitEnd(t, deploy(t, project, nil), "ready")
	require.Equal(t, 1, countLines(t, first.ID, "migrating for 9 letters in production"), explain(first))
	requireBody(t, first, "served to everybody")
	var plan client.Plan
	dev.call(t, http.MethodGet, "/v1/deployments/"+first.ID+"/plan", nil, &plan)
	require.Equal(t, "node migrate.js", *plan.ReleaseCommand)
	require.Equal(t, "Procfile", *plan.ReleaseFrom)
	require.Len(t, docker(t, "ps", "-aq", "--filter", "label=slipway.deployment="+first.ID), 1, "the command's container is gone")

	patch(t, project, map[string]any{"release_command": "echo trying for ${#GREETING} letters, $GREETING; echo no such table >&2; exit 9"})
	failed := waitEnd(t, deploy(t, project, nil), "failed")
	require.Equal(t, "release.command_failed", failed.Failure.Code, explain(failed))
	require.Equal(t, "user", string(failed.Failure.Class))
	require.Equal(t, "release", string(*failed.Failure.Step))
	require.Equal(t, 9, *failed.Failure.ExitCode)
	require.ElementsMatch(t, []string{"trying for 9 letters, ***", "no such table"}, failed.Failure.Lines)
	require.Equal(t, 1, countLines(t, failed.ID, "trying for 9 letters, ***"))
	requireNothingLeft(t, failed.ID)
	status, page := dev.get(t, first.EnvironmentURL)
	require.Equal(t, http.StatusOK, status, "what was live is live")
	require.Contains(t, page, "served to everybody")

	patch(t, project, map[string]any{"release_command": "echo begun; sleep 6011"})
	id := deploy(t, project, nil)
	waitForLine(t, id, "begun")
	require.Equal(t, "release_command", string(*show(t, id).Step.Phase))
	require.NotEmpty(t, runningWith(t, "sleep 6011"))
	require.Equal(t, http.StatusAccepted, dev.call(t, http.MethodPost, "/v1/deployments/"+id+"/cancel", nil, nil).status)
	begun := time.Now()
	waitEnd(t, id, "canceled")
	t.Logf("canceled after %.2fs", time.Since(begun).Seconds())
	require.Equal(t, []string{"container", "network"}, undone(t, id))
	require.Empty(t, runningWith(t, "sleep 6011"))
	requireNothingLeft(t, id)

	patch(t, project, map[string]any{"release_command": "echo at last"})
	last := waitEnd(t, deploy(t, project, nil), "ready")
	require.Equal(t, 1, countLines(t, last.ID, "at last"))
	back := reuse(t, first.Environment.ID, "rollback", map[string]any{})
	require.Equal(t, first.ID, *back.ReusedFrom)
	require.Zero(t, countLines(t, back.ID, "migrating for 9 letters in production"), "a rollback runs no release command")
	requireBody(t, back, "served to everybody")
}
