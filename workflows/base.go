package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/temporal"
)

// base is the pull of a base image beside the build.
type base struct {
	stop   workflow.CancelFunc
	over   workflow.Future
	pushed bool // what is left is for a preview host to do
}

// bringBase has a preview host pull the base image while the image upon it is built. Whatever comes of it, the release pulls what is
// missing then.
func (d *deploy) bringBase(ctx workflow.Context, claim temporal.ClaimResult, at temporal.CommitInput) {
	d.forgetBase(ctx) // of a host that is gone
	beside, stop := workflow.WithCancel(ctx)
	over, settle := workflow.NewFuture(ctx)
	d.base = base{stop: stop, over: over}
	workflow.Go(beside, func(ctx workflow.Context) {
		err := d.pullBase(ctx, claim, at)
		if err != nil {
			workflow.GetLogger(ctx).Info("the base image is left to the release", "error", err)
		}
		settle.Set(nil, nil)
	})
}

func (d *deploy) pullBase(ctx workflow.Context, claim temporal.ClaimResult, at temporal.CommitInput) error {
	var pushed temporal.BuildResult
	pushing := inOneGo(ctx, d.limits, claim.Queue, d.limits.Build, "push the base image")
	if err := workflow.ExecuteActivity(pushing, builder.PushBase, at).Get(ctx, &pushed); err != nil || pushed.Digest == "" {
		return err
	}
	d.base.pushed = true
	var place temporal.PlaceResult
	placing := inOneGo(ctx, d.limits, temporal.QueueControl, d.limits.Short, "choose who pulls the base image")
	step := temporal.StepInput{DeploymentID: d.in.DeploymentID}
	if err := workflow.ExecuteActivity(placing, control.FindPreviewHost, step).Get(ctx, &place); err != nil {
		return err
	}
	d.visits(place.Queue)
	pulling := inOneGo(ctx, d.limits, place.Queue, d.limits.Release, "pull the base image on "+place.HostID)
	in := temporal.ReleaseInput{DeploymentID: d.in.DeploymentID, Image: pushed.Image, Digest: pushed.Digest}
	err := workflow.ExecuteActivity(pulling, preview.PullBase, in).Get(ctx, nil)
	if silent(err) {
		d.visited(place.Queue, true)
	}
	return err
}

// leaveBase ends a push that the build has overtaken: the release pulls all of it now. It waits for nothing.
func (d *deploy) leaveBase() {
	if d.base.over != nil && !d.base.pushed {
		d.base.stop()
	}
}

// forgetBase ends the pull, if it goes on: what it has made is removed afterwards.
func (d *deploy) forgetBase(ctx workflow.Context) {
	if d.base.over == nil {
		return
	}
	d.base.stop()
	waiting, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	_ = d.base.over.Get(waiting, nil) // it has no result
	d.base = base{}
}
