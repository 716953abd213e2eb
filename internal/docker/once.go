package docker

import (
	"context"
	"errors"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// startPause is how long a container may have been made and not started until whoever made it counts as dead: the two are
// consecutive calls.
const startPause = 3 * time.Second

// makePause is how long a name may be taken by a container that cannot be seen: the engine reserves it before it makes one.
const makePause = time.Second

// RunOnce runs the command of s to its end in a container of its own, with the limits and the network of a preview, and
// returns nil when it exits with 0. The container stands afterwards, and is what makes it once: whoever calls again finds it
// by its name, waits for it if it runs, and answers as it ended. One that was made and never started is made anew.
func (e *Engine) RunOnce(ctx context.Context, s deployment.RunSpec, o deployment.Once) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	id, err := e.beginOnce(ctx, s, o)
	if no, refused := errors.AsType[*refusal](err); refused {
		return no.error
	}
	if err != nil {
		return e.failure(ctx, "run container "+s.Name, err)
	}
	follow, stop := context.WithCancel(ctx)
	defer stop()
	followed := make(chan error, 1)
	go func() { followed <- e.Logs(follow, id, nil, o.Line) }()
	ended, err := e.awaitEnd(ctx, id, o)
	if err != nil {
		stop()
	}
	if logErr := <-followed; logErr != nil && err == nil {
		e.log.WarnContext(ctx, "cannot read the whole output of a container", "container", s.Name, "error", logErr)
	}
	if err == nil && ended.failed() {
		err = e.onceFailure(ctx, id, ended)
	}
	return e.failure(ctx, "run container "+s.Name, err)
}

// beginOnce returns the id of the container of s, which was started by this call or by another. Of several callers at the same
// time the one that made the container starts it, and nobody else does: a start of one that has ended would run it again.
func (e *Engine) beginOnce(ctx context.Context, s deployment.RunSpec, o deployment.Once) (id string, err error) {
	for range maxStarts {
		n, err := e.ensureNetwork(ctx, s)
		if err != nil {
			return "", err
		}
		id, err := e.createWith(ctx, s, s.Resources.CPUs, n, nil)
		switch {
		case err == nil:
			err = e.startOnce(ctx, id, o)
		case errdefs.IsConflict(err):
			id, err = e.startedOnce(ctx, s)
		case unsettled(err):
			id, err = "", pause(ctx)
		default:
			err = createFailure(s.Image, err)
		}
		switch {
		case err == nil && id != "":
			return id, nil
		case err != nil && !errors.Is(err, errRemoved):
			return "", err
		}
	}
	return "", contended()
}

// errRemoved says that a container was removed before it was started.
var errRemoved = errors.New("the container was removed before it was started")

// refusal is what the caller said when it was asked whether to start.
type refusal struct{ error }

// startOnce starts a container that this call has made.
func (e *Engine) startOnce(ctx context.Context, id string, o deployment.Once) error {
	if err := o.Begin(ctx); err != nil {
		return &refusal{errors.Join(err, e.remove(context.WithoutCancel(ctx), id))}
	}
	err := e.client.ContainerStart(ctx, id, container.StartOptions{})
	switch {
	case err == nil:
		return nil
	case removed(err), mentions(err, "no such container", "marked for removal"):
		return errRemoved
	case unsettled(err):
		return errors.Join(errRemoved, e.remove(ctx, id), pause(ctx))
	}
	return startFailure(err)
}

// startedOnce returns the container that stands under the name of s once it has been started, and takes away one whose maker died
// before that; an empty id means that the caller is to try again. The removal is not forced: the engine refuses it when the
// container has been started after all.
func (e *Engine) startedOnce(ctx context.Context, s deployment.RunSpec) (id string, err error) {
	for began := time.Now(); ; {
		c, err := e.client.ContainerInspect(ctx, s.Name)
		switch {
		case errdefs.IsNotFound(err):
			if time.Since(began) > makePause {
				return "", nil
			}
		case err != nil:
			return "", err
		case !e.owns(c.Config.Labels):
			return "", foreign("container", s.Name)
		case c.State.Dead || c.State.Status == container.StateRemoving:
			return "", pause(ctx)
		case c.State.Status != container.StateCreated:
			return c.ID, nil
		case time.Since(began) > startPause:
			e.log.InfoContext(ctx, "removing a container that nobody started", "container", s.Name)
			err := e.client.ContainerRemove(ctx, c.ID, container.RemoveOptions{RemoveVolumes: true})
			if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
				return "", err
			}
			return "", nil
		}
		if err := pause(ctx); err != nil {
			return "", err
		}
	}
}

