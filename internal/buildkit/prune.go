package buildkit

import (
	"context"
	"fmt"
	"math"

	"github.com/moby/buildkit/client"
)

// exceptMounts leaves out what package managers keep from build to build: without it the next build of everybody is slow.
var exceptMounts = client.Filter{"type!=exec.cachemount"}

// Prune removes what the daemon's builds can do without, least recently used first, until minFree bytes of its disk are free,
// root's reserve included, and returns how many bytes it freed. Cache mounts stay unless mounts says otherwise; what a build
// that is under way uses always does.
func (b *Builder) Prune(ctx context.Context, minFree int64, mounts bool) (freed int64, err error) {
	options := []client.PruneOption{client.PruneAll, client.WithKeepOpt(0, 0, math.MaxInt64, minFree)}
	if !mounts {
		options = append(options, exceptMounts)
	}
	records := make(chan client.UsageInfo)
	counted := make(chan int64)
	go func() {
		var sum int64
		for r := range records {
			sum += r.Size
		}
		counted <- sum
	}()
	err = b.client.Prune(ctx, records, options...)
	close(records)
	freed = <-counted
	if err != nil {
		return freed, fmt.Errorf("prune the cache of builder %s: %w", b.address, err)
	}
	return freed, nil
}
