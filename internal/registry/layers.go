package registry

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Layers returns the layers of an image, none when it is not there. Of an index it is the first image, which is the only one of
// what slipway builds: attestations come after it.
func (c Client) Layers(ctx context.Context, image string) ([]deployment.Layer, error) {
	img, err := c.image(ctx, image)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", image, err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", image, err)
	}
	layers := make([]deployment.Layer, len(manifest.Layers))
	for i, l := range manifest.Layers {
		layers[i] = deployment.Layer{Digest: l.Digest.String(), Bytes: l.Size}
	}
	return layers, nil
}

func (c Client) image(ctx context.Context, image string) (v1.Image, error) {
	ref, err := c.parse(image)
	if err != nil {
		return nil, err
	}
	found, err := remote.Get(ref, remote.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if !found.MediaType.IsIndex() {
		return found.Image()
	}
	index, err := found.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) == 0 {
		return nil, errors.New("the index is empty")
	}
	return index.Image(manifest.Manifests[0].Digest)
}
