package registry_test

import (
	"log/slog"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestLayers(t *testing.T) {
	t.Parallel()
	c := serve(t, t.TempDir(), slog.New(slog.DiscardHandler))
	img, err := random.Image(1000, 3)
	require.NoError(t, err)
	attestation, err := random.Image(10, 1)
	require.NoError(t, err)
	push := func(tag string, write func(name.Reference) error) string {
		ref, err := name.ParseReference(c.Host+"/app:"+tag, name.Insecure)
		require.NoError(t, err)
		require.NoError(t, write(ref))
		return ref.Name()
	}
	alone := push("alone", func(ref name.Reference) error { return remote.Write(ref, img) })
	index := push("index", func(ref name.Reference) error {
		return remote.WriteIndex(ref, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img},
			mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}}))
	})
	manifest, err := img.Manifest()
	require.NoError(t, err)
	for _, image := range []string{alone, index} {
		layers, err := c.Layers(t.Context(), image)
		require.NoError(t, err)
		require.Len(t, layers, 3)
		require.Equal(t, deployment.Layer{Digest: manifest.Layers[2].Digest.String(), Bytes: manifest.Layers[2].Size}, layers[2])
	}
	layers, err := c.Layers(t.Context(), c.Host+"/app:none")
	require.NoError(t, err)
	require.Nil(t, layers)
}
