package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/docker/docker/client"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// failure turns what the engine answered to an action into what the caller can act on: the context's cause when the
// caller gave up, a transient failure when the engine could not be reached, else a platform failure. nil stays nil.
func (e *Engine) failure(ctx context.Context, doing string, err error) error {
	var known *deployment.Failure
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case errors.As(err, &known):
		return fmt.Errorf("%s: %w", doing, err)
	case unreachable(err):
		return deployment.AwayFailure(deployment.ComponentDocker, "release.docker_unavailable",
			"see that the Docker engine at "+e.client.DaemonHost()+" runs and that slipway may use it", "%s: %w", doing, err)
	default:
		return deployment.PlatformFailure("release.docker_failed",
			"look into the log of the Docker engine at "+e.client.DaemonHost()+", correct what it complains of and deploy again", "%s: %w", doing, err)
	}
}

// unreachable reports whether err is about the way to the engine rather than about what it was asked.
func unreachable(err error) bool {
	var netErr net.Error
	return client.IsErrConnectionFailed(err) || errors.As(err, &netErr) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// mentions reports whether the engine's message holds one of the texts. The engine has no codes for what its runtime or
// its networking refuse: those come as text in an internal error.
func mentions(err error, texts ...string) bool {
	if err == nil {
		return false
	}
	message := strings.ToLower(err.Error())
	for _, text := range texts {
		if strings.Contains(message, text) {
			return true
		}
	}
	return false
}

// foreign is the failure for a name that something of another owner already has.
func foreign(kind, name string) error {
	return deployment.PlatformFailure("release.name_taken",
		"remove it, or give this installation an id of its own",
		"%s %s on the Docker engine does not belong to this installation", kind, name)
}
