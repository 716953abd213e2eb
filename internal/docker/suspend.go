package docker

import (
	"context"
	"math"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Suspend stops every container of this installation within the grace period, keeps them for Resume, and returns how many
// ran. One that was to run a command to its end is not kept: how it ended would say nothing of the command.
func (e *Engine) Suspend(ctx context.Context, grace time.Duration) (int, error) {
	owned, err := e.Owned(ctx)
	if err != nil {
		return 0, err
	}
	stopped := 0
	seconds := int(math.Ceil(grace.Seconds()))
	for _, r := range owned {
		if r.Kind != deployment.ResourceContainer {
			continue
		}
		c, err := e.client.ContainerInspect(ctx, r.Name)
		if errdefs.IsNotFound(err) || err == nil && !c.State.Running {
			continue
		}
		if err == nil {
			err = e.client.ContainerStop(ctx, c.ID, container.StopOptions{Timeout: &seconds})
		}
		if err == nil && c.Config.Labels[LabelOnce] == "true" {
			err = e.remove(ctx, c.ID)
		}
		if err != nil && !errdefs.IsNotFound(err) {
			return stopped, e.failure(ctx, "stop container "+r.Name, err)
		}
		stopped++
	}
	return stopped, nil
}

// Halt stops a container within the grace period and keeps it for Resume. One that is not there, or stands still, is not an error. The
// engine does not start it by itself, not even when the engine is restarted.
func (e *Engine) Halt(ctx context.Context, name string, grace time.Duration) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	doing := "stop container " + name
	c, err := e.client.ContainerInspect(ctx, name)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case err != nil:
		return e.failure(ctx, doing, err)
	case !e.owns(c.Config.Labels):
		return foreign("container", name)
	case !c.State.Running && !c.State.Restarting:
		return nil
	}
	seconds := int(math.Ceil(grace.Seconds()))
	err = e.client.ContainerStop(ctx, c.ID, container.StopOptions{Timeout: &seconds})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return e.failure(ctx, doing, err)
}

// Resume starts a container that stands still; its address is fixed, so it is reached where it was. One that runs is left
// alone; one that is gone is reported as not there.
func (e *Engine) Resume(ctx context.Context, name string) (there bool, err error) {
	if err := e.connect(ctx); err != nil {
		return false, err
	}
	err = e.client.ContainerStart(ctx, name, container.StartOptions{})
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, e.failure(ctx, "start container "+name, err)
}

// Wake is Resume for somebody who waits: until KeepAlive the container may use as many CPUs as one that is started, when its own are
// fewer.
func (e *Engine) Wake(ctx context.Context, name string, r deployment.Resources) (there bool, err error) {
	if e.options.StartCPUs <= r.CPUs {
		return e.Resume(ctx, name)
	}
	if err := e.connect(ctx); err != nil {
		return false, err
	}
	more := container.UpdateConfig{Resources: container.Resources{NanoCPUs: int64(e.cpus(e.options.StartCPUs) * nanoPerCPU)}}
	_, err = e.client.ContainerUpdate(ctx, name, more)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, e.failure(ctx, "give container "+name+" CPUs to start with", err)
	}
	return e.Resume(ctx, name)
}

// RemoveAll removes everything that this installation has on the engine, the images of its containers too.
func (e *Engine) RemoveAll(ctx context.Context) error {
	owned, err := e.Owned(ctx) // containers come before networks, as they have to go
	if err != nil {
		return err
	}
	for _, r := range owned {
		if r.Kind == deployment.ResourceContainer {
			err = e.Stop(ctx, r.Name, 0)
		} else {
			err = e.RemoveNetwork(ctx, r.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Busy reports whether any container runs in the engine that the environment names, whoever owns it.
func Busy(ctx context.Context) (bool, error) {
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return false, err
	}
	defer c.Close()
	running, err := c.ContainerList(ctx, container.ListOptions{})
	return len(running) > 0, err
}
