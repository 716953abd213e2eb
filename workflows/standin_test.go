package workflows_test

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// standIns answer under the names of production's activities, as on a good day unless a scenario says otherwise.
type standIns struct {
	claims  []string // hosts that claim, one after the other; h1 afterwards
	build   func(context.Context) error
	release func(context.Context) error
	close   func(temporal.CloseInput) temporal.CloseResult
}

func (s *standIns) ResolveRef(context.Context, temporal.StepInput) (temporal.ResolveResult, error) {
	return temporal.ResolveResult{Commit: commit, Branch: "main"}, nil
}

func (s *standIns) ClaimHost(context.Context, temporal.StepInput) (temporal.ClaimResult, error) {
	host := "h1"
	if len(s.claims) > 0 {
		host, s.claims = s.claims[0], s.claims[1:]
	}
	return temporal.ClaimResult{HostID: host, Queue: temporal.QueueBuildHost(host)}, nil
}

func (s *standIns) FetchSource(context.Context, temporal.CommitInput) error { return nil }

func (s *standIns) MakePlan(context.Context, temporal.CommitInput) (temporal.PlanResult, error) {
	return temporal.PlanResult{PlanDigest: "sha256:p", Builder: "nixpacks"}, nil
}

func (s *standIns) BuildImage(ctx context.Context, _ temporal.BuildInput) (temporal.BuildResult, error) {
	if s.build != nil {
		if err := s.build(ctx); err != nil {
			return temporal.BuildResult{}, err
		}
	}
	return temporal.BuildResult{Image: "app", Digest: "sha256:i"}, nil
}

func (s *standIns) VacateHost(context.Context, temporal.CleanUpInput) error { return nil }

func (s *standIns) PlacePreview(context.Context, temporal.StepInput) (temporal.PlaceResult, error) {
	return temporal.PlaceResult{HostID: "p1", Queue: temporal.QueuePreviewHost("p1")}, nil
}

func (s *standIns) ReleasePreview(ctx context.Context, _ temporal.ReleaseInput) (temporal.ReleaseResult, error) {
	if s.release != nil {
		if err := s.release(ctx); err != nil {
			return temporal.ReleaseResult{}, err
		}
	}
	return temporal.ReleaseResult{PreviewURL: "http://x", Replaced: replaced()}, nil
}

func (s *standIns) RemovePreview(context.Context, temporal.CleanUpInput) error { return nil }

func (s *standIns) DrainPreview(context.Context, temporal.StepInput) error { return nil }

func (s *standIns) CloseDeployment(ctx context.Context, in temporal.CloseInput) (temporal.CloseResult, error) {
	if s.close != nil {
		return s.close(in), nil
	}
	return temporal.CloseResult{Outcome: in.Outcome, RunID: activity.GetInfo(ctx).WorkflowExecution.RunID}, nil
}

func replaced() []temporal.Replaced {
	return []temporal.Replaced{{DeploymentID: "old", Queue: temporal.QueuePreviewHost("p1")}}
}

// untilCanceled says that it has begun, and ends with its cancellation.
func untilCanceled(begun chan<- struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		close(begun)
		beat := time.NewTicker(50 * time.Millisecond)
		defer beat.Stop()
		for {
			activity.RecordHeartbeat(ctx)
			select {
			case <-beat.C:
			case <-ctx.Done():
				return sdktemporal.NewCanceledError()
			}
		}
	}
}

// scenario is one way that a deploy can go; its history is recorded under its name.
type scenario struct {
	arrange func(s *standIns, begun chan<- struct{})
	cancels bool              // once begun is closed
	end     enumspb.EventType // of the workflow; completed unless it says otherwise
}

func scenarios() map[string]scenario {
	return map[string]scenario{
		"success": {},
		"user_failure_in_build": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.build = func(context.Context) error {
				return appError(deployment.UserFailure("build.command_failed", "read the last lines", "exit 3"))
			}
		}},
		"cancel_during_build": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
			s.build = untilCanceled(begun)
		}},
		"superseded": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.release = func(context.Context) error {
				return sdktemporal.NewNonRetryableApplicationError("a newer one is live", activities.ErrTypeSuperseded, nil)
			}
		}},
		"host_gone": {arrange: func(s *standIns, _ chan<- struct{}) { s.claims = []string{"gone"} }},
		"cancel_after_the_switch": {cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
			s.release = untilCanceled(begun) // the worker was cut off after it had switched
			s.close = func(temporal.CloseInput) temporal.CloseResult {
				return temporal.CloseResult{Outcome: deployment.StatusReady, Replaced: replaced()}
			}
		}},
	}
}