// onceEnd is how a container that was run once has ended.
type onceEnd struct {
	code   int
	oom    bool
	late   bool // it was stopped since its time was over
	limit  time.Duration
	memory int64 // in MB
}

func (o onceEnd) failed() bool { return o.code != 0 || o.late }

// awaitEnd waits until a started container has ended, and stops it when its time is over. The time counts from its start,
// whoever waits.
func (e *Engine) awaitEnd(ctx context.Context, id string, o deployment.Once) (onceEnd, error) {
	c, err := e.client.ContainerInspect(ctx, id)
	if err != nil {
		return onceEnd{}, orVanished(err)
	}
	late := false
	if c.State.Running {
		limited, cancel := context.WithDeadline(ctx, moment(c.State.StartedAt).Add(o.Limit))
		err := e.waitStopped(limited, id)
		late = limited.Err() != nil && ctx.Err() == nil
		cancel()
		if late {
			seconds := int(o.Grace.Seconds())
			err = e.client.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
		}
		if err != nil {
			return onceEnd{}, orVanished(err)
		}
		if c, err = e.client.ContainerInspect(ctx, id); err != nil {
			return onceEnd{}, orVanished(err)
		}
	}
	if c.State.Dead || c.State.Status == container.StateRemoving {
		return onceEnd{}, vanished()
	}
	took := moment(c.State.FinishedAt).Sub(moment(c.State.StartedAt))
	return onceEnd{
		code: c.State.ExitCode, oom: c.State.OOMKilled, late: late || took >= o.Limit, limit: o.Limit, memory: c.HostConfig.Memory / bytesPerMB,
	}, nil
}

// waitStopped returns when the container does not run any more.
func (e *Engine) waitStopped(ctx context.Context, id string) error {
	stopped, failed := e.client.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case <-stopped:
		return nil
	case err := <-failed:
		return err
	}
}

// onceFailure tells why a command did not do its work.
func (e *Engine) onceFailure(ctx context.Context, id string, o onceEnd) error {
	const raise = "raise resources.memory_mb on the project, or make the command use less"
	var f *deployment.Failure
	switch {
	case o.late:
		f = deployment.UserFailure("release.command_timeout", "make the release command quicker, or raise release_timeout_seconds on the project",
			"the release command did not end within %s and was stopped", o.limit)
	case o.oom:
		f = deployment.UserFailure("release.command_out_of_memory", raise,
			"the release command ran out of its %d MB of memory and exited with code %d", o.memory, o.code)
	case o.code == exitKilled:
		f = deployment.UserFailure("release.command_out_of_memory", raise,
			"the release command was killed (exit code %d), most often because it ran out of its %d MB of memory", o.code, o.memory)
	default:
		f = deployment.UserFailure("release.command_failed", onceFix(o.code), "the release command exited with code %d", o.code)
	}
	f.ExitCode, f.Lines = &o.code, e.tail(ctx, id)
	return f
}

func onceFix(code int) string {
	switch code {
	case 126:
		return "the release command cannot be executed: make it executable, and built for this platform"
	case 127:
		return "the release command was not found: check release_command, or the release line of the Procfile, and that the image has the program and a shell"
	default:
		return "read the command's last lines below; what was live before goes on"
	}
}

// moment reads a time of the engine's.
func moment(stamp string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return time.Time{}
	}
	return at
}

// orVanished says of a container that is not there that somebody removed it.
func orVanished(err error) error {
	if removed(err) {
		return vanished()
	}
	return err
}

func vanished() error {
	return deployment.TransientFailure("release.container_gone",
		"see that nothing else removes containers on the Docker engine, and deploy again", "the container was removed while its command ran")
}
