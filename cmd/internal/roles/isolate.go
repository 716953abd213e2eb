package roles

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/isolation"
)

// isolate keeps the previews of this host away from what is near them.
func (h *host) isolate(ctx context.Context) error {
	if h.c.Docker.Isolation == config.IsolationOff {
		_ = isolation.Previews{Pool: h.c.Docker.PreviewSubnets}.Remove() // of when it was on; who may not remove them has not set them
		return nil
	}
	if !h.engine.Local() {
		return deployment.PlatformFailure("preview.not_isolated",
			"run a worker beside the Docker engine, or keep previews away from the engine's machine yourself and set SLIPWAY_PREVIEW_ISOLATION=off",
			"the Docker engine is on another machine, whose packet filter is not to be reached from here")
	}
	if err := h.besideEngine(ctx); err != nil {
		return err
	}
	resolvers, err := buildkit.HostResolvers()
	if err != nil {
		return fmt.Errorf("keep previews away from this machine: find the resolvers: %w", err)
	}
	c := h.c.Docker
	return isolation.Previews{Pool: c.PreviewSubnets, Resolvers: resolvers, Services: c.Services, Networks: c.PrivateNets}.Isolate()
}

// goneWithin is how long the engine may list a network whose interface it has removed already.
const goneWithin = time.Second

// besideEngine refuses to set rules in a network namespace that is not the engine's, where no preview would pass them: none of the
// engine's bridges is there, nor after another look, since all that were listed may have been about to go. It knows nothing of an engine
// that does not answer.
func (h *host) besideEngine(ctx context.Context) error {
	missing, err := h.bridgesElsewhere(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	select {
	case <-time.After(goneWithin):
	case <-ctx.Done(): // told to stop, which is no fault
		return nil
	}
	missing, err = h.bridgesElsewhere(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	return deployment.PlatformFailure("preview.not_isolated",
		"run the worker on the host's network (network_mode: host, as deploy/compose.yaml does), where the Docker engine has its bridges; "+
			"or keep previews away from that machine yourself and set SLIPWAY_PREVIEW_ISOLATION=off",
		"the worker's network is not the Docker engine's, so rules that it sets hold for no preview: it has no interface %s", strings.Join(missing[:min(3, len(missing))], ", "))
}

// bridgesElsewhere returns the engine's bridges when none of them is here.
func (h *host) bridgesElsewhere(ctx context.Context) ([]string, error) {
	look, cancel := context.WithTimeout(ctx, h.c.Timeouts.Short)
	defer cancel()
	before, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	bridges, err := h.engine.Bridges(look)
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Warn("cannot tell whether previews pass the rules that keep them apart", "error", err)
		}
		return nil, nil
	}
	after, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	here := slices.ContainsFunc(append(before, after...), func(i net.Interface) bool { // networks come and go meanwhile
		return slices.Contains(bridges, i.Name)
	})
	if here {
		return nil, nil
	}
	return bridges, nil
}

// isolateAgain sets the rules again: who reloads the machine's own firewall may have removed them.
func (h *host) isolateAgain(ctx context.Context) {
	if err := h.isolate(ctx); err != nil && ctx.Err() == nil {
		h.Log.Error("previews are not kept away from this machine", "error", err)
	}
}
