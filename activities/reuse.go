package activities

import (
	"context"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// reuse answers for a deployment that was made with the image of another: nothing is left to build, if it is still there. When it
// is not, what is live stays; where nothing is live, as after a restore, the commit is built again.
func (s *Source) reuse(ctx context.Context, d deployment.Deployment) (temporal.ResolveResult, error) {
	digest, err := s.imageOf(ctx, d)
	if err != nil {
		return temporal.ResolveResult{}, err
	}
	if digest == "" && d.BuildAgain {
		logOf(ctx, s.Logs).say("image %s@%s is gone from the registry: commit %s is built again", d.Image, d.ImageDigest, d.Commit)
		return temporal.ResolveResult{Commit: d.Commit, Branch: d.Branch, Reused: true}, nil
	}
	if digest == "" {
		again := fmt.Sprintf("build the commit again: slipway deploy %s --commit %s --environment %s", d.ProjectName, d.Commit, d.Environment)
		return temporal.ResolveResult{}, deployment.UserFailure("image.gone", again, "image %s@%s is gone from the registry", d.Image, d.ImageDigest)
	}
	log := logOf(ctx, s.Logs)
	log.say("image %s of deployment %s is used again, commit %s", digest, d.ReusedFrom, d.Commit)
	for _, w := range d.Warnings {
		log.warn(w)
	}
	built := temporal.BuildResult{Image: d.Image, Digest: digest, Reused: true}
	return temporal.ResolveResult{Commit: d.Commit, Branch: d.Branch, Reused: true, Built: built}, nil
}

// standing returns the image that an earlier run of the deployment has built, unless it would be built from something else by
// now or is gone.
func (s *Source) standing(ctx context.Context, d deployment.Deployment, p deployment.Project) (built temporal.BuildResult, err error) {
	if d.ImageDigest == "" || d.Plan == nil {
		return built, nil
	}
	vars, err := s.Store.EnvVars(ctx, d.Scope())
	if err != nil {
		return built, err
	}
	plan, _, err := planInputOf(d, p, vars)
	if err != nil {
		return built, err
	}
	image, err := imageInput(d.Plan, p, vars)
	if err != nil || plan != d.PlanInput || image != d.ImageInput {
		return built, err
	}
	digest, err := s.imageOf(ctx, d)
	if err != nil || digest == "" {
		return built, err
	}
	logOf(ctx, s.Logs).say("image %s was built before and stands: nothing is fetched, planned or built", digest)
	return temporal.BuildResult{Image: d.Image, Digest: digest, Reused: true}, nil
}

// imageOf looks the deployment's image up. One that was given up counts as gone, although the registry may show it for a while.
func (s *Source) imageOf(ctx context.Context, d deployment.Deployment) (string, error) {
	if d.ImageRemovedAt != nil {
		return "", nil
	}
	return digestOf(ctx, s.Images, s.PushHost, s.PushHost+"/"+d.Image+"@"+d.ImageDigest)
}

// digestOf looks an image up in the registry, which may be away for a moment; empty when it is not there.
func digestOf(ctx context.Context, images ImageStore, registry, image string) (string, error) {
	digest, err := images.Digest(ctx, image)
	if err != nil && ctx.Err() == nil {
		err = deployment.AwayFailure(deployment.ComponentRegistry, "build.registry_unreachable", "check that the registry "+registry+" runs", "%w", err)
	}
	return digest, err
}
