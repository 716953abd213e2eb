package workflows_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/workflows"
)

const (
	deploymentID = "0198c5a0-0000-7000-8000-000000000001"
	commit       = "0123456789abcdef0123456789abcdef01234567"
	runID        = "default-test-run-id" // of every workflow in the SDK's test environment
)

var (
	source  *activities.Source
	slots   *activities.Slots
	planner *activities.Plan
	builder *activities.Build
	preview *activities.Preview
	control *activities.Control
)

// deployTest is one Deploy workflow in the SDK's test environment, every activity answering as on a good day unless a
// test says otherwise before it.
type deployTest struct {
	*testsuite.TestWorkflowEnvironment
	calls  []string
	closed *temporal.CloseInput
}

// newEnvironment is the SDK's test environment. It panics when nothing happens for a while, which is three seconds otherwise: on a busy
// machine a goroutine may not run for so long.
func newEnvironment() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	return suite.NewTestWorkflowEnvironment().SetTestTimeout(time.Minute)
}

func newDeployTest(t *testing.T) *deployTest {
	t.Helper()
	d := &deployTest{TestWorkflowEnvironment: newEnvironment()}
	for _, set := range []any{&activities.Source{}, &activities.Slots{}, &activities.Plan{}, &activities.Build{}, &activities.Preview{}, &activities.Control{}} {
		d.RegisterActivity(set)
	}
	d.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.Attempt == 1 {
			d.calls = append(d.calls, info.ActivityType.Name)
		}
	})
	return d
}

// goodDay answers for every activity that the test has not answered for.
func (d *deployTest) goodDay() {
	d.OnActivity(source.ResolveRef, mock.Anything, mock.Anything).Return(temporal.ResolveResult{Commit: commit, Branch: "main"}, nil).Maybe()
	d.OnActivity(slots.ClaimHost, mock.Anything, mock.Anything).Return(temporal.ClaimResult{HostID: "h1", Queue: "build@h1"}, nil).Maybe()
	d.OnActivity(source.FetchSource, mock.Anything, mock.Anything).Return(nil).Maybe()
	d.OnActivity(planner.MakePlan, mock.Anything, mock.Anything).Return(temporal.PlanResult{PlanDigest: "sha256:p", Builder: "nixpacks"}, nil).Maybe()
	d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).Return(temporal.BuildResult{Image: "app", Digest: "sha256:i"}, nil).Maybe()
	d.OnActivity(slots.VacateHost, mock.Anything, mock.Anything).Return(nil).Maybe()
	d.OnActivity(control.PlacePreview, mock.Anything, mock.Anything).Return(temporal.PlaceResult{HostID: "p1", Queue: "preview@p1"}, nil).Maybe()
	d.OnActivity(preview.ReleasePreview, mock.Anything, mock.Anything).Return(temporal.ReleaseResult{PreviewURL: "http://x"}, nil).Maybe()
	d.OnActivity(preview.RemovePreview, mock.Anything, mock.Anything).Return(nil).Maybe()
	d.OnActivity(preview.DrainPreview, mock.Anything, mock.Anything).Return(nil).Maybe()
	d.OnActivity(control.CloseDeployment, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in temporal.CloseInput) (temporal.CloseResult, error) {
			d.closed = &in
			return temporal.CloseResult{Outcome: in.Outcome, RunID: runID}, nil
		}).Maybe()
}

func (d *deployTest) run() error {
	d.goodDay()
	d.ExecuteWorkflow(workflows.Deploy, temporal.DeployInput{
		DeploymentID: deploymentID, Project: "app", Environment: "production", Limits: temporal.DefaultLimits(),
	})
	return d.GetWorkflowError()
}

func appError(f *deployment.Failure) error {
	return sdktemporal.NewApplicationErrorWithOptions(f.Message, f.Code, sdktemporal.ApplicationErrorOptions{
		Details: []any{*f}, NonRetryable: f.Class == deployment.ClassUser,
	})
}

