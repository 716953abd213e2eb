package docker

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// defaultInterval is the pause between two tries when the spec names none.
const defaultInterval = 250 * time.Millisecond

// Probe waits until the preview answers GET of the check's path as the check wants, and says to line what it waits for.
// It fails at once when the container exits, and at the check's timeout with what is known about the ports that the app
// listens on: both are user failures with the last lines of output. It returns where the preview has answered, which is not p's address
// when the app listens on one other port only and the spec allows that. line may be nil.
func (e *Engine) Probe(ctx context.Context, p deployment.Preview, s deployment.ProbeSpec, line func(string)) (address string, err error) {
	if err := e.connect(ctx); err != nil {
		return "", err
	}
	id := cmp.Or(p.ContainerID, p.Container)
	doing := "probe container " + p.Container
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The engine answers this call when the container is not running any more; it is asked before the first try, so that
	// no exit is missed.
	exited, waitErr := e.client.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	check := newCheck(p.Address, s, line)
	if s.OtherPort {
		check.other = newOtherPort(func(ctx context.Context) string { return e.onlyOther(ctx, id, p.Address) }, check.timeout())
	}
	ended := make(chan attempt, 1)
	go func() { ended <- check.run(ctx) }()

	select {
	case <-exited:
		return "", fmt.Errorf("%s: %w", doing, e.exitFailure(ctx, id))
	case err := <-waitErr:
		if errdefs.IsNotFound(err) {
			return "", fmt.Errorf("%s: %w", doing, gone())
		}
		return "", e.failure(ctx, doing, err)
	case last := <-ended:
		switch {
		case last.ready:
			return last.address, nil
		case ctx.Err() != nil:
			return "", fmt.Errorf("%s: %w", doing, context.Cause(ctx))
		}
		return "", fmt.Errorf("%s: %w", doing, e.notReady(ctx, id, check, last))
	}
}

// gone is the failure for a container that was removed while it was needed.
func gone() error {
	return deployment.TransientFailure("release.container_gone",
		"see that nothing else removes containers on the Docker engine, and deploy again", "the container was removed while it was probed")
}
