package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/shlex"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// asWritten runs a command of docs/operators.md with the real tctl or temporal, as an operator would, and returns what it
// says. Of what stands for something in the page, pairs say what.
func asWritten(t *testing.T, command string, pairs ...string) string {
	t.Helper()
	require.Contains(t, operatorsPage(t), "`"+command+"`")
	words, err := shlex.Split(strings.NewReplacer(append(pairs, "…", "test")...).Replace(command))
	require.NoError(t, err)
	program, err := testbed.Tool(words[0], words[0])
	require.NoError(t, err)
	run := exec.CommandContext(t.Context(), program, words[1:]...)
	run.Env = append(os.Environ(), "TEMPORAL_CLI_ADDRESS="+dev.temporal, "TEMPORAL_ADDRESS="+dev.temporal, "HOME="+t.TempDir()) // no settings of its user
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s\n%s", strings.Join(words, " "), out)
	return string(out)
}

func operatorsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/operators.md")
	require.NoError(t, err)
	return string(page)
}

// Every tctl and temporal command of the page is run, by the tests of this file or those of the worker's versions.
func TestEveryCommandOfThePageIsRun(t *testing.T) {
	t.Parallel()
	var tests string
	for _, file := range []string{"operator_test.go", "../worker/versioning_test.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		tests += string(text)
	}
	commands := regexp.MustCompile("(?m)(?:`|^    )((?:tctl|temporal) [^`\n]+)").FindAllStringSubmatch(operatorsPage(t), -1)
	require.Greater(t, len(commands), 40)
	for _, command := range commands {
		require.Contains(t, tests, command[1])
	}
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
	}, ofADeploy, tick, "another run of %s", former.ID)
	require.Equal(t, status, string(d.Status), explain(d))
	require.Equal(t, former.WorkflowID, d.WorkflowID)
	return d
}

// buildingAfter waits until a deployment builds under another run than the one that it had.
func buildingAfter(t *testing.T, former client.Deployment) {
	t.Helper()
	require.Eventually(t, func() bool {
		d := show(t, former.ID)
		return d.RunID != nil && *d.RunID != *former.RunID && d.Status == client.DeploymentStatus("building")
	}, ofADeploy, tick, "another run of %s that builds", former.ID)
}

func TestCommandsCancelAndReset(t *testing.T) {
	t.Parallel()
	project := createProject(t, "commands-cancel", dev.repo("slow-build"), map[string]any{"build_command": "echo build has begun; sleep 600"})
	id := deploy(t, project, nil)
	waitForLine(t, id, "build has begun")
	asWritten(t, "tctl workflow cancel --workflow_id $W", "$W", "deploy/"+id)
	first := waitEnd(t, id, "canceled")
	require.Nil(t, first.Failure)
	require.Equal(t, []string{"lease", "solve", "workspace"}, undone(t, id))
	requireNothingLeft(t, id)

	asWritten(t, `temporal workflow reset --workflow-id $W --type FirstWorkflowTask --reason "…"`, "$W", first.WorkflowID)
	buildingAfter(t, first)
	asWritten(t, "temporal workflow cancel --workflow-id $W", "$W", first.WorkflowID)
	second := runAfter(t, first, "canceled")
	require.Nil(t, second.Failure)
	requireNothingLeft(t, id)

	patch(t, project, map[string]any{"build_command": "echo built"})
	asWritten(t, `tctl workflow reset --workflow_id $W --reset_type FirstWorkflowTask --reason "…"`, "$W", first.WorkflowID)
	d := runAfter(t, second, "ready")
	status, _ := dev.get(t, d.PreviewURL)
	require.Equal(t, http.StatusOK, status)
	for _, command := range []string{"tctl workflow describe --workflow_id $W", "temporal workflow describe --workflow-id $W"} {
		require.Contains(t, asWritten(t, command, "$W", d.WorkflowID), *d.RunID)
	}
	require.Equal(t, http.StatusConflict, retry(t, id), "it is live")
}

// scheduling returns the workflow task of a run that scheduled an activity, as the temporal command prints the history.
func scheduling(t *testing.T, d client.Deployment, activity string) (eventID string) {
	t.Helper()
	var history struct {
		Events []struct {
			EventID    string
			EventType  string
			Attributes struct {
				ActivityType                 struct{ Name string }
				WorkflowTaskCompletedEventID string
			} `json:"activityTaskScheduledEventAttributes"`
		}
	}
	printed := asWritten(t, "temporal workflow show --workflow-id $W --output json", "$W", d.WorkflowID)
	require.NoError(t, json.Unmarshal([]byte(printed), &history), printed)
	for _, e := range history.Events {
		if e.Attributes.ActivityType.Name == activity {
			eventID = e.Attributes.WorkflowTaskCompletedEventID
		}
	}
	require.NotEmpty(t, eventID, "%s is not in the history", activity)
	return eventID
}

