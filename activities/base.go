package activities

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// PushBase pushes the base image of a deployment's plan by itself, while the image upon it is built, so that a preview host can pull
// most of what it will need before that is there. The builder fetches the base image once for both. Its tag goes with the image's.
func (b *Build) PushBase(ctx context.Context, in temporal.CommitInput) (temporal.BuildResult, error) {
	d, p, err := load(ctx, b.Store, in.DeploymentID)
	if err != nil || d.Plan == nil || d.Plan.Base == "" {
		return temporal.BuildResult{}, err
	}
	checkout, err := b.Workspaces.Open(d.ID, in.Commit)
	if err != nil {
		return temporal.BuildResult{}, err
	}
	ref := d.ID + "-base-" + strings.ToLower(rand.Text()[:8])
	request := BuildRequest{
		Ref: ref, Image: b.PushHost + "/" + p.Name + ":" + ref, ContextDir: checkout, CacheScope: p.ID,
		Dockerfile: "FROM " + d.Plan.Base + "\n", Ignore: []string{"**"}, Network: deployment.BuildNetworkNone, // for its ONBUILD
		Labels: map[string]string{"slipway.project": p.ID, "slipway.deployment": d.ID}, // no other deployment has one of this digest
	}
	run := activity.GetInfo(ctx).WorkflowExecution.RunID
	tag := deployment.Resource{Kind: deployment.ResourceImageTag, Name: request.Image, DeploymentID: d.ID, RunID: run}
	if err := b.Ledger.Own(ctx, tag); err != nil {
		return temporal.BuildResult{}, err
	}
	outcome, err := b.Builder.Solve(ctx, b.Builder.Home(p.ID), request, silence{})
	return temporal.BuildResult{Image: p.Name, Digest: outcome.Digest}, err
}

// PullBase pulls a base image that was pushed ahead. What the release pulls then has these layers already, or waits for those that are
// under way: the engine fetches a layer once. It is removed when the deployment has ended, which takes nothing from the image upon it.
func (a *Preview) PullBase(ctx context.Context, in temporal.ReleaseInput) error {
	image := a.PullHost + "/" + in.Image + "@" + in.Digest
	run := activity.GetInfo(ctx).WorkflowExecution.RunID
	base := deployment.Resource{Kind: deployment.ResourceBaseImage, Name: image, Host: a.HostID, DeploymentID: in.DeploymentID, RunID: run}
	if err := a.Ledger.Own(ctx, base); err != nil {
		return err
	}
	return a.Engine.Pull(ctx, image, func(deployment.Progress) {}) // nobody watches
}

// FindPreviewHost names the host that would run a deployment's container by now.
func (c *Control) FindPreviewHost(ctx context.Context, _ temporal.StepInput) (temporal.PlaceResult, error) {
	host, err := c.Hosts.PreviewHost(ctx)
	return temporal.PlaceResult{HostID: host, Queue: temporal.QueuePreviewHost(host)}, err
}

// sweepBases removes base images that no row knows of, of deployments that have ended: an engine may finish a pull that nobody waits
// for any more.
func (s *Sweeper) sweepBases(ctx context.Context, p *pass) error {
	bases, err := s.Engine.BaseImages(ctx)
	if err != nil || len(bases) == 0 {
		return err
	}
	var names, ids []string
	for _, base := range bases {
		names, ids = append(names, base.Name), append(ids, base.DeploymentID)
	}
	rows, err1 := s.LeftOvers.OwnedAs(ctx, names)
	ended, err2 := s.LeftOvers.EndedAmong(ctx, ids, s.Age)
	errs := []error{err1, err2}
	for _, base := range bases {
		if err1 != nil || slices.ContainsFunc(rows, named(base)) || !slices.Contains(ended, base.DeploymentID) {
			continue
		}
		errs = append(errs, p.mend(&p.result.Swept, s.difference(base, "no row knows of it", "removed"), func() error { return s.remove(ctx, base) }))
	}
	return errors.Join(errs...)
}
