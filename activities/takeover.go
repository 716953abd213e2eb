package activities

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// takeOver gives the deployment the image of an earlier one that was built from the very same: commit, branch, environment,
// settings, variables and planner. Then nothing is left to fetch, plan or build. It answers with none when there is no such image,
// when it is gone from the registry, and when the deploy was forced: what a build reads besides (a base image's tag, a package
// without a version) may have moved on.
func (s *Source) takeOver(ctx context.Context, d deployment.Deployment, p deployment.Project) (built temporal.BuildResult, err error) {
	if d.Force || d.ImageDigest != "" { // its own image was looked at before
		return built, nil
	}
	vars, err := s.Store.EnvVars(ctx, d.Scope())
	if err != nil {
		return built, err
	}
	input, _, err := planInputOf(d, p, vars)
	if err != nil {
		return built, err
	}
	twin, err := s.Store.Twin(ctx, d.ID, input)
	if errors.Is(err, deployment.ErrNotFound) {
		return built, nil
	}
	if err != nil {
		return built, err
	}
	image, err := imageInput(twin.Plan, p, vars)
	if err != nil || image != twin.ImageInput {
		return built, err
	}
	digest, err := s.imageOf(ctx, twin)
	if err != nil || digest == "" {
		return built, err
	}
	err = s.Store.TakeOver(ctx, d.ID, attemptOf(ctx).RunID, twin)
	if errors.Is(err, deployment.ErrImageRemoved) {
		return built, nil
	}
	if err != nil {
		return built, err
	}
	log := logOf(ctx, s.Logs)
	log.say("image %s of deployment #%d is used again: it was built from this commit with these settings and variables; a forced deploy builds it anew", digest, twin.Number)
	for _, w := range twin.Plan.Warnings {
		log.warn(w)
	}
	return temporal.BuildResult{Image: twin.Image, Digest: digest, Reused: true}, nil
}
