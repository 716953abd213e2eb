package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Typed nil pointers: they name activities without running them, and a rename of a method is a compile error here.
var (
	source  *activities.Source
	slots   *activities.Slots
	planner *activities.Plan
	builder *activities.Build
	preview *activities.Preview
	control *activities.Control
)

// Deploy brings one commit live: resolve → (fetch → plan → build on one host) → release → ready. It fails with the
// deployment's failure, and ends canceled when it was canceled, in both cases after everything it made is gone.
//
// A rollback, a promotion and the retry of a release have their image already, and go from resolve to release.
//
// An end that only a reset has replayed is no end: the deploy runs again.
func Deploy(ctx workflow.Context, in temporal.DeployInput) (*temporal.DeployResult, error) {
	for {
		d := &deploy{in: in, limits: in.Limits}
		if result, err := d.toTheEnd(ctx); !errors.Is(err, errEndReplayed) {
			return result, err
		}
	}
}

// toTheEnd takes the steps and whatever follows them.
func (d *deploy) toTheEnd(ctx workflow.Context) (*temporal.DeployResult, error) {
	work, stop := d.withDeadline(ctx)
	defer stop()
	result, replaced, err := d.run(work)
	if err != nil {
		if replaced, err = d.end(ctx, err); err != nil {
			return nil, err
		}
	}
	d.forgetBase(ctx)
	exported := d.exportCache(ctx)
	d.drain(ctx, replaced)
	exported()
	return result, nil
}

// deploy is the state of one run.
type deploy struct {
	in      temporal.DeployInput
	limits  temporal.Limits
	step    deployment.StepName
	story   story
	begin   func()    // lets the deploy's own deadline run
	pause   func()    // while it stands in line
	late    bool      // that has passed
	engines []visited // preview hosts
	kept    *kept     // nil for nothing
	base    base
}

// kept is a workspace that is needed after the build: what was built of it goes to the registry's cache.
type kept struct {
	claim temporal.ClaimResult
	cache temporal.ExportInput
}

// run takes the steps.
func (d *deploy) run(ctx workflow.Context) (*temporal.DeployResult, []temporal.Replaced, error) {
	resolved, err := d.resolve(ctx)
	if err != nil {
		return nil, nil, err
	}
	built := resolved.Built
	if built.Digest != "" {
		d.begin()
	} else {
		if built, err = d.makeImage(ctx, resolved.Commit); err != nil {
			return nil, nil, err
		}
	}
	released, err := d.release(ctx, built)
	if err != nil {
		return nil, nil, err
	}
	d.story.preview = released.PreviewURL
	d.tell(ctx, d.step, deployment.StatusReady)
	result := &temporal.DeployResult{PreviewURL: released.PreviewURL, Commit: resolved.Commit, ImageDigest: built.Digest}
	return result, released.Replaced, nil
}

func (d *deploy) resolve(ctx workflow.Context) (result temporal.ResolveResult, err error) {
	d.enter(ctx, deployment.StepResolve)
	ctx = working(ctx, d.limits, temporal.QueueControl, d.limits.Resolve, "resolve the ref")
	err = workflow.ExecuteActivity(ctx, source.ResolveRef, temporal.StepInput{DeploymentID: d.in.DeploymentID}).Get(ctx, &result)
	if err == nil {
		d.story.commit = result.Commit
		err = workflow.UpsertTypedSearchAttributes(ctx, temporal.AttrCommit.ValueSet(result.Commit))
	}
	return result, err
}

// makeImage runs the segment fetch → plan → build on one host. A host that goes away takes the workspace with it, which
// can always be rebuilt: the segment starts again with a new claim.
func (d *deploy) makeImage(ctx workflow.Context, commit string) (built temporal.BuildResult, err error) {
	for range d.limits.Hosts {
		var claim temporal.ClaimResult
		d.waitFor(ctx, "a free build slot")
		claiming := inLine(ctx, d.limits, d.in.Project, "wait for a free build slot")
		err = workflow.ExecuteActivity(claiming, slots.ClaimHost, temporal.StepInput{DeploymentID: d.in.DeploymentID}).Get(ctx, &claim)
		if err != nil {
			return built, d.inLineTooLong(err)
		}
		d.begin()
		built, err = d.buildOn(ctx, claim, commit)
		if err == nil && built.CachedOn != "" {
			cache := temporal.ExportInput{DeploymentID: d.in.DeploymentID, Commit: commit, Builder: built.CachedOn}
			d.kept = &kept{claim, cache}
		}
		d.vacate(ctx, claim, silent(err))
		if !hostGone(err) || ctx.Err() != nil {
			return built, err
		}
		d.pause()
		workflow.GetLogger(ctx).Warn("build host is gone, moving", "host", claim.HostID, "error", err)
	}
	return built, fmt.Errorf("%d build hosts were lost one after another: %w", d.limits.Hosts, err)
}

