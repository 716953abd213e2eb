package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/workflows"
)

var reconciler *activities.Reconciler

// teardownTest is one Teardown workflow in the SDK's test environment.
type teardownTest struct {
	*testsuite.TestWorkflowEnvironment
	calls []string // "activity on queue"
}

func newTeardownTest(t *testing.T) *teardownTest {
	t.Helper()
	d := &teardownTest{TestWorkflowEnvironment: newEnvironment()}
	for _, set := range []any{&activities.Slots{}, &activities.Preview{}, &activities.Reconciler{}} {
		d.RegisterActivity(set)
	}
	d.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.Attempt == 1 {
			d.calls = append(d.calls, info.ActivityType.Name+" on "+info.TaskQueue)
		}
	})
	return d
}

var teardownInput = temporal.TeardownInput{ProjectID: "p", EnvironmentID: "e", Limits: temporal.DefaultLimits()}

// run answers as on a good day, with two hosts, where the test has not.
func (d *teardownTest) run() error {
	d.OnActivity(reconciler.EndDeployments, mock.Anything, teardownInput).Return(nil).Maybe()
	d.OnActivity(reconciler.ListTeardown, mock.Anything, teardownInput).Return(temporal.TeardownPlan{
		Previews: []string{"preview@h1", "preview@h2"}, Builds: []string{"build@h1"},
	}, nil).Maybe()
	d.OnActivity(preview.ClearPreviews, mock.Anything, teardownInput).Return(nil).Maybe()
	d.OnActivity(slots.ClearWorkspaces, mock.Anything, teardownInput).Return(nil).Maybe()
	d.OnActivity(reconciler.RemoveImages, mock.Anything, teardownInput).Return(nil).Maybe()
	d.OnActivity(reconciler.PurgeDeleted, mock.Anything, teardownInput).Return(nil).Maybe()
	d.ExecuteWorkflow(workflows.Teardown, teardownInput)
	return d.GetWorkflowError()
}

func TestTeardown_EndsThenClearsEachHostThenDeletesTheRows(t *testing.T) {
	t.Parallel()
	d := newTeardownTest(t)
	require.NoError(t, d.run())
	require.Equal(t, []string{"EndDeployments on control", "ListTeardown on control"}, d.calls[:2])
	hosts := slices.Sorted(slices.Values(d.calls[2:5]))
	require.Equal(t, []string{"ClearPreviews on preview@h1", "ClearPreviews on preview@h2", "ClearWorkspaces on build@h1"}, hosts)
	require.Equal(t, []string{"RemoveImages on control", "PurgeDeleted on control"}, d.calls[5:])
}

// Whatever is under way is over before anything is removed: a deploy could make it anew.
func TestTeardown_WaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	d := newTeardownTest(t)
	d.OnActivity(reconciler.EndDeployments, mock.Anything, mock.Anything).
		Return(appError(deployment.TransientFailure("postgres", "", "connection refused"))).Times(7)
	d.OnActivity(reconciler.EndDeployments, mock.Anything, mock.Anything).After(time.Minute).Return(nil).Once()
	require.NoError(t, d.run())
	d.AssertNumberOfCalls(t, "EndDeployments", 8)

	d = newTeardownTest(t)
	d.OnActivity(reconciler.EndDeployments, mock.Anything, mock.Anything).
		Return(sdktemporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil))
	require.ErrorContains(t, d.run(), "end what is under way")
	require.Equal(t, []string{"EndDeployments on control"}, d.calls, "nothing else is touched")
}

func TestTeardown_AHostThatIsGoneKeepsTheRowsAndNothingElse(t *testing.T) {
	t.Parallel()
	d := newTeardownTest(t)
	d.OnActivity(preview.ClearPreviews, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.TeardownInput) error {
		if activity.GetInfo(ctx).TaskQueue == "preview@h1" {
			return sdktemporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)
		}
		return nil
	})
	require.ErrorContains(t, d.run(), "clear preview@h1")
	require.Contains(t, d.calls, "ClearPreviews on preview@h2")
	require.Contains(t, d.calls, "ClearWorkspaces on build@h1")
	require.Contains(t, d.calls, "RemoveImages on control")
	require.NotContains(t, d.calls, "PurgeDeleted on control")
}

func TestTeardown_ARegistryThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	d := newTeardownTest(t)
	d.OnActivity(reconciler.RemoveImages, mock.Anything, mock.Anything).
		Return(appError(deployment.TransientFailure("teardown.registry", "", "connection refused"))).Times(9)
	require.NoError(t, d.run())
	d.AssertNumberOfCalls(t, "RemoveImages", 10)
	d.AssertNumberOfCalls(t, "PurgeDeleted", 1)
}
