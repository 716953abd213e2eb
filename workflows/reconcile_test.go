package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/workflows"
)

// reconcile runs a pass in which the registry is away, one host lives and one is silent.
func reconcile(t *testing.T, in temporal.ReconcileInput) (*testsuite.TestWorkflowEnvironment, temporal.ReconcileResult) {
	t.Helper()
	env := newEnvironment()
	env.RegisterActivity(&activities.Reconciler{})
	env.RegisterActivity(&activities.Sweeper{})
	in.Limits = temporal.DefaultLimits()
	env.SetStartTime(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	seen := time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)
	env.OnActivity("Repair", mock.Anything, mock.Anything).Return(temporal.ReconcileResult{Closed: 1}, nil)
	env.OnActivity("CompareTags", mock.Anything, mock.Anything).
		Return(temporal.ReconcileResult{}, appError(deployment.AwayFailure(deployment.ComponentRegistry, "registry.unreachable", "start it", "connection refused"))).Once()
	env.OnActivity("Hosts", mock.Anything).Return([]deployment.Host{
		{ID: "silent", Roles: []string{"build", "preview"}, LastSeenAt: &seen}, {ID: "never"}, {ID: "lives", Roles: []string{"build"}, Alive: true},
	}, nil)
	env.OnActivity("CompareHost", mock.Anything, mock.Anything).
		Return(temporal.ReconcileResult{Swept: 1, Differences: []deployment.Difference{{Kind: "container", Thing: "c"}}}, nil).Once()
	env.ExecuteWorkflow(workflows.Reconcile, in)
	require.True(t, env.IsWorkflowCompleted())
	var result temporal.ReconcileResult
	if env.GetWorkflowError() == nil {
		require.NoError(t, env.GetWorkflowResult(&result))
	}
	return env, result
}

func TestReconcile_NamesWhatItCouldNotCompare(t *testing.T) {
	t.Parallel()
	env, result := reconcile(t, temporal.ReconcileInput{List: true})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []int{1, 1}, []int{result.Closed, result.Swept})
	var lines []string
	for _, d := range result.Differences {
		lines = append(lines, d.Kind+" "+d.Thing+": "+d.Found+d.Error)
	}
	require.Equal(t, []string{
		"registry : it was not comparedconnection refused", "host silent: it has not been seen for 3h0m0s",
		"host never: no worker of it was ever seen, and it holds something", "container c: ",
	}, lines)
	require.Contains(t, result.Differences[1].Fix, "slipway admin hosts forget silent")
}

// The schedule's pass leaves hosts to themselves, and fails for all to see when a part of it does.
func TestReconcile_OfTheScheduleFailsWithItsParts(t *testing.T) {
	t.Parallel()
	env, _ := reconcile(t, temporal.ReconcileInput{})
	require.ErrorContains(t, env.GetWorkflowError(), "compare registry: ")
	env.AssertActivityNotCalled(t, "CompareHost", mock.Anything, mock.Anything)
	env.AssertActivityNumberOfCalls(t, "Repair", 1)
}
