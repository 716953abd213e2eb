package workflows_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/worker"
	"github.com/slipway-dev/slipway/workflows"
)

// TestReplay replays every recorded history with the code as it is now: a deploy that is under way while slipway is
// updated goes on. testdata/histories/README.md says what to do when it fails.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := recorded(histories)
	require.NoError(t, err)
	there := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		scenario, _, _ := strings.Cut(name, "@") // success@v1.2.0 is that of a release
		there[scenario] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replayer := sdkworker.NewWorkflowReplayer()
			worker.RegisterWorkflows(replayer)
			require.NoError(t, replay(t, replayer, file))
		})
	}
	for name := range scenarios() {
		require.True(t, there[name], "no history of %s", name)
	}
}

// recorded lists the histories in a folder. A folder without any is an error: a replay of nothing would prove nothing.
func recorded(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err == nil && len(files) == 0 {
		err = errors.New("no histories in " + folder + ": record them with `make histories`")
	}
	return files, err
}

func TestReplay_OfNothingFails(t *testing.T) {
	t.Parallel()
	_, err := recorded(t.TempDir())
	require.ErrorContains(t, err, "make histories")
}

// nonDeterminism is the code of a replay that takes another way than the history.
const nonDeterminism = "TMPRL1100"

// replay replays a recorded history as the run that it is of: the end of a deploy asks which run that is.
func replay(t *testing.T, replayer sdkworker.WorkflowReplayer, file string) error {
	t.Helper()
	data, err := os.Open(file)
	require.NoError(t, err)
	defer data.Close()
	history, err := sdkclient.HistoryFromJSON(data, sdkclient.HistoryJSONOptions{})
	require.NoError(t, err)
	run := workflow.Execution{ID: temporal.DeployWorkflowID(deploymentID), RunID: runIDOf(history)}
	return replayer.ReplayWorkflowHistoryWithOptions(quiet(), history, sdkworker.ReplayWorkflowHistoryOptions{OriginalExecution: run})
}

// A replay that would let any change pass is worth nothing: each of these is a change that somebody might make.
func TestReplay_NoticesAChange(t *testing.T) {
	t.Parallel()
	for name, deploy := range map[string]func(workflow.Context, temporal.DeployInput) (*temporal.DeployResult, error){
		"another activity first": func(ctx workflow.Context, in temporal.DeployInput) (*temporal.DeployResult, error) {
			claiming := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
			_ = workflow.ExecuteActivity(claiming, slots.ClaimHost, temporal.StepInput{}).Get(ctx, nil)
			return workflows.Deploy(ctx, in)
		},
		"a timer more": func(ctx workflow.Context, in temporal.DeployInput) (*temporal.DeployResult, error) {
			_ = workflow.Sleep(ctx, time.Second)
			return workflows.Deploy(ctx, in)
		},
		"an end more": func(ctx workflow.Context, in temporal.DeployInput) (*temporal.DeployResult, error) {
			result, err := workflows.Deploy(ctx, in)
			closing := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
			_ = workflow.ExecuteActivity(closing, control.CloseDeployment, temporal.CloseInput{}).Get(ctx, nil)
			return result, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replayer := sdkworker.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(deploy, workflow.RegisterOptions{Name: temporal.WorkflowDeploy})
			require.ErrorContains(t, replay(t, replayer, filepath.Join(histories, "success.json")), nonDeterminism)
		})
	}
}

// The run that a history is of matters: replayed as another, the recorded end of a failure is one that a reset replayed.
func TestReplay_AsAnotherRunIsAChange(t *testing.T) {
	t.Parallel()
	replayer := sdkworker.NewWorkflowReplayer()
	worker.RegisterWorkflows(replayer)
	require.ErrorContains(t, replayer.ReplayWorkflowHistoryFromJSONFile(quiet(), filepath.Join(histories, "reset_of_the_last_task.json")), nonDeterminism)
}

func quiet() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }
