package roles

import (
	"context"
	"fmt"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/isolation"
)

// isolate keeps the previews of this host away from what is near them.
func (h *host) isolate() error {
	if h.c.Docker.Isolation == config.IsolationOff {
		_ = isolation.Previews{Pool: h.c.Docker.PreviewSubnets}.Remove() // of when it was on; who may not remove them has not set them
		return nil
	}
	if !h.engine.Local() {
		return deployment.PlatformFailure("preview.not_isolated",
			"run a worker beside the Docker engine, or keep previews away from the engine's machine yourself and set SLIPWAY_PREVIEW_ISOLATION=off",
			"the Docker engine is on another machine, whose packet filter is not to be reached from here")
	}
	resolvers, err := buildkit.HostResolvers()
	if err != nil {
		return fmt.Errorf("keep previews away from this machine: find the resolvers: %w", err)
	}
	c := h.c.Docker
	return isolation.Previews{Pool: c.PreviewSubnets, Resolvers: resolvers, Services: c.Services, Networks: c.PrivateNets}.Isolate()
}

// isolateAgain sets the rules again: who reloads the machine's own firewall may have removed them.
func (h *host) isolateAgain(ctx context.Context) {
	if err := h.isolate(); err != nil && ctx.Err() == nil {
		h.Log.Error("previews are not kept away from this machine", "error", err)
	}
}
