package roles

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// sweepPredecessor removes what a predecessor that was killed left on this host's disk.
func (h *host) sweepPredecessor(ctx context.Context) error {
	leases, err := h.Store.OpenLeases(ctx, h.c.Worker.HostID)
	if err != nil {
		return err
	}
	if err := h.slots().SweepWorkspaces(ctx, leases); err != nil {
		return fmt.Errorf("sweep workspaces: %w", err)
	}
	return nil
}

// tend looks after this host until ctx ends: it starts the live previews that stand still, logs what they print, and sweeps
// what deployments could not remove themselves. That it lives it notes beside that, however long any of it takes, it watches its
// disks, and it looks at what previews use.
func (h *host) tend(ctx context.Context) {
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { h.keepNotingAlive(ctx) })
	beside.Go(func() { h.watchDisk(ctx) })
	beside.Go(func() { h.guardDisk(ctx) })
	beside.Go(func() { h.builder.Watch(ctx) })
	beside.Go(func() { h.samplePreviews(ctx) })
	defer h.outputs.Wait()
	look := time.NewTicker(h.c.Timeouts.HostSeen)
	defer look.Stop()
	sweep := time.NewTicker(h.c.Timeouts.Reconcile)
	defer sweep.Stop()
	for resumed := false; ; {
		if !resumed {
			resumed = h.resumePreviews(ctx)
		}
		h.followPreviews(ctx)
		select {
		case <-look.C:
		case <-h.wentLive:
		case <-sweep.C:
			h.sweepLeftOvers(ctx)
			h.haltSleepers(ctx)
			h.isolateAgain(ctx)
			resumed = false
		case <-ctx.Done():
			return
		}
	}
}

func (h *host) keepNotingAlive(ctx context.Context) {
	again := time.NewTicker(h.c.Timeouts.HostSeen)
	defer again.Stop()
	for {
		h.noteAlive(ctx)
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

func (h *host) noteAlive(ctx context.Context) {
	err := h.Store.SeenHost(ctx, h.c.Worker.HostID, []string{"build", "preview"}, h.c.Worker.BuildSlots)
	if err == nil {
		err = h.Store.LimitProjects(ctx, h.c.Worker.HostID, h.c.Worker.ProjectSlots)
	}
	if err == nil {
		err = h.Store.HasPlanner(ctx, h.c.Worker.HostID, h.fingerprint)
	}
	if err == nil {
		err = h.noteMemory(ctx)
	}
	if err == nil {
		err = h.Store.CloseSlots(ctx, h.c.Worker.HostID, h.reason())
	}
	if err != nil && ctx.Err() == nil {
		h.Log.Warn("note that this host lives", "error", err)
	}
}

// noteMemory notes what this machine could give without swapping, as the kernel counts it.
func (h *host) noteMemory(ctx context.Context) error {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return err
	}
	memory, err := proc.Meminfo()
	if err != nil || memory.MemAvailableBytes == nil {
		return fmt.Errorf("how much memory is free: %w", err)
	}
	return h.Store.HasMemory(ctx, h.c.Worker.HostID, int64(*memory.MemAvailableBytes)) //nolint:gosec // no machine has so much
}

// resumesAtOnce is how many previews are started at once: an engine takes a while for each, and a host may have hundreds.
const resumesAtOnce = 8

// resumePreviews starts the live previews that stand still, as after `make down`, a restart of the machine or the death of
// the Docker engine, which counts what it finds running then as stopped by hand. It reports whether it could look at every
// one of them.
func (h *host) resumePreviews(ctx context.Context) bool {
	previews, err := h.Store.LivePreviews(ctx, h.c.Worker.HostID)
	if err != nil {
		h.Log.Warn("list live previews", "error", err)
		return false
	}
	var group errgroup.Group // what cannot be started keeps no other from it
	group.SetLimit(resumesAtOnce)
	for _, p := range previews {
		group.Go(func() error {
			err := h.resume(ctx, p)
			if err != nil {
				h.Log.Warn("resume preview", "deployment", p.DeploymentID, "error", err)
			}
			return err
		})
	}
	return group.Wait() == nil
}

func (h *host) resume(ctx context.Context, p deployment.Preview) error {
	there, err := h.engine.Resume(ctx, p.Container)
	if err != nil || there {
		return err
	}
	h.Log.Warn("container of a live preview is gone", "deployment", p.DeploymentID, "container", p.Container)
	return h.Store.LosePreview(ctx, p.DeploymentID, p.Host)
}

// followPreviews logs what previews of this host print from now on, and what they have printed since they were followed last.
func (h *host) followPreviews(ctx context.Context) {
	previews, err := h.Store.PreviewsOn(ctx, h.c.Worker.HostID)
	if err != nil {
		if ctx.Err() == nil {
			h.Log.Warn("list previews to follow", "error", err)
		}
		return
	}
	h.outputs.Follow(ctx, previews)
}

// noteLive wakes tend; one word is enough.
func (h *host) noteLive() {
	select {
	case h.wentLive <- struct{}{}:
	default:
	}
}

func (h *host) sweeper() *activities.Sweeper {
	return &activities.Sweeper{
		LeftOvers: h.Store, Ledger: h.Store, Engine: h.engine, Workspaces: h.workspaces, Mirrors: h.mirrors, Projects: h.Store, HostID: h.c.Worker.HostID, Alone: h.alone.Take,
		Age: h.c.Timeouts.ScheduleToStart + h.c.Timeouts.DrainWait, Settled: 5 * h.c.Timeouts.HeartbeatInterval, StopGrace: h.c.Timeouts.StopWait,
		Swept: func(n int) { h.Telemetry.Metrics.Repaired("swept", n) },
	}
}

func (h *host) sweepLeftOvers(ctx context.Context) {
	swept, err := h.sweeper().Sweep(ctx)
	if swept > 0 {
		h.Log.Info("put right what the ledger and this host did not agree on", "things", swept)
	}
	if err != nil && ctx.Err() == nil {
		h.Log.Warn("sweep what deployments left", "error", err)
	}
}