func TestResetsAndRetryAreTheSame(t *testing.T) {
	t.Parallel()
	project := createProject(t, "commands-reset", dev.repo("static"), map[string]any{
		"health_check": map[string]any{"path": "/nowhere", "status": 200, "timeout_seconds": 1},
	})
	first := waitEnd(t, deploy(t, project, nil), "failed")
	last := first
	for _, command := range []string{
		`tctl workflow reset --workflow_id $W --reset_type LastWorkflowTask --reason "…"`,
		`temporal workflow reset --workflow-id $W --type LastWorkflowTask --reason "…"`,
		`tctl workflow reset --workflow_id $W --event_id <n> --reason "…"`,
		`temporal workflow reset --workflow-id $W --event-id <n> --reason "…"`,
	} {
		asWritten(t, command, "$W", first.WorkflowID, "<n>", scheduling(t, last, "ReleasePreview"))
		last = runAfter(t, last, "failed")
		requireNothingLeft(t, first.ID)
	}
	reset := openWebUI(t).reset(last)
	last = runAfter(t, last, "failed")
	require.Equal(t, reset, *last.RunID)
	requireNothingLeft(t, first.ID)

	patch(t, project, map[string]any{"health_check": map[string]any{"path": "/", "timeout_seconds": 60}})
	require.Equal(t, http.StatusAccepted, retry(t, first.ID))
	live := runAfter(t, last, "ready")
	require.Equal(t, *first.Commit, *live.Commit)
	require.Equal(t, *first.ImageDigest, *live.ImageDigest)
	rows := map[string]int{}
	for _, s := range stepsOf(t, first.ID) {
		rows[s.Name+" "+s.Phase+" "+s.Status]++
	}
	require.Equal(t, 4, rows["resolve  reused"], "commit and image, by every later run but those that began after it")
	require.Equal(t, 1, rows["fetch  succeeded"]+rows["fetch  reused"], "%v", rows)
	require.Equal(t, 1, rows["build push succeeded"], "%v", rows)
	require.Equal(t, 7, rows["release probe failed"]+rows["release probe succeeded"], "the attempts of every run are kept: %v", rows)
	require.Len(t, docker(t, "ps", "-aq", "--filter", "label=slipway.deployment="+first.ID), 1)
}

// awaitListed waits until Temporal lists a workflow, which it does a moment later than it tells of the workflow itself.
func awaitListed(t *testing.T, query string) {
	t.Helper()
	temporal := temporalClient(t)
	require.Eventually(t, func() bool {
		page, err := temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default", Query: query})
		require.NoError(t, err)
		return len(page.Executions) == 1
	}, eventually, tick, query)
}