func TestDeploy_Success(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	d.OnActivity(preview.ReleasePreview, mock.Anything, temporal.ReleaseInput{DeploymentID: deploymentID, Image: "app", Digest: "sha256:i"}).
		Return(temporal.ReleaseResult{PreviewURL: "http://x", Replaced: []temporal.Replaced{{DeploymentID: "old", Queue: "preview@p0"}}}, nil).Once()
	require.NoError(t, d.run())
	var result temporal.DeployResult
	require.NoError(t, d.GetWorkflowResult(&result))
	require.Equal(t, temporal.DeployResult{PreviewURL: "http://x", Commit: commit, ImageDigest: "sha256:i"}, result)
	require.Equal(t, []string{
		"ResolveRef", "ClaimHost", "FetchSource", "MakePlan", "BuildImage", "VacateHost", "PlacePreview", "ReleasePreview", "DrainPreview",
	}, d.calls)
	require.Nil(t, d.closed, "a deployment that is ready is not closed a second time")
}

// The base image is pulled beside the build, and who fails to do that fails no deploy.
func TestDeploy_ABaseImageIsPulledBesideTheBuild(t *testing.T) {
	t.Parallel()
	broken := appError(deployment.UserFailure("release.pull_failed", "", "no"))
	for name, test := range map[string]struct {
		pushed, pulled error
		asked          []string
	}{
		"pulled":     {nil, nil, []string{"PushBase", "FindPreviewHost", "PullBase"}},
		"not pushed": {broken, nil, []string{"PushBase"}},
		"not pulled": {nil, broken, []string{"PushBase", "FindPreviewHost", "PullBase"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployTest(t)
			d.OnActivity(planner.MakePlan, mock.Anything, mock.Anything).Return(temporal.PlanResult{PlanDigest: "sha256:p", Builder: "nixpacks", NewBase: true}, nil)
			asked := make(chan struct{}) // the last of them
			d.OnActivity(builder.PushBase, mock.Anything, temporal.CommitInput{DeploymentID: deploymentID, Commit: commit}).
				Return(func(context.Context, temporal.CommitInput) (temporal.BuildResult, error) {
					if test.pushed != nil {
						close(asked)
					}
					return temporal.BuildResult{Image: "app", Digest: "sha256:b"}, test.pushed
				})
			d.OnActivity(control.FindPreviewHost, mock.Anything, mock.Anything).Return(temporal.PlaceResult{HostID: "p1", Queue: "preview@p1"}, nil).Maybe()
			d.OnActivity(preview.PullBase, mock.Anything, temporal.ReleaseInput{DeploymentID: deploymentID, Image: "app", Digest: "sha256:b"}).
				Return(func(context.Context, temporal.ReleaseInput) error { close(asked); return test.pulled }).Maybe()
			d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).Return(func(context.Context, temporal.BuildInput) (temporal.BuildResult, error) {
				<-asked
				return temporal.BuildResult{Image: "app", Digest: "sha256:i"}, nil
			})
			require.NoError(t, d.run())
			for _, name := range []string{"PushBase", "FindPreviewHost", "PullBase"} {
				require.Equal(t, slices.Contains(test.asked, name), slices.Contains(d.calls, name), "%s: %v", name, d.calls)
			}
			require.Contains(t, d.calls, "ReleasePreview")
		})
	}
}

// What a host has pulled in vain is removed before the deployment has ended.
func TestDeploy_ABaseImageOfABuildThatFailsIsRemoved(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	d.OnActivity(planner.MakePlan, mock.Anything, mock.Anything).Return(temporal.PlanResult{PlanDigest: "sha256:p", Builder: "nixpacks", NewBase: true}, nil)
	d.OnActivity(builder.PushBase, mock.Anything, mock.Anything).Return(temporal.BuildResult{Image: "app", Digest: "sha256:b"}, nil)
	d.OnActivity(control.FindPreviewHost, mock.Anything, mock.Anything).Return(temporal.PlaceResult{HostID: "p1", Queue: "preview@p1"}, nil)
	pulled := make(chan struct{})
	d.OnActivity(preview.PullBase, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.ReleaseInput) error {
		close(pulled)
		<-ctx.Done()
		return ctx.Err()
	})
	d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).Return(func(context.Context, temporal.BuildInput) (temporal.BuildResult, error) {
		<-pulled
		return temporal.BuildResult{}, appError(deployment.UserFailure("build.command_failed", "", "exit 3"))
	})
	require.Error(t, d.run())
	require.Equal(t, []string{"VacateHost", "RemovePreview", "CloseDeployment"}, d.calls[len(d.calls)-3:])
}

