package e2e_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// tctl runs the real tctl against the system's Temporal server, as an operator would.
func tctl(t *testing.T, args ...string) string {
	t.Helper()
	folder, err := exec.Command("../deploy/dev/tool.sh", "tctl").Output()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), strings.TrimSpace(string(folder))+"/tctl", append([]string{"--address", dev.temporal}, args...)...)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "tctl %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

func patch(t *testing.T, project string, settings map[string]any) {
	t.Helper()
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodPatch, "/v1/projects/"+project, settings, nil).status)
}

func retry(t *testing.T, id string) int {
	t.Helper()
	return dev.call(t, http.MethodPost, "/v1/deployments/"+id+"/retry", nil, nil).status
}

// runAfter waits until a deployment has ended under another run than the one that it had.
func runAfter(t *testing.T, former client.Deployment, status string) client.Deployment {
	t.Helper()
	var d client.Deployment
	require.Eventually(t, func() bool {
		d = show(t, former.ID)
		return d.RunID != nil && *d.RunID != *former.RunID && ended(d)
	}, eventually, tick, "another run of %s", former.ID)
	require.Equal(t, status, string(d.Status), explain(d))
	require.Equal(t, former.WorkflowID, d.WorkflowID)
	return d
}

func TestTctlCancelsAndResets(t *testing.T) {
	t.Parallel()
	project := createProject(t, "tctl-cancel", dev.repo("slow-build"), map[string]any{"build_command": "echo build has begun; sleep 600"})
	id := deploy(t, project, nil)
	waitForLine(t, id, "build has begun")
	tctl(t, "workflow", "cancel", "--workflow_id", "deploy/"+id)
	canceled := waitEnd(t, id, "canceled")
	require.Nil(t, canceled.Failure)
	require.Equal(t, []string{"lease", "solve", "workspace"}, undone(t, id))
	requireNothingLeft(t, id)

	patch(t, project, map[string]any{"build_command": "echo built"})
	tctl(t, "workflow", "reset", "--workflow_id", "deploy/"+id, "--reset_type", "FirstWorkflowTask", "--reason", "the build is mended")
	d := runAfter(t, canceled, "ready")
	status, _ := dev.get(t, d.PreviewURL)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, tctl(t, "workflow", "describe", "--workflow_id", "deploy/"+id), *d.RunID)
	require.Equal(t, http.StatusConflict, retry(t, id), "it is live")
}

func TestResetsAndRetryAreTheSame(t *testing.T) {
	t.Parallel()
	project := createProject(t, "tctl-reset", dev.repo("static"), map[string]any{
		"health_check": map[string]any{"path": "/nowhere", "status": 200, "timeout_seconds": 1},
	})
	first := waitEnd(t, deploy(t, project, nil), "failed")
	tctl(t, "workflow", "reset", "--workflow_id", first.WorkflowID, "--reset_type", "LastWorkflowTask", "--reason", "once more")
	second := runAfter(t, first, "failed")
	requireNothingLeft(t, first.ID)
	reset := openWebUI(t).reset(second)
	third := runAfter(t, second, "failed")
	require.Equal(t, reset, *third.RunID)
	requireNothingLeft(t, first.ID)

	patch(t, project, map[string]any{"health_check": map[string]any{"path": "/", "timeout_seconds": 60}})
	require.Equal(t, http.StatusAccepted, retry(t, first.ID))
	fourth := runAfter(t, third, "ready")
	require.Equal(t, *first.Commit, *fourth.Commit)
	require.Equal(t, *first.ImageDigest, *fourth.ImageDigest)
	rows := map[string]int{}
	for _, s := range stepsOf(t, first.ID) {
		rows[s.Name+" "+s.Phase+" "+s.Status]++
	}
	require.Equal(t, 3, rows["resolve  reused"], "commit and image, by every later run")
	require.Equal(t, 1, rows["fetch  succeeded"]+rows["fetch  reused"], "%v", rows)
	require.Equal(t, 1, rows["build push succeeded"], "%v", rows)
	require.Equal(t, 4, rows["release probe failed"]+rows["release probe succeeded"], "the attempts of every run are kept: %v", rows)
	require.Len(t, docker(t, "ps", "-aq", "--filter", "label=slipway.deployment="+first.ID), 1)
}

// The commands of docs/operators.md that look, and those that act on the reconciler.
func TestTctlLooks(t *testing.T) {
	t.Parallel()
	project := createProject(t, "tctl-looks", dev.repo("static"), nil)
	d := waitEnd(t, deploy(t, project, nil), "ready")
	for _, c := range []struct{ command, shows string }{
		{"workflow list --query SlipwayProject='tctl-looks'", d.ID},
		{"workflow list --query SlipwayStatus='ready'", d.ID},
		{"workflow list --query SlipwayCommit='" + *d.Commit + "'", d.ID},
		{"workflow list --open --workflow_type Deploy", "WORKFLOW ID"},
		{"workflow count --query SlipwayProject='tctl-looks'", "1"},
		{"workflow describe --workflow_id " + d.WorkflowID, *d.RunID},
		{"workflow show --workflow_id " + d.WorkflowID, "WorkflowExecutionCompleted"},
		{"workflow show --reset_points_only --workflow_id " + d.WorkflowID, "WorkflowTaskCompleted"},
		{"workflow show --output_filename " + t.TempDir() + "/h.json --workflow_id " + d.WorkflowID, "WorkflowExecutionCompleted"},
		{"taskqueue describe --taskqueue build --taskqueuetype activity", "/build"},
		{"schedule toggle --schedule_id reconcile --pause --reason test", ""},
		{"schedule describe --schedule_id reconcile", "test"},
		{"schedule toggle --schedule_id reconcile --unpause --reason test", ""},
		{"schedule trigger --schedule_id reconcile", ""},
	} {
		require.Contains(t, tctl(t, strings.Fields(c.command)...), c.shows, c.command)
	}
}

// A workflow that is terminated never sees it; the reconciler records the end, and a retry runs the deployment again.
func TestTctlTerminatesAndCancelsByQuery(t *testing.T) {
	t.Parallel()
	project := createProject(t, "tctl-terminate", dev.repo("slow-build"), map[string]any{"build_command": "echo build has begun; sleep 600"})
	id := deploy(t, project, nil)
	waitForLine(t, id, "build has begun")
	require.Contains(t, tctl(t, "workflow", "stack", "--workflow_id", "deploy/"+id), "buildOn")
	tctl(t, "workflow", "terminate", "--workflow_id", "deploy/"+id, "--reason", "test")
	lost := waitEnd(t, id, "failed")
	require.Equal(t, "deploy.workflow_lost", lost.Failure.Code)

	require.Equal(t, http.StatusAccepted, retry(t, id))
	waitEnd(t, id, "building")
	tctl(t, "workflow", "cancel", "--query", "SlipwayProject='tctl-terminate' AND ExecutionStatus='Running'", "--reason", "test", "--yes")
	require.NotEqual(t, *lost.RunID, *waitEnd(t, id, "canceled").RunID)
	requireNothingLeft(t, id)
}