// The commands that look, and those that act on the reconciler.
func TestCommandsLook(t *testing.T) {
	t.Parallel()
	project := createProject(t, "commands-look", dev.repo("static"), nil)
	d := waitEnd(t, deploy(t, project, map[string]any{"environment": "pr/4711"}), "ready")
	awaitListed(t, fmt.Sprintf("WorkflowId='%s' AND SlipwayStatus='ready' AND SlipwayCommit='%s' AND ExecutionStatus='Completed'", d.WorkflowID, *d.Commit))
	awaitListed(t, fmt.Sprintf("WorkflowId='preview/%s' AND SlipwayProject='%s' AND ExecutionStatus='Running'", d.Environment.ID, project))
	host := stepsOf(t, d.ID)[1].Host
	history := filepath.Join(t.TempDir(), "h.json")
	defer asWritten(t, `temporal schedule toggle --schedule-id reconcile --unpause --reason "…"`) // whatever fails: the other tests need it
	pairs := []string{
		"$W", d.WorkflowID, "shop", project, "production", "pr/4711", "failed", "ready", "building", "ready", "<40 digits>", *d.Commit,
		"<host>", host, "h.json", history, "<environment id>", d.Environment.ID,
	}
	for _, c := range []struct{ command, shows string }{
		{`tctl workflow list --query "SlipwayProject='shop'"`, d.ID},
		{`temporal workflow list --query "SlipwayProject='shop'"`, d.ID},
		{`tctl workflow list --query "SlipwayEnvironment='production'"`, d.ID},
		{`temporal workflow list --query "SlipwayEnvironment='production'"`, d.ID},
		{`tctl workflow list --query "SlipwayStatus='failed'"`, d.ID},
		{`temporal workflow list --query "SlipwayStatus='failed'"`, d.ID},
		{`tctl workflow list --query "SlipwayCommit='<40 digits>'"`, d.ID},
		{`temporal workflow list --query "SlipwayCommit='<40 digits>'"`, d.ID},
		{"tctl workflow list --open --workflow_type Deploy", "WORKFLOW ID"},
		{`temporal workflow list --query "WorkflowType='Deploy' AND ExecutionStatus='Running'"`, ""},
		{`tctl workflow count --query "SlipwayStatus='building'"`, `^[1-9]\d*\s*$`}, // other tests' are counted too
		{`temporal workflow count --query "SlipwayStatus='building'"`, `Total: [1-9]`},
		{"tctl workflow describe --workflow_id $W", *d.RunID},
		{"temporal workflow describe --workflow-id $W", *d.RunID},
		{"tctl workflow query --workflow_id $W --query_type __temporal_workflow_metadata", "to pr/4711: ready"},
		{"temporal workflow metadata --workflow-id $W", "to pr/4711: ready"},
		{"tctl workflow show --workflow_id $W", "WorkflowExecutionCompleted"},
		{"temporal workflow show --workflow-id $W", "WorkflowExecutionCompleted"},
		{"tctl workflow show --workflow_id $W --reset_points_only", "WorkflowTaskCompleted"},
		{"tctl workflow show --workflow_id $W --output_filename h.json", "WorkflowExecutionCompleted"},
		{"temporal workflow show --workflow-id $W --output json", "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"},
		{"tctl taskqueue describe --taskqueue build --taskqueuetype activity", "/build"},
		{"temporal task-queue describe --task-queue build", "/build"},
		{"tctl taskqueue describe --taskqueue build@<host> --taskqueuetype activity", "/build@" + host},
		{"temporal task-queue describe --task-queue build@<host>", "/build@" + host},
		{`tctl schedule toggle --schedule_id reconcile --pause --reason "…"`, ""},
		{"temporal schedule describe --schedule-id reconcile", `Paused\s+true`},
		{`temporal schedule toggle --schedule-id reconcile --unpause --reason "…"`, ""},
		{"temporal schedule describe --schedule-id reconcile", `Paused\s+false`},
		{`temporal schedule toggle --schedule-id reconcile --pause --reason "…"`, ""},
		{"tctl schedule describe --schedule_id reconcile", `reconcile +Reconcile +true`},
		{`tctl schedule toggle --schedule_id reconcile --unpause --reason "…"`, ""},
		{"tctl schedule trigger --schedule_id reconcile", ""},
		{"temporal schedule trigger --schedule-id reconcile", ""},
		{`temporal workflow list --query "WorkflowType='Lease' AND SlipwayProject='shop'"`, "preview/" + d.Environment.ID},
		{"temporal workflow signal --workflow-id preview/<environment id> --name changed", ""},
	} {
		require.Regexp(t, c.shows, asWritten(t, c.command, pairs...), c.command)
	}
	require.FileExists(t, history)
}

// A workflow that is terminated never sees it; the reconciler records the end, and a retry runs the deployment again.
func TestCommandsTerminateAndCancelByQuery(t *testing.T) {
	t.Parallel()
	project := createProject(t, "commands-terminate", dev.repo("slow-build"), map[string]any{"build_command": "echo build has begun; sleep 600"})
	id := deploy(t, project, nil)
	waitForLine(t, id, "build has begun")
	for _, command := range []string{"tctl workflow stack --workflow_id $W", "temporal workflow stack --workflow-id $W"} {
		require.Contains(t, asWritten(t, command, "$W", "deploy/"+id), "buildOn")
	}
	query := fmt.Sprintf("SlipwayProject='%s' AND ExecutionStatus='Running'", project)
	var last client.Deployment
	for _, act := range []struct{ command, status, code string }{
		{`tctl workflow terminate --workflow_id $W --reason "…"`, "failed", "deploy.workflow_lost"},
		{`temporal workflow terminate --workflow-id $W --reason "…"`, "failed", "deploy.workflow_lost"},
		{`tctl workflow cancel --query "…" --reason "…" --yes`, "canceled", ""},
		{`temporal workflow cancel --query "…" --reason "…" --yes`, "canceled", ""},
	} {
		if last.ID != "" {
			require.Equal(t, http.StatusAccepted, retry(t, id))
			buildingAfter(t, last)
		}
		if act.status == "canceled" {
			awaitListed(t, query)
		}
		asWritten(t, act.command, "$W", "deploy/"+id, `--query "…"`, `--query "`+query+`"`)
		d := waitEnd(t, id, act.status)
		if act.code != "" {
			require.Equal(t, act.code, d.Failure.Code)
		}
		require.True(t, last.ID == "" || *last.RunID != *d.RunID)
		last = d
	}
	requireNothingLeft(t, id)
}