// withSteps has BuildImage answer that its builder has steps to be kept, and collects what hosts are asked to clean up.
func (d *deployTest) withSteps() (vacated *[]temporal.CleanUpInput) {
	vacated = &[]temporal.CleanUpInput{}
	d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).
		Return(temporal.BuildResult{Image: "app", Digest: "sha256:i", CachedOn: "unix:///b"}, nil).Once()
	d.OnActivity(slots.VacateHost, mock.Anything, mock.Anything).Return(func(_ context.Context, in temporal.CleanUpInput) error {
		*vacated = append(*vacated, in)
		return nil
	})
	return vacated
}

// The slot is free while the preview is released, the workspace once the steps are kept, which nobody waits for.
func TestDeploy_StepsAreKeptOnceItIsReady(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"kept": nil, "not kept": appError(deployment.PlatformFailure("build.cache_not_kept", "", "no"))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployTest(t)
			vacated := d.withSteps()
			d.OnActivity(preview.ReleasePreview, mock.Anything, mock.Anything).
				Return(temporal.ReleaseResult{PreviewURL: "http://x", Replaced: []temporal.Replaced{{DeploymentID: "old", Queue: "preview@p0"}}}, nil).Once()
			d.OnActivity(builder.ExportCache, mock.Anything, temporal.ExportInput{DeploymentID: deploymentID, Commit: commit, Builder: "unix:///b"}).
				Return(temporal.ExportResult{}, err).Once()
			require.NoError(t, d.run())
			require.Equal(t, []string{
				"ResolveRef", "ClaimHost", "FetchSource", "MakePlan", "BuildImage", "VacateHost", "PlacePreview", "ReleasePreview",
			}, d.calls[:8])
			require.ElementsMatch(t, []string{"ExportCache", "DrainPreview"}, d.calls[8:10], "side by side")
			require.Equal(t, []string{"VacateHost"}, d.calls[10:])
			require.Equal(t, []temporal.CleanUpInput{{DeploymentID: deploymentID, KeepWorkspace: true}, {DeploymentID: deploymentID}}, *vacated)
			require.Nil(t, d.closed)
		})
	}
}

func TestDeploy_NothingIsKeptOfAReleaseThatFails(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	vacated := d.withSteps()
	d.OnActivity(preview.ReleasePreview, mock.Anything, mock.Anything).
		Return(temporal.ReleaseResult{}, appError(deployment.UserFailure("release.unhealthy", "", "exit 1"))).Once()
	require.Error(t, d.run())
	require.NotContains(t, d.calls, "ExportCache")
	require.Equal(t, []temporal.CleanUpInput{{DeploymentID: deploymentID, KeepWorkspace: true}, {DeploymentID: deploymentID}}, *vacated)
}

func TestDeploy_OfAnImageThatIsThere(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	built := temporal.BuildResult{Image: "app", Digest: "sha256:before", Reused: true}
	d.OnActivity(source.ResolveRef, mock.Anything, mock.Anything).
		Return(temporal.ResolveResult{Commit: commit, Reused: true, Built: built}, nil).Once()
	d.OnActivity(preview.ReleasePreview, mock.Anything, temporal.ReleaseInput{DeploymentID: deploymentID, Image: "app", Digest: "sha256:before"}).
		Return(temporal.ReleaseResult{PreviewURL: "http://x"}, nil).Once()
	require.NoError(t, d.run())
	require.Equal(t, []string{"ResolveRef", "PlacePreview", "ReleasePreview"}, d.calls)
}

