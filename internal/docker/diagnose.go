package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// exitKilled is 128 + SIGKILL: the kernel's out-of-memory killer, or somebody's kill.
const exitKilled = 137

// exitFailure explains why a container ended: its exit code, whether it ran out of memory, its last lines.
func (e *Engine) exitFailure(ctx context.Context, id string) error {
	c, err := e.client.ContainerInspect(ctx, id)
	if errdefs.IsNotFound(err) || (err == nil && c.State.Dead) { // dead: its removal is under way
		return gone()
	}
	if err != nil {
		return e.failure(ctx, "inspect the ended container", err)
	}
	failure := endFailure(c.State.ExitCode, c.State.OOMKilled, c.HostConfig.Memory/bytesPerMB)
	failure.ExitCode, failure.Lines = &c.State.ExitCode, e.tail(ctx, id)
	return failure
}

// endFailure tells why an app ended. An engine on cgroup v1 loses now and then that the kernel killed for memory: its notice comes
// from a control group that goes with the process.
func endFailure(code int, oom bool, megabytes int64) *deployment.Failure {
	const raise = "raise resources.memory_mb on the project, or make the app use less"
	switch {
	case oom:
		return deployment.UserFailure("release.out_of_memory", raise, "the app ran out of its %d MB of memory and exited with code %d", megabytes, code)
	case code == exitKilled:
		return deployment.UserFailure("release.out_of_memory", raise,
			"the app was killed (exit code %d), most often because it ran out of its %d MB of memory", code, megabytes)
	default:
		return deployment.UserFailure("release.app_exited", exitFix(code), "the app exited with code %d before it was ready", code)
	}
}

func exitFix(code int) string {
	switch code {
	case 0:
		return "a preview has to keep running: check that start_command starts a server and stays in the foreground"
	case 126:
		return "the start command cannot be executed: make it executable, and built for this platform"
	case 127:
		return "the start command was not found: check start_command, or CMD in the Dockerfile"
	default:
		return "read the app's last lines below; run its start command locally with PORT set"
	}
}

// notReady explains why a container that runs did not become ready in time.
func (e *Engine) notReady(ctx context.Context, id string, c *check, last attempt) error {
	failure := deployment.UserFailure("release.not_ready",
		"check health_check.path, status and timeout_seconds, and that the app listens on 0.0.0.0 and on the port in PORT",
		"GET %s on port %d was not answered as wanted within %d s: %s", c.wanted.Path, c.port(), c.wanted.TimeoutSeconds, last.what)
	if last.refused {
		if listeners, err := e.listeners(ctx, id); err == nil {
			failure = refusedFailure(c, listeners)
		} else {
			e.log.InfoContext(ctx, "cannot tell the ports that a container listens on", "container", id, "error", err)
		}
	}
	failure.Lines = e.tail(ctx, id)
	return failure
}

// refusedFailure explains refused connections by what the app listens on instead.
func refusedFailure(c *check, listeners []listener) *deployment.Failure {
	port, seconds := c.port(), c.wanted.TimeoutSeconds
	here := slices.IndexFunc(listeners, func(l listener) bool { return int(l.Port()) == port })
	switch {
	case len(listeners) == 0:
		return deployment.UserFailure("release.not_ready",
			"make the app listen on the port in PORT, or raise health_check.timeout_seconds if it starts slowly",
			"nothing listens on PORT %d after %d s: connections are refused", port, seconds)
	case here >= 0 && listeners[here].Addr().IsLoopback():
		return deployment.UserFailure("release.loopback_only",
			"make the app listen on 0.0.0.0 instead of localhost",
			"the app listens on %s only, which cannot be reached from outside its container", listeners[here])
	case here >= 0: // it began to listen between the last try and now
		return deployment.UserFailure("release.not_ready", "raise health_check.timeout_seconds",
			"the app began to listen on PORT %d only after %d s", port, seconds)
	}
	fix := "make the app listen on 0.0.0.0 and on the port in PORT"
	if !listeners[0].Addr().IsLoopback() {
		fix = fmt.Sprintf("make the app listen on the port in PORT, or set port to %d on the project", listeners[0].Port())
	}
	return deployment.UserFailure("release.wrong_port", fix, "the app listens on %s, not on PORT %d", describe(listeners), port)
}

// describe lists listeners: the port alone where every address is meant.
func describe(listeners []listener) string {
	var names []string
	for _, l := range listeners {
		name := l.String()
		if l.Addr().IsUnspecified() {
			name = fmt.Sprint(l.Port())
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
