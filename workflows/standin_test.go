package workflows_test

import (
	"context"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// standIns answer under the names of production's activities, as on a good day unless a scenario says otherwise.
type standIns struct {
	claims  []string                               // hosts that claim, one after the other; h1 afterwards
	places  []string                               // preview hosts that are chosen, likewise; p1 afterwards
	on      map[string]func(context.Context) error // what an activity does first, by its name
	close   func(temporal.CloseInput) temporal.CloseResult
	built   func() temporal.BuildResult // what resolve finds built already; nil for nothing
	cached  string                      // the builder that has steps to be kept
	newBase bool                        // the plan's base image runs nowhere
	looks   []temporal.LeaseLook        // what is found of a lease, one after the other; afterwards that nothing is to be waited for
	starts  []temporal.LeaseResult      // of previews, one after the other; afterwards they come up
}

func (s *standIns) does(ctx context.Context) error {
	if do := s.on[activity.GetInfo(ctx).ActivityType.Name]; do != nil {
		return do(ctx)
	}
	return nil
}

func (s *standIns) ResolveRef(ctx context.Context, _ temporal.StepInput) (temporal.ResolveResult, error) {
	result := temporal.ResolveResult{Commit: commit, Branch: "main"}
	if s.built != nil {
		result.Built = s.built()
	}
	return result, s.does(ctx)
}

func (s *standIns) ClaimHost(ctx context.Context, _ temporal.StepInput) (temporal.ClaimResult, error) {
	host := next(&s.claims, "h1")
	return temporal.ClaimResult{HostID: host, Queue: temporal.QueueBuildHost(host)}, s.does(ctx)
}

// next takes the first of a list, or what comes after it.
func next[T any](list *[]T, afterwards T) T {
	if len(*list) == 0 {
		return afterwards
	}
	first := (*list)[0]
	*list = (*list)[1:]
	return first
}

func (s *standIns) FetchSource(ctx context.Context, _ temporal.CommitInput) error { return s.does(ctx) }

func (s *standIns) MakePlan(ctx context.Context, _ temporal.CommitInput) (temporal.PlanResult, error) {
	return temporal.PlanResult{PlanDigest: "sha256:p", Builder: "nixpacks", NewBase: s.newBase}, s.does(ctx)
}

func (s *standIns) PushBase(ctx context.Context, _ temporal.CommitInput) (temporal.BuildResult, error) {
	return temporal.BuildResult{Image: "app", Digest: "sha256:b"}, s.does(ctx)
}

func (s *standIns) FindPreviewHost(context.Context, temporal.StepInput) (temporal.PlaceResult, error) {
	return temporal.PlaceResult{HostID: "p1", Queue: temporal.QueuePreviewHost("p1")}, nil
}

func (s *standIns) PullBase(ctx context.Context, _ temporal.ReleaseInput) error { return s.does(ctx) }

func (s *standIns) BuildImage(ctx context.Context, _ temporal.BuildInput) (temporal.BuildResult, error) {
	return temporal.BuildResult{Image: "app", Digest: "sha256:i", CachedOn: s.cached}, s.does(ctx)
}

func (s *standIns) ExportCache(ctx context.Context, _ temporal.ExportInput) (temporal.ExportResult, error) {
	return temporal.ExportResult{Tag: "registry/app:cache"}, s.does(ctx)
}

func (s *standIns) VacateHost(context.Context, temporal.CleanUpInput) error { return nil }

func (s *standIns) PlacePreview(context.Context, temporal.StepInput) (temporal.PlaceResult, error) {
	host := next(&s.places, "p1")
	return temporal.PlaceResult{HostID: host, Queue: temporal.QueuePreviewHost(host)}, nil
}

func (s *standIns) ReleasePreview(ctx context.Context, _ temporal.ReleaseInput) (temporal.ReleaseResult, error) {
	return temporal.ReleaseResult{PreviewURL: "http://x", Replaced: replaced()}, s.does(ctx)
}

func (s *standIns) RemovePreview(context.Context, temporal.CleanUpInput) error { return nil }

func (s *standIns) DrainPreview(context.Context, temporal.StepInput) error { return nil }

func (s *standIns) CloseDeployment(ctx context.Context, in temporal.CloseInput) (temporal.CloseResult, error) {
	if s.close != nil {
		return s.close(in), nil
	}
	return temporal.CloseResult{Outcome: in.Outcome, RunID: activity.GetInfo(ctx).WorkflowExecution.RunID}, nil
}

func (s *standIns) LookAtLease(context.Context, temporal.LookInput) (temporal.LeaseLook, error) {
	return next(&s.looks, temporal.LeaseLook{Project: "app", Environment: "branch/a", Limits: quickLimits()}), nil
}

func (s *standIns) SleepPreview(ctx context.Context, _ temporal.StepInput) (temporal.LeaseResult, error) {
	return temporal.LeaseResult{Done: true}, s.does(ctx)
}

func (s *standIns) StartPreview(ctx context.Context, _ temporal.StepInput) (temporal.LeaseResult, error) {
	return next(&s.starts, temporal.LeaseResult{Done: true}), s.does(ctx)
}

func (s *standIns) StopPreview(ctx context.Context, _ temporal.StepInput) (temporal.LeaseResult, error) {
	return temporal.LeaseResult{Done: true}, s.does(ctx)
}

func (s *standIns) EndPreview(context.Context, temporal.StepInput) (temporal.LeaseResult, error) {
	return temporal.LeaseResult{Done: true}, nil
}

func (s *standIns) Repair(context.Context, temporal.ReconcileInput) (temporal.ReconcileResult, error) {
	return temporal.ReconcileResult{Started: 1}, nil
}

func (s *standIns) CompareTags(ctx context.Context, _ temporal.ReconcileInput) (temporal.ReconcileResult, error) {
	return temporal.ReconcileResult{Tags: 1}, s.does(ctx)
}

func (s *standIns) Hosts(context.Context) ([]deployment.Host, error) {
	return []deployment.Host{
		{ID: "gone", Roles: []string{"build"}},
		{ID: "h1", Roles: []string{"build"}, Alive: true},
		{ID: "p1", Roles: []string{"build", "preview"}, Alive: true},
	}, nil
}

func (s *standIns) CompareHost(context.Context, temporal.ReconcileInput) (temporal.ReconcileResult, error) {
	return temporal.ReconcileResult{Swept: 1, Differences: []deployment.Difference{{Kind: "container", Thing: "c"}}}, nil
}

func (s *standIns) EndDeployments(context.Context, temporal.TeardownInput) error { return nil }

func (s *standIns) ListTeardown(context.Context, temporal.TeardownInput) (temporal.TeardownPlan, error) {
	return temporal.TeardownPlan{
		Previews: []string{temporal.QueuePreviewHost("p1")}, Builds: []string{temporal.QueueBuildHost("h1")},
	}, nil
}

func (s *standIns) ClearPreviews(context.Context, temporal.TeardownInput) error { return nil }

func (s *standIns) ClearWorkspaces(context.Context, temporal.TeardownInput) error { return nil }

func (s *standIns) RemoveImages(context.Context, temporal.TeardownInput) error { return nil }

func (s *standIns) PurgeDeleted(context.Context, temporal.TeardownInput) error { return nil }

// anImage is one that an earlier deployment, or run, has built.
func anImage() temporal.BuildResult {
	return temporal.BuildResult{Image: "app", Digest: "sha256:i", Reused: true}
}

func replaced() []temporal.Replaced {
	return []temporal.Replaced{{DeploymentID: "old", Queue: temporal.QueuePreviewHost("p1")}}
}

// brokenOnce fails the first time for a reason of the user's.
func brokenOnce() func(context.Context) error {
	var again atomic.Bool
	return func(context.Context) error {
		if again.Swap(true) {
			return nil
		}
		return appError(deployment.UserFailure("build.command_failed", "read the last lines", "exit 3"))
	}
}

// refused says that it has begun, and gives no build slot.
func refused(begun chan<- struct{}) func(context.Context) error {
	var again atomic.Bool
	return func(context.Context) error {
		if !again.Swap(true) {
			close(begun)
		}
		return appError(deployment.TransientFailure("build.project_slots", "wait", "the project has 2 of at most 2 builds under way"))
	}
}

// untilCanceled says that it has begun, and ends with its cancellation; what is begun a second time just succeeds.
func untilCanceled(begun chan<- struct{}) func(context.Context) error {
	var again atomic.Bool
	return func(ctx context.Context) error {
		if again.Swap(true) {
			return nil
		}
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
