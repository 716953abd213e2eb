package docker

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// goneInterval is how often awaitGone looks.
const goneInterval = 50 * time.Millisecond

// Stop asks a container to end (SIGTERM, or the image's STOPSIGNAL), kills it after the grace period, lets those who follow
// its output read the rest, removes it with its anonymous volumes and returns when it is gone. The image goes with the last
// container that runs it, unless it has another name. One that is not there is not an error.
func (e *Engine) Stop(ctx context.Context, name string, grace time.Duration) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	doing := "stop container " + name
	c, err := e.client.ContainerInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return e.failure(ctx, doing, err)
	}
	if !e.owns(c.Config.Labels) {
		return foreign("container", name)
	}
	seconds := int(math.Ceil(grace.Seconds()))
	if err := e.client.ContainerStop(ctx, c.ID, container.StopOptions{Timeout: &seconds}); err != nil && !errdefs.IsNotFound(err) {
		return e.failure(ctx, doing, err)
	}
	e.followers.await(ctx, name)
	if err := e.remove(ctx, c.ID); err != nil {
		return e.failure(ctx, "remove container "+name, err)
	}
	return e.failure(ctx, "remove image "+c.Config.Image, e.removeImage(ctx, c.Config.Image))
}

// removeImage takes away an image that was pulled for a preview, which nothing else would ever do. Pulled ones are named
// by digest; others are not slipway's to remove. One that a container still uses stays for that one's Stop.
func (e *Engine) removeImage(ctx context.Context, ref string) error {
	if !strings.Contains(ref, "@sha256:") {
		return nil
	}
	_, err := e.client.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return err
}

// awaitGone waits until the engine does not know the container any more: a removal may be under way by another caller.
func (e *Engine) awaitGone(ctx context.Context, id string) error {
	ticker := time.NewTicker(goneInterval)
	defer ticker.Stop()
	for {
		_, err := e.client.ContainerInspect(ctx, id)
		if errdefs.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
