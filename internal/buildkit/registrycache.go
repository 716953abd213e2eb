package buildkit

import (
	"maps"
	"strconv"

	"github.com/moby/buildkit/client"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// cacheImports are where the results of steps come from that this daemon has none of: of two results it takes its own
// (solver/combinedcache.go of BuildKit v0.34). It builds as if there were no cache when one cannot be read; a layer it fetches only when a
// step or the export needs that, which fails when it is gone.
func (b *Builder) cacheImports(r deployment.BuildRequest) (from []client.CacheOptionsEntry) {
	for _, image := range r.CacheFrom {
		from = append(from, b.inRegistry(image, nil))
	}
	return from
}

// cacheExports are where the results of all steps go, those of earlier stages too. The layers are compressed like an image's, so that
// the registry has those of the last stage already. A manifest, and not the index that older readers expect: to registries an index
// lists manifests, and what clears them of garbage would take the layers in it for such.
func (b *Builder) cacheExports(r deployment.BuildRequest) []client.CacheOptionsEntry {
	if r.CacheTo == "" {
		return nil
	}
	attrs := map[string]string{"mode": "max", "image-manifest": "true", "oci-mediatypes": "true"}
	maps.Copy(attrs, compression())
	return []client.CacheOptionsEntry{b.inRegistry(r.CacheTo, attrs)}
}

// inRegistry says that a cache is in the registry that images are pushed to.
func (b *Builder) inRegistry(image string, attrs map[string]string) client.CacheOptionsEntry {
	entry := client.CacheOptionsEntry{Type: "registry", Attrs: map[string]string{"ref": image, "registry.insecure": strconv.FormatBool(b.insecure)}}
	maps.Copy(entry.Attrs, attrs)
	return entry
}