func TestDeploy_UserFailureEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	code := 3
	failure := &deployment.Failure{
		Class: deployment.ClassUser, Code: "build.command_failed", Step: deployment.StepBuild, Message: "exit 3",
		ExitCode: &code, Lines: []string{"boom"},
	}
	d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).Return(temporal.BuildResult{}, appError(failure)).Once()
	err := d.run()
	require.True(t, activities.IsType(err, "build.command_failed"), "%v", err)
	require.Equal(t, deployment.StatusFailed, d.closed.Outcome)
	require.Equal(t, failure, d.closed.Failure)
	require.Contains(t, d.calls, "VacateHost")
	require.NotContains(t, d.calls, "ReleasePreview")
}

func TestDeploy_TransientFailureIsRetried(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	f := deployment.TransientFailure("source.unreachable", "", "connection refused")
	d.OnActivity(source.FetchSource, mock.Anything, mock.Anything).Return(appError(f)).Twice()
	require.NoError(t, d.run())
	d.AssertNumberOfCalls(t, "FetchSource", 3)
}

func TestDeploy_TransientFailureIsBounded(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	f := deployment.TransientFailure("source.unreachable", "", "connection refused")
	d.OnActivity(source.ResolveRef, mock.Anything, mock.Anything).Return(temporal.ResolveResult{}, appError(f))
	require.Error(t, d.run())
	d.AssertNumberOfCalls(t, "ResolveRef", int(temporal.DefaultLimits().Attempts))
	require.Equal(t, "source.unreachable", d.closed.Failure.Code)
	require.Equal(t, deployment.ClassTransient, d.closed.Failure.Class)
}

func TestDeploy_CancelAtEachStep(t *testing.T) {
	t.Parallel()
	for _, step := range []struct {
		activity string
		removes  bool // the preview host is asked to clean up
		vacates  bool // the build host is
	}{
		{"ResolveRef", false, false},
		{"ClaimHost", false, false},
		{"FetchSource", false, true},
		{"MakePlan", false, true},
		{"BuildImage", false, true},
		{"ReleasePreview", true, true},
	} {
		t.Run(step.activity, func(t *testing.T) {
			t.Parallel()
			d := newDeployTest(t)
			canceled := func(ctx context.Context) error {
				d.CancelWorkflow()
				<-ctx.Done()
				return ctx.Err()
			}
			switch step.activity {
			case "ResolveRef":
				d.OnActivity(source.ResolveRef, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.StepInput) (temporal.ResolveResult, error) {
					return temporal.ResolveResult{}, canceled(ctx)
				})
			case "ClaimHost":
				d.OnActivity(slots.ClaimHost, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.StepInput) (temporal.ClaimResult, error) {
					return temporal.ClaimResult{}, canceled(ctx)
				})
			case "FetchSource":
				d.OnActivity(source.FetchSource, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.CommitInput) error { return canceled(ctx) })
			case "MakePlan":
				d.OnActivity(planner.MakePlan, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.CommitInput) (temporal.PlanResult, error) {
					return temporal.PlanResult{}, canceled(ctx)
				})
			case "BuildImage":
				d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.BuildInput) (temporal.BuildResult, error) {
					return temporal.BuildResult{}, canceled(ctx)
				})
			case "ReleasePreview":
				d.OnActivity(preview.ReleasePreview, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.ReleaseInput) (temporal.ReleaseResult, error) {
					return temporal.ReleaseResult{}, canceled(ctx)
				})
			}
			err := d.run()
			require.True(t, sdktemporal.IsCanceledError(err), "%v", err)
			require.NotNil(t, d.closed, "calls: %v", d.calls)
			require.Equal(t, deployment.StatusCanceled, d.closed.Outcome)
			require.Nil(t, d.closed.Failure)
			require.Equal(t, step.removes, slices.Contains(d.calls, "RemovePreview"), "%v", d.calls)
			require.Equal(t, step.vacates, slices.Contains(d.calls, "VacateHost"), "%v", d.calls)
			require.Equal(t, "CloseDeployment", d.calls[len(d.calls)-1])
		})
	}
}

