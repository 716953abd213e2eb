package roles

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/disk"
)

const (
	lookEvery = 2 * time.Second
	makeEvery = 30 * time.Second // between two rounds of making room while there is none
	pruneTime = 5 * time.Minute  // for BuildKit to free what it can
	mootFor   = 10 * time.Minute // how long BuildKit is left alone after it freed what was of no use

	diskFix = "free disk space on the host, or set SLIPWAY_MIN_FREE_DISK lower; builds begin again by themselves"
)

// room is whether a host has room for another build.
type room struct {
	watch disk.Watch

	mu    sync.Mutex
	short *disk.Shortage
	moot  time.Time // when BuildKit gave cache away and the disk that is low gained nothing

	made  time.Time // when room was last made, likewise below: for watchDisk alone
	fault string    // what is wrong with looking, as it was last logged
}

// now is what the host is short of, nil for nothing.
func (r *room) now() *disk.Shortage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.short
}

// look looks at the disks and reports whether that changed what builds may do.
func (r *room) look() (short *disk.Shortage, changed bool, err error) {
	short, err = r.watch.Look()
	r.mu.Lock()
	defer r.mu.Unlock()
	changed = (short == nil) != (r.short == nil)
	r.short = short
	if changed && short == nil {
		r.moot = time.Time{}
	}
	return short, changed, err
}

// pruned notes whether it helped that BuildKit gave cache away.
func (r *room) pruned(helped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !helped {
		r.moot = time.Now()
	}
}

// isMoot reports whether BuildKit was of no help lately.
func (r *room) isMoot() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.moot) < mootFor
}

// closed says why this host gives no build slot away, nil while it does.
func (h *host) closed() error {
	short := h.room.now()
	if short == nil {
		return nil
	}
	return deployment.DiskFailure("host.disk_low", diskFix, "host %s: %s in %s", h.c.Worker.HostID, short, short.Folder)
}

// reason says the same to those who wait; empty while the host gives slots away.
func (h *host) reason() string {
	short := h.room.now()
	if short == nil {
		return ""
	}
	return "disk space on host " + h.c.Worker.HostID + " (" + short.String() + ")"
}

// watchDisk closes this host's free build slots while a disk of its is low, and makes room, which may take minutes: somebody else
// may be quicker. Builds under way go on.
func (h *host) watchDisk(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var making chan struct{} // closed when room was made; nil when that is not under way
	for {
		if short := h.lookAtDisk(ctx); short != nil && making == nil && time.Since(h.room.made) >= makeEvery {
			h.room.made, making = time.Now(), make(chan struct{})
			go func() { defer close(making); h.makeRoom(ctx, *short) }()
		}
		select {
		case <-tick.C:
		case <-making:
			making = nil
		case <-ctx.Done():
			if making != nil {
				<-making
			}
			return
		}
	}
}

// lookAtDisk looks, and tells everybody whom a change concerns.
func (h *host) lookAtDisk(ctx context.Context) *disk.Shortage {
	short, changed, err := h.room.look()
	h.noteFault(err)
	if !changed {
		return short
	}
	if short != nil {
		h.Log.Warn("disk is low: no build begins here", "folder", short.Folder, "free", disk.Size(short.Free), "needed", disk.Size(short.Needed))
	} else {
		h.Log.Info("there is room on the disk: builds begin again")
		h.room.made = time.Time{}
		h.leases.Free()
	}
	if err := h.Store.CloseSlots(ctx, h.c.Worker.HostID, h.reason()); err != nil && ctx.Err() == nil {
		h.Log.Warn("note whether builds begin here", "error", err) // noteAlive will
	}
	return short
}

func (h *host) noteFault(err error) {
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	if fault != "" && fault != h.room.fault {
		h.Log.Warn("watch the disks", "error", err)
	}
	h.room.fault = fault
}

// makeRoom removes what nobody needs, then what makes later builds slower, until there is room: what deploys left behind,
// what no tag in the registry leads to, mirrors of repositories, BuildKit's cache, its cache mounts.
func (h *host) makeRoom(ctx context.Context, short disk.Shortage) {
	for _, way := range []struct {
		name string
		free func(context.Context) error
	}{
		{"workspaces", h.sweepAll},
		{"registry", h.MakeRoom},
		{"git mirrors", func(context.Context) error { return h.mirrors.RemoveAll() }},
		{"cache", func(ctx context.Context) error { return h.prune(ctx, short, false) }},
		{"cache mounts", func(ctx context.Context) error { return h.prune(ctx, short, true) }},
	} {
		if way.free == nil {
			continue
		}
		if err := way.free(ctx); err != nil && ctx.Err() == nil {
			h.Log.Warn("make room on the disk", "by", way.name, "error", err)
		}
		if short, err := h.room.watch.Look(); err == nil && short == nil || ctx.Err() != nil {
			return
		}
	}
}

// sweepAll removes what no deployment that is under way needs on this host.
func (h *host) sweepAll(ctx context.Context) error {
	h.sweepLeftOvers(ctx)
	return h.slots().SweepStrays(ctx)
}

// prune lets the buildkitds of this machine give away cache, unless that was of no use lately: then their disks are others.
func (h *host) prune(ctx context.Context, short disk.Shortage, mounts bool) error {
	local := h.builder.Local()
	if h.room.isMoot() || len(local) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pruneTime)
	defer cancel()
	var all int64
	var errs []error
	for _, builder := range local {
		freed, err := builder.Prune(ctx, int64(min(short.Needed+short.Reserved, math.MaxInt64)), mounts)
		all, errs = all+freed, append(errs, err)
	}
	if all == 0 {
		return errors.Join(errs...)
	}
	after, lookErr := disk.Look(short.Folder)
	helped := lookErr != nil || after.Free > short.Free
	h.room.pruned(helped)
	h.Log.Info("pruned BuildKit's cache to make room", "bytes", all, "cache_mounts", mounts, "helped", helped)
	return errors.Join(errs...)
}
