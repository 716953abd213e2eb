package registry

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Import pushes the image in a tarball, plain or gzipped, under image's name. The tarball is what `docker save` writes for
// one image, an OCI layout (its image for this machine's architecture), or a bare root file system.
func (c Client) Import(ctx context.Context, image, tarPath string) error {
	kind, err := tarballKind(tarPath)
	if err != nil {
		return fmt.Errorf("import image %s from %s: %w", image, tarPath, err)
	}
	if kind == kindRootFS {
		return c.ImportRootFS(ctx, image, tarPath, RootFS{Cmd: []string{"sh"}})
	}
	var img v1.Image
	if kind == kindDocker {
		img, err = tarball.Image(func() (io.ReadCloser, error) { return openTarball(tarPath) }, nil)
	} else {
		var dir string
		if dir, err = os.MkdirTemp("", "slipway-import-"); err == nil {
			defer func() { _ = os.RemoveAll(dir) }() // a temporary copy: nothing depends on it
			img, err = layoutImage(tarPath, dir)
		}
	}
	if err != nil {
		return fmt.Errorf("import image %s from %s: %w", image, tarPath, err)
	}
	return c.push(ctx, image, img)
}

// tarKind says what a tarball holds.
type tarKind int

const (
	kindDocker tarKind = iota
	kindLayout
	kindRootFS
)

// tarballKind looks at the names in a tarball. Docker's own format comes first: newer engines write both.
func tarballKind(tarPath string) (tarKind, error) {
	found := map[string]bool{}
	err := eachEntry(tarPath, func(name string, _ *tar.Header, _ io.Reader) error {
		found[name] = true
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case found["manifest.json"]:
		return kindDocker, nil
	case found["index.json"] && found["oci-layout"]:
		return kindLayout, nil
	case found["etc"] || found["bin"] || found["usr"]:
		return kindRootFS, nil
	}
	return 0, errors.New("is neither an image that docker save wrote, nor an OCI layout, nor a root file system")
}

// layoutImage unpacks an OCI layout into dir and returns its image for this machine's architecture.
func layoutImage(tarPath, dir string) (v1.Image, error) {
	if err := unpackLayout(tarPath, dir); err != nil {
		return nil, err
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	images, err := partial.FindImages(index, func(d v1.Descriptor) bool {
		return d.MediaType.IsImage() && (d.Platform == nil || d.Platform.Architecture == runtime.GOARCH && d.Platform.OS == "linux")
	})
	if err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, fmt.Errorf("holds no image for linux/%s", runtime.GOARCH)
	}
	return images[0], nil
}

// unpackLayout writes a layout's regular files into dir; os.Root keeps names such as ../x inside it.
func unpackLayout(tarPath, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return eachEntry(tarPath, func(name string, h *tar.Header, content io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		file, err := root.Create(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	})
}

// eachEntry calls visit for every entry of a tarball with its cleaned name.
func eachEntry(tarPath string, visit func(name string, h *tar.Header, content io.Reader) error) error {
	file, err := openTarball(tarPath)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for entries := tar.NewReader(file); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(path.Clean(header.Name), header, entries); err != nil {
			return err
		}
	}
}

// openTarball opens a tarball and takes gzip off it.
func openTarball(tarPath string) (io.ReadCloser, error) {
	file, err := os.Open(tarPath)
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReader(file)
	if magic, err := buffered.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return readCloser{buffered, file}, nil
	}
	plain, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return readCloser{plain, file}, nil
}

// readCloser reads from what was put over a file and closes the file.
type readCloser struct {
	io.Reader
	io.Closer
}
