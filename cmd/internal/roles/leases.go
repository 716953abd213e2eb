package roles

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/worker"
)

func policy(l config.Leases, t config.Timeouts) deployment.LeasePolicy {
	return deployment.LeasePolicy{
		TTL: l.TTL, Idle: l.Idle, HostLost: l.HostLost, RetryInitial: t.RetryInitial, RetryMaximum: t.RetryMaximum, Starts: int(t.Attempts),
	}
}

func (h *host) keeper() *worker.Keeper {
	return &worker.Keeper{Leases: h.Store, Poke: h.deploys.PokeLease, Policy: policy(h.c.Leases, h.c.Timeouts), Log: h.Log}
}

// restless is how long ago a preview fell asleep that ought to stand still by now.
const restless = 10 * time.Second

// haltSleepers stops what is asleep and runs: whoever put it to sleep died before it was stopped, or it was resumed at that moment.
func (h *host) haltSleepers(ctx context.Context) {
	asleep, err := h.Store.PreviewsAsleep(ctx, h.c.Worker.HostID, restless)
	if err != nil {
		h.Log.Warn("list previews that are asleep", "error", err)
	}
	for _, p := range asleep {
		_, err := h.preview.HaltSleeper(ctx, p.DeploymentID)
		if err != nil && ctx.Err() == nil {
			h.Log.Warn("stop a preview that is asleep", "deployment", p.DeploymentID, "error", err)
		}
	}
}
