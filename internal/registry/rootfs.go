package registry

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// RootFS describes an image that is made from one root file system.
type RootFS struct {
	Env   []string `json:"env"`
	Shell []string `json:"shell"` // of a Dockerfile's RUN lines
	Cmd   []string `json:"cmd"`
	// Digest and DiffID are the sha256 of the gzipped tarball and of the tar inside. With both given, an image that the
	// registry already has is recognised without reading the tarball; they are computed otherwise.
	Digest string `json:"digest"`
	DiffID string `json:"diff_id"`
}

// imageCreated is the creation time of every image made here: the same file system must give the same digest.
var imageCreated = v1.Time{Time: time.Unix(0, 0).UTC()}

// ImportRootFS pushes the root file system in tarPath (a tar, plain or gzipped) as an image of one layer under image's
// name. The same tarball and configuration always give the same digest.
func (c Client) ImportRootFS(ctx context.Context, image, tarPath string, rootfs RootFS) error {
	layer, err := rootfsLayer(tarPath, rootfs)
	if err != nil {
		return fmt.Errorf("read root file system %s: %w", tarPath, err)
	}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: runtime.GOARCH,
		OS:           "linux",
		Created:      imageCreated,
		Config:       v1.Config{Env: withPath(rootfs.Env), Shell: rootfs.Shell, Cmd: rootfs.Cmd},
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return fmt.Errorf("make image %s: %w", image, err)
	}
	img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: imageCreated, CreatedBy: "slipway base image"}})
	if err != nil {
		return fmt.Errorf("make image %s: %w", image, err)
	}
	return c.push(ctx, image, img)
}

// withPath puts PATH first: engines would fill it in, but a Dockerfile's ENV PATH=/x:$PATH needs it to be there.
func withPath(env []string) []string {
	return append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
}

func rootfsLayer(path string, rootfs RootFS) (v1.Layer, error) {
	if rootfs.Digest == "" || rootfs.DiffID == "" {
		return tarball.LayerFromFile(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	digest, err := v1.NewHash(rootfs.Digest)
	if err != nil {
		return nil, err
	}
	diffID, err := v1.NewHash(rootfs.DiffID)
	if err != nil {
		return nil, err
	}
	return &gzippedLayer{path: path, size: info.Size(), digest: digest, diffID: diffID}, nil
}

// gzippedLayer is a gzipped layer on disk whose digests are known. The registry checks them when it is pushed.
type gzippedLayer struct {
	path           string
	size           int64
	digest, diffID v1.Hash
}

// Digest returns the digest of the gzipped layer.
func (l *gzippedLayer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID returns the digest of the tar inside.
func (l *gzippedLayer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// Size returns the size of the gzipped layer in bytes.
func (l *gzippedLayer) Size() (int64, error) { return l.size, nil }

// MediaType returns the type that every engine pulls.
func (l *gzippedLayer) MediaType() (types.MediaType, error) { return types.DockerLayer, nil }

// Compressed opens the gzipped layer.
func (l *gzippedLayer) Compressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Uncompressed opens the tar inside.
func (l *gzippedLayer) Uncompressed() (io.ReadCloser, error) {
	layer, err := tarball.LayerFromFile(l.path)
	if err != nil {
		return nil, err
	}
	return layer.Uncompressed()
}
