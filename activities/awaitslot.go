package activities

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// awaitSlot shows that a deployment is in line for a build slot when that is what its step leads to: the claim, which waits, is
// no step and is not started while it waits.
func (r *Recorder) awaitSlot(ctx context.Context, a StepAttempt, out any) {
	if next, ok := out.(interface{ AwaitsSlot() bool }); !ok || !next.AwaitsSlot() {
		return
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	err := r.persist(after, func() error { return r.Steps.AwaitSlot(after, a) })
	if err != nil && !errors.Is(err, deployment.ErrStaleRun) {
		r.Log.WarnContext(ctx, "record the wait for a build slot", "deployment", a.DeploymentID, "error", err)
	}
}
