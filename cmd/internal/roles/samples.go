package roles

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// samplePreviews looks at the containers of this host's previews every deployment.SampleInterval until ctx ends.
func (h *host) samplePreviews(ctx context.Context) {
	sampler := &activities.Sampler{Engine: h.engine, Store: h.Store, Logs: h.writer, HostID: h.c.Worker.HostID, Log: h.Log}
	again := time.NewTicker(deployment.SampleInterval)
	defer again.Stop()
	for {
		h.sample(ctx, sampler)
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

func (h *host) sample(ctx context.Context, sampler *activities.Sampler) {
	look, cancel := context.WithTimeout(ctx, deployment.SampleInterval) // an engine that hangs must not keep the next look away
	defer cancel()
	if err := sampler.Sample(look); err != nil && ctx.Err() == nil {
		h.Log.Warn("look at the containers of previews", "error", err)
	}
}
