package docker

import (
	"context"
	"math"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// goneInterval is how often awaitGone looks.
const goneInterval = 50 * time.Millisecond

// Stop asks a container to end (SIGTERM, or the image's STOPSIGNAL), kills it after the grace period, removes it with its
// anonymous volumes and returns when it is gone. One that is not there is not an error.
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
	return e.failure(ctx, "remove container "+name, e.remove(ctx, c.ID))
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
