package workflows_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/worker"
)

// TestReplay replays every recorded history with the code as it is now: a deploy that is under way while slipway is
// updated goes on. testdata/histories/README.md says what to do when it fails.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(histories, "*.json"))
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
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(quiet(), file))
		})
	}
	for name := range scenarios() {
		require.True(t, there[name], "no history of %s", name)
	}
}

// A replay that would let any change pass is worth nothing.
func TestReplay_NoticesAChange(t *testing.T) {
	t.Parallel()
	replayer := sdkworker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ temporal.DeployInput) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 1})
		return workflow.ExecuteActivity(ctx, slots.ClaimHost, temporal.StepInput{}).Get(ctx, nil)
	}, workflow.RegisterOptions{Name: temporal.WorkflowDeploy})
	require.ErrorContains(t, replayer.ReplayWorkflowHistoryFromJSONFile(quiet(), filepath.Join(histories, "success.json")), "nondeterminis")
}

func quiet() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }
