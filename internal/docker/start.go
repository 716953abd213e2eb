package docker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// maxStarts bounds how often Start begins anew because an address was taken or the container was removed under it.
const maxStarts = 16

// contendedPause is how long Start waits for another one that is at work on the same preview.
const contendedPause = 100 * time.Millisecond

// errOtherNetwork says that the container runs on another network of the deployment's.
var errOtherNetwork = errors.New("the container runs on a second network of the same name")

// Start makes the deployment's network and the container and starts it; what already stands as specified is kept, and
// what stands under the container's name but differs is replaced. Starts of the same spec at the same time end with one
// container. The preview is not ready yet: Probe waits for that.
func (e *Engine) Start(ctx context.Context, s deployment.RunSpec) (deployment.Preview, error) {
	if err := e.connect(ctx); err != nil {
		return deployment.Preview{}, err
	}
	n, id, address, err := e.ensureOnNetwork(ctx, s)
	if err != nil {
		return deployment.Preview{}, e.failure(ctx, "start container "+s.Name, err)
	}
	return deployment.Preview{
		DeploymentID: s.DeploymentID,
		Host:         e.options.HostID,
		ContainerID:  id,
		Container:    s.Name,
		Network:      n.name,
		Address:      netip.AddrPortFrom(address, uint16(s.Port)).String(), //nolint:gosec // ports are validated to 65535
		State:        deployment.PreviewStarting,

		DiskUnbounded: s.Resources.DiskMB > 0 && e.diskUnbounded.Load(),
	}, nil
}

// Prepare makes the deployment's network, for a Start that comes later. Start does and reports what it could not.
func (e *Engine) Prepare(ctx context.Context, s deployment.RunSpec) {
	if err := e.connect(ctx); err != nil {
		return
	}
	if _, err := e.ensureNetwork(ctx, s); err != nil && ctx.Err() == nil {
		e.log.InfoContext(ctx, "cannot make a network ahead", "deployment", s.DeploymentID, "error", err)
	}
}

// ensureOnNetwork makes the network and the container on it. It begins anew when another process that starts the same
// deployment made a second network of the name, or removed the one that this Start had settled on.
func (e *Engine) ensureOnNetwork(ctx context.Context, s deployment.RunSpec) (bridge, string, netip.Addr, error) {
	for try := 1; ; try++ {
		n, err := e.ensureNetwork(ctx, s)
		if err != nil {
			return bridge{}, "", netip.Addr{}, err
		}
		id, address, err := e.ensureContainer(ctx, s, n)
		if err == nil || try == maxStarts || !unsettled(err) {
			return n, id, address, err
		}
		if err := pause(ctx); err != nil {
			return bridge{}, "", netip.Addr{}, err
		}
	}
}

// pause lets another Start get on with what is in the way.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(contendedPause):
		return nil
	}
}

// unsettled reports whether the engine could not tell, or find, the network of a container.
func unsettled(err error) bool {
	return errors.Is(err, errOtherNetwork) || mentions(err, "is ambiguous") || (mentions(err, "network") && mentions(err, "not found"))
}

// ensureContainer creates and starts the container of s and returns its id and address.
func (e *Engine) ensureContainer(ctx context.Context, s deployment.RunSpec, n bridge) (string, netip.Addr, error) {
	candidates := make([]netip.Addr, 0, maxStarts)
	for a := range addresses(n.subnet, s.Name) {
		candidates = append(candidates, a)
	}
	taken := 0
	for range maxStarts {
		id, address, err := e.createOrFind(ctx, s, n, candidates[taken%len(candidates)])
		if err != nil {
			return "", netip.Addr{}, err
		}
		if id == "" {
			if err := pause(ctx); err != nil {
				return "", netip.Addr{}, err
			}
			continue
		}
		switch err := e.client.ContainerStart(ctx, id, container.StartOptions{}); {
		case err == nil:
			return id, address, nil
		case mentions(err, "address already in use"):
			taken++
			if err := e.remove(ctx, id); err != nil {
				return "", netip.Addr{}, err
			}
		case errdefs.IsNotFound(err) && mentions(err, "no such container"), mentions(err, "marked for removal"):
			// somebody removed it between the two calls
		default:
			return "", netip.Addr{}, startFailure(err)
		}
	}
	return "", netip.Addr{}, contended()
}

// contended says that starting was tried often enough.
func contended() error {
	return deployment.TransientFailure("release.start_contended",
		"see that nothing else removes containers on the Docker engine or takes addresses in slipway's subnet pool, and deploy again",
		"the container was removed or lost its address %d times", maxStarts)
}

// createOrFind returns the container of s, new or as it stands; an empty id means that one was in the way and the caller
// is to try again.
func (e *Engine) createOrFind(ctx context.Context, s deployment.RunSpec, n bridge, address netip.Addr) (string, netip.Addr, error) {
	id, err := e.create(ctx, s, n, address)
	if err == nil {
		return id, address, nil
	}
	if !errdefs.IsConflict(err) {
		return "", netip.Addr{}, createFailure(s.Image, err)
	}
	c, err := e.client.ContainerInspect(ctx, s.Name)
	switch {
	case errdefs.IsNotFound(err):
		return "", netip.Addr{}, nil
	case err != nil:
		return "", netip.Addr{}, err
	case !e.owns(c.Config.Labels):
		return "", netip.Addr{}, foreign("container", s.Name)
	case e.stands(c, s, n):
		return c.ID, fixedAddress(c, n), nil
	case c.State.Running && onSecond(c, n):
		return "", netip.Addr{}, errOtherNetwork
	}
	e.log.InfoContext(ctx, "replacing a container that differs from its spec", "container", s.Name)
	return "", netip.Addr{}, e.remove(ctx, c.ID)
}

// KeepAlive makes a container that has become healthy one that lasts: it takes away the CPUs that it may use beyond its own while it
// starts, and lets the engine restart it when it exits. The policy is unless-stopped rather than on-failure: a
// count of failures is never reset, so a preview that lives for weeks would one day stay down, and an app that ends
// cleanly on the engine's own restart would not come back. The engine waits longer after each crash, up to a minute.
func (e *Engine) KeepAlive(ctx context.Context, name string, r deployment.Resources) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	doing := "keep container " + name + " alive"
	_, err := e.client.ContainerUpdate(ctx, name, container.UpdateConfig{
		Resources:     container.Resources{NanoCPUs: int64(e.cpus(r.CPUs) * nanoPerCPU)},
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
	})
	if err != nil {
		return e.failure(ctx, doing, err)
	}
	c, err := e.client.ContainerInspect(ctx, name)
	if err != nil {
		return e.failure(ctx, doing, err)
	}
	if !c.State.Running && !c.State.Restarting {
		return fmt.Errorf("%s: %w", doing, e.exitFailure(ctx, c.ID)) // it exited before the policy held
	}
	return nil
}

// createFailure explains why no container could be made from image.
func createFailure(image string, err error) error {
	switch {
	case errdefs.IsNotFound(err) && mentions(err, "no such image"):
		return deployment.PlatformFailure("release.image_missing", "deploy again; the image is pulled anew",
			"image %s is not on the Docker engine: %w", image, err)
	case mentions(err, "no command specified"):
		return deployment.UserFailure("release.no_command", "set start_command on the project, or CMD in the Dockerfile",
			"the image has no command to run")
	}
	return err
}

// startFailure explains why the runtime refused to start a container: what the image or its command asks for is the
// user's, the rest is not.
func startFailure(err error) error {
	switch {
	case mentions(err, "docker-init"):
		return deployment.PlatformFailure("release.no_init", "install docker-init (Debian: package tini or docker-init) on the preview host",
			"the Docker engine has no init for containers: %w", err)
	case mentions(err, "rlimit"):
		return deployment.UserFailure("release.open_files", "lower resources.open_files on the project, or raise the limit of open files of the Docker engine on the preview host",
			"the Docker engine may not give a container so many open files: %w", err)
	case mentions(err, "exec:", "chdir to cwd", "unable to find user", "unable to find group", "no matching entries in"):
		return deployment.UserFailure("release.cannot_start",
			"check start_command (or CMD, ENTRYPOINT, USER and WORKDIR in the Dockerfile)", "the container cannot start: %w", err)
	}
	return err
}

// remove removes a container at once; one that is not there, or is being removed, is not an error.
func (e *Engine) remove(ctx context.Context, id string) error {
	err := e.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
		return err
	}
	return e.awaitGone(ctx, id)
}