func (d *deploy) buildOn(ctx workflow.Context, claim temporal.ClaimResult, commit string) (built temporal.BuildResult, err error) {
	at := temporal.CommitInput{DeploymentID: d.in.DeploymentID, Commit: commit}

	d.story.host = claim.HostID
	d.enter(ctx, deployment.StepFetch)
	fetching := working(ctx, d.limits, claim.Queue, d.limits.Fetch, "fetch "+commit)
	if err := workflow.ExecuteActivity(fetching, source.FetchSource, at).Get(ctx, nil); err != nil {
		return built, err
	}
	d.enter(ctx, deployment.StepPlan)
	var plan temporal.PlanResult
	planning := working(ctx, d.limits, claim.Queue, d.limits.Plan, "plan the build")
	if err := workflow.ExecuteActivity(planning, planner.MakePlan, at).Get(ctx, &plan); err != nil {
		return built, err
	}
	d.enter(ctx, deployment.StepBuild)
	// The project's time-out is kept inside the activity, where it is told from a dead worker; this one is the backstop,
	// with room for the look at what a dead attempt has finished.
	building := working(ctx, d.limits, claim.Queue, d.limits.Build+d.limits.CleanUp, "build with "+plan.Builder)
	in := temporal.BuildInput{DeploymentID: d.in.DeploymentID, Commit: commit, PlanDigest: plan.PlanDigest}
	image := workflow.ExecuteActivity(building, builder.BuildImage, in)
	if plan.NewBase {
		d.bringBase(ctx, claim, at)
	}
	err = image.Get(ctx, &built)
	d.leaveBase()
	return built, err
}

// vacate gives the build slot back and removes the workspace, unless it is kept, whatever happened to the segment. A host that does not
// answer keeps nothing that counts: its lease is given up before the release or at the end, its disk is swept when it
// starts again.
func (d *deploy) vacate(ctx workflow.Context, claim temporal.ClaimResult, silent bool) {
	in := temporal.CleanUpInput{DeploymentID: d.in.DeploymentID, Canceled: d.canceled(ctx), KeepWorkspace: d.kept != nil}
	clean, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	clean = farewell(clean, d.limits, visited{claim.Queue, silent}, in.Canceled, "remove the workspace")
	if err := workflow.ExecuteActivity(clean, slots.VacateHost, in).Get(clean, nil); err != nil {
		workflow.GetLogger(ctx).Warn("workspace is left to the host's next start", "host", claim.HostID, "error", err)
	}
}

// release runs the image as a preview on a host and switches the route to it.
func (d *deploy) release(ctx workflow.Context, built temporal.BuildResult) (released temporal.ReleaseResult, err error) {
	d.story.host = ""
	d.enter(ctx, deployment.StepRelease)
	in := temporal.ReleaseInput{DeploymentID: d.in.DeploymentID, Image: built.Image, Digest: built.Digest}
	for range d.limits.Hosts {
		var place temporal.PlaceResult
		d.waitFor(ctx, "a preview host")
		placing := patiently(ctx, d.limits, "choose a preview host")
		err = workflow.ExecuteActivity(placing, control.PlacePreview, temporal.StepInput{DeploymentID: d.in.DeploymentID}).Get(ctx, &place)
		if err != nil {
			return released, err
		}
		d.story.host = place.HostID
		d.waitFor(ctx, "")
		releasing := working(ctx, d.limits, place.Queue, d.limits.Release, "run the preview on "+place.HostID)
		err = workflow.ExecuteActivity(releasing, preview.ReleasePreview, in).Get(ctx, &released)
		d.visited(place.Queue, silent(err))
		if !hostGone(err) || ctx.Err() != nil {
			return released, err
		}
		workflow.GetLogger(ctx).Warn("preview host is gone, moving", "host", place.HostID, "error", err)
	}
	return released, fmt.Errorf("%d preview hosts were lost one after another: %w", d.limits.Hosts, err)
}

// drain stops the previews that lost their route. The deployment is ready already: nothing here can change that, and no
// cancel stops it half-way.
func (d *deploy) drain(ctx workflow.Context, replaced []temporal.Replaced) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	for _, r := range replaced {
		draining := untilGone(ctx, d.limits, r.Queue, d.limits.Drain, "stop the preview of "+r.DeploymentID)
		in := temporal.StepInput{DeploymentID: r.DeploymentID}
		if err := workflow.ExecuteActivity(draining, preview.DrainPreview, in).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("preview is left to the reconciler", "deployment", r.DeploymentID, "error", err)
		}
	}
}

// exportCache begins to keep what was built in the registry's cache, and returns what waits until that is over. The deployment is ready:
// nobody waits for it, nothing depends on it, and who cancels the workflow ends it. It begins at once, since it reads the workspace then.
func (d *deploy) exportCache(ctx workflow.Context) (wait func()) {
	if d.kept == nil {
		return func() {}
	}
	claim, cache := d.kept.claim, d.kept.cache
	exporting := inOneGo(ctx, d.limits, claim.Queue, d.limits.Build, "keep the build's steps in the registry")
	export := workflow.ExecuteActivity(exporting, builder.ExportCache, cache)
	return func() {
		d.waitFor(ctx, "the build's steps to be kept in the registry")
		err := export.Get(ctx, nil)
		if err != nil {
			workflow.GetLogger(ctx).Warn("the build's steps are not kept", "builder", cache.Builder, "error", err)
		}
		d.letGo(ctx, silent(err))
		d.waitFor(ctx, "")
	}
}

// letGo removes the workspace that was kept, if there is one.
func (d *deploy) letGo(ctx workflow.Context, silent bool) {
	if d.kept == nil {
		return
	}
	claim := d.kept.claim
	d.kept = nil
	d.vacate(ctx, claim, silent)
}