func TestDeploy_CancelAfterTheSwitchIsTooLate(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	d.OnActivity(preview.ReleasePreview, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ temporal.ReleaseInput) (temporal.ReleaseResult, error) {
		d.CancelWorkflow()
		<-ctx.Done()
		return temporal.ReleaseResult{}, ctx.Err() // the worker died right after the switch
	})
	d.OnActivity(control.CloseDeployment, mock.Anything, mock.Anything).Return(temporal.CloseResult{
		Outcome: deployment.StatusReady, Replaced: []temporal.Replaced{{DeploymentID: "old", Queue: "preview@p0"}},
	}, nil).Once()
	require.NoError(t, d.run())
	require.Equal(t, "DrainPreview", d.calls[len(d.calls)-1])
}

func TestDeploy_HostGoneMovesTheSegment(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]error{
		"schedule to start": sdktemporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil),
		"heartbeat":         sdktemporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, nil),
		"workspace":         sdktemporal.NewNonRetryableApplicationError("gone", activities.ErrTypeWorkspaceGone, nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployTest(t)
			d.OnActivity(slots.ClaimHost, mock.Anything, mock.Anything).Return(temporal.ClaimResult{HostID: "dead", Queue: "build@dead"}, nil).Once()
			d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).Return(temporal.BuildResult{}, gone).Times(times(gone))
			require.NoError(t, d.run())
			d.AssertNumberOfCalls(t, "ClaimHost", 2)
			require.Nil(t, d.closed)
		})
	}
}

// times is how often the server tries an activity that ends with err on one host.
func times(err error) int {
	var timeout *sdktemporal.TimeoutError
	if errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_HEARTBEAT {
		return int(temporal.DefaultLimits().Attempts)
	}
	return 1
}

func TestDeploy_Superseded(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	d.OnActivity(preview.ReleasePreview, mock.Anything, mock.Anything).
		Return(temporal.ReleaseResult{}, sdktemporal.NewNonRetryableApplicationError("newer", activities.ErrTypeSuperseded, nil))
	err := d.run()
	require.True(t, activities.IsType(err, activities.ErrTypeSuperseded), "%v", err)
	require.Equal(t, deployment.StatusSuperseded, d.closed.Outcome)
	require.Contains(t, d.calls, "RemovePreview")
}

func TestDeploy_StaleRunTouchesNothing(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	d.OnActivity(source.ResolveRef, mock.Anything, mock.Anything).
		Return(temporal.ResolveResult{}, sdktemporal.NewNonRetryableApplicationError("stale", activities.ErrTypeStaleRun, nil))
	require.True(t, activities.IsType(d.run(), activities.ErrTypeStaleRun))
	require.Equal(t, []string{"ResolveRef"}, d.calls)
}

func TestDeploy_DeadlineOfTheWholeDeploy(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).After(3*time.Hour).Return(temporal.BuildResult{}, nil)
	err := d.run()
	require.True(t, activities.IsType(err, "deploy.deadline_exceeded"), "%v", err)
	require.Equal(t, deployment.StatusFailed, d.closed.Outcome)
	require.Equal(t, deployment.StepBuild, d.closed.Failure.Step)
	require.Contains(t, d.calls, "VacateHost")
}

func TestDeploy_DetailsHoldTheReceiptOfACancel(t *testing.T) {
	t.Parallel()
	d := newDeployTest(t)
	undone := deployment.Receipt{{Kind: deployment.ResourceWorkspace, Name: "w"}, {Kind: deployment.ResourceLease, Host: "h1"}}
	d.OnActivity(builder.BuildImage, mock.Anything, mock.Anything).Return(temporal.BuildResult{}, sdktemporal.NewCanceledError()).Once()
	d.OnActivity(control.CloseDeployment, mock.Anything, mock.Anything).
		Return(temporal.CloseResult{Outcome: deployment.StatusCanceled, RunID: runID, Receipt: undone}, nil).Once()
	require.True(t, sdktemporal.IsCanceledError(d.run()))
	answer, err := d.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(t, answer.Get(&metadata))
	require.Contains(t, metadata.GetCurrentDetails(), "- Undone: `workspace w removed, build slot of h1 given back`\n")
}
