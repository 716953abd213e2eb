package docker

import (
	"context"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// UnusedImages lists the images that were pulled for previews and that no container runs, as "host/repository@sha256:…". They
// carry the label that builds give them; whose they are their digests tell.
func (e *Engine) UnusedImages(ctx context.Context) (refs []string, err error) {
	if err := e.connect(ctx); err != nil {
		return nil, err
	}
	built := filters.NewArgs(filters.Arg("label", LabelProject))
	images, err := e.client.ImageList(ctx, image.ListOptions{Filters: built})
	if err != nil || len(images) == 0 {
		return nil, e.failure(ctx, "list images", err)
	}
	containers, err := e.client.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, e.failure(ctx, "list containers", err)
	}
	used := map[string]bool{}
	for _, c := range containers {
		used[c.ImageID] = true
	}
	for _, i := range images {
		if !used[i.ID] {
			refs = append(refs, i.RepoDigests...)
		}
	}
	return refs, nil
}

// BaseImages lists the base images that were pulled ahead of an image upon them, each with its deployment. They carry the label that
// their push gave them; whose they are their deployments tell.
func (e *Engine) BaseImages(ctx context.Context) (bases []deployment.Resource, err error) {
	if err := e.connect(ctx); err != nil {
		return nil, err
	}
	pushed := filters.NewArgs(filters.Arg("label", LabelProject), filters.Arg("label", LabelDeployment))
	images, err := e.client.ImageList(ctx, image.ListOptions{Filters: pushed})
	if err != nil {
		return nil, e.failure(ctx, "list images", err)
	}
	for _, i := range images {
		for _, ref := range i.RepoDigests {
			bases = append(bases, deployment.Resource{
				Kind: deployment.ResourceBaseImage, Name: ref, Host: e.options.HostID, DeploymentID: i.Labels[LabelDeployment],
			})
		}
	}
	return bases, nil
}

// RemoveImage removes an image that was pulled for a preview. One that is not there is not an error, nor is one that a container
// uses: it goes with that one's Stop.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	return e.failure(ctx, "remove image "+ref, e.removeImage(ctx, ref))
}
