package buildkit

import (
	"fmt"

	"github.com/docker/go-units"
)

// freeSpace is the share of the disk that the cache leaves free, whatever its bound; reserve is the part of its bound that it
// has nevertheless.
const (
	freeSpace = "10%"
	reserve   = 10 // a tenth
)

// collection is a rule of buildkitd's garbage collector: what it removes, the longest unused and least used first, as long as all
// of the cache together is beyond its bound.
type collection struct {
	of     string // quoted filters, of which one has to fit; "" for everything
	unused string // for at least so long; "" for any time
	all    bool   // what buildkitd made for itself too
}

// collections are what goes beyond the bound, in this order. Layers can be made again by one step; a cache mount is what makes
// the steps of all later builds quick, so one that was used this week outlives every layer that no build uses right now. By
// buildkitd's own rules cache mounts are trimmed to 512 MB after two days: every npm ci starts cold on a Monday.
func collections() []collection {
	const layers, mounts = `"type!=exec.cachemount"`, `"type==exec.cachemount"`
	return []collection{
		{of: layers, unused: "24h"},
		{of: mounts, unused: "168h"},
		{of: layers, all: true},
		{all: true},
	}
}

// cache writes the rules. Contexts and checkouts that were sent for a build are sent again in seconds: they go after two
// days already when the cache is beyond a tenth of its bound.
func (c DaemonConfig) cache(line func(string, ...any)) {
	line("# What goes beyond the bound, in this order: layers unused for a day, cache mounts unused for a week, other layers, the rest.")
	line("[[worker.oci.gcpolicy]]\nfilters = [\"type==source.local\", \"type==source.git.checkout\"]\nkeepDuration = \"48h\"\nmaxUsedSpace = %q", space(c.CacheBytes/reserve))
	for _, each := range collections() {
		line("[[worker.oci.gcpolicy]]")
		if each.all {
			line("all = true")
		}
		if each.of != "" {
			line("filters = [%s]", each.of)
		}
		if each.unused != "" {
			line("keepDuration = %q", each.unused)
		}
		line("maxUsedSpace = %q\nreservedSpace = %q\nminFreeSpace = %q", space(c.CacheBytes), space(c.CacheBytes/reserve), freeSpace)
	}
}

// space writes a number of bytes as people do, when that is exact.
func space(bytes int64) string {
	text := units.BytesSize(float64(bytes))
	if exact, err := units.RAMInBytes(text); err != nil || exact != bytes {
		return fmt.Sprint(bytes)
	}
	return text
}
