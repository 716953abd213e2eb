package buildkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// maxManifest bounds a manifest: registries take 4 MiB.
const maxManifest = 4 << 20

// layers asks the daemon for the layers of an image that it has just made. It keeps the manifests of its history's images.
func (b *Builder) layers(ctx context.Context, digest string) ([]deployment.Layer, error) {
	for range 2 { // an index of the image and its attestations leads to the image
		data, err := b.content(ctx, digest)
		if err != nil {
			return nil, fmt.Errorf("read manifest %s: %w", digest, err)
		}
		index, err := v1.ParseIndexManifest(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("decode manifest %s: %w", digest, err)
		}
		if len(index.Manifests) == 0 {
			manifest, err := v1.ParseManifest(bytes.NewReader(data))
			if err != nil {
				return nil, fmt.Errorf("decode manifest %s: %w", digest, err)
			}
			return layersOf(manifest), nil
		}
		digest = index.Manifests[0].Digest.String() // the attestations come after the image
	}
	return nil, errors.New("manifest " + digest + " is an index of indexes")
}

func layersOf(manifest *v1.Manifest) []deployment.Layer {
	layers := make([]deployment.Layer, len(manifest.Layers))
	for i, l := range manifest.Layers {
		layers[i] = deployment.Layer{Digest: l.Digest.String(), Bytes: l.Size}
	}
	return layers
}

// content reads a blob of the daemon's.
func (b *Builder) content(ctx context.Context, digest string) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	stream, err := b.client.ContentClient().Read(ctx, &contentapi.ReadContentRequest{Digest: digest})
	if err != nil {
		return nil, err
	}
	var data []byte
	for len(data) <= maxManifest {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		data = append(data, part.Data...)
	}
	return nil, fmt.Errorf("is larger than %d bytes", maxManifest)
}
