package roles

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/disk"
)

const (
	guardEvery = 200 * time.Millisecond
	guardPause = 5 * time.Second // for BuildKit to give back what an ended command has written
)

// guardDisk ends builds that fill a disk: with half of SLIPWAY_MIN_FREE_DISK left the command that has written most goes, or all that is on the
// disk would go down with it. It needs a buildkitd of this process: of others it cannot tell whose a command is.
func (h *host) guardDisk(ctx context.Context) {
	watch := disk.Watch{Folders: h.room.watch.Folders, Least: h.room.watch.Least / 2}
	if h.Steps == nil || watch.Least == 0 {
		return
	}
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	var ended time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		short, _ := watch.Look() // watchDisk tells what is wrong with looking
		if short != nil && time.Since(ended) > guardPause && h.Steps.EndLargest() {
			ended = time.Now()
			h.Log.Warn("a disk is nearly full: the build step that has written most was ended", "folder", short.Folder, "free", disk.Size(short.Free))
		}
	}
}
