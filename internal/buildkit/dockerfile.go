package buildkit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	dockerfileName = "Dockerfile"
	ignoreSuffix   = ".dockerignore" // of ignore patterns that are for one Dockerfile alone
	maxIgnore      = 1 << 20
)

// writeDockerfile makes a folder with r's Dockerfile, and with the ignore patterns that the repository has beside it: the daemon
// looks for those where it finds the Dockerfile.
func (b *Builder) writeDockerfile(r deployment.BuildRequest) (dir string, err error) {
	dir, err = os.MkdirTemp(b.tempDir, "slipway-dockerfile-")
	if err != nil {
		return "", fmt.Errorf("write Dockerfile: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := os.WriteFile(filepath.Join(dir, dockerfileName), []byte(r.Dockerfile), 0o600); err != nil {
		return "", fmt.Errorf("write Dockerfile: %w", err)
	}
	if r.DockerfilePath == "" {
		return dir, nil
	}
	patterns, err := ignoreBeside(r)
	if err != nil || patterns == nil {
		return dir, err
	}
	if err := os.WriteFile(filepath.Join(dir, dockerfileName+ignoreSuffix), patterns, 0o600); err != nil {
		return "", fmt.Errorf("write Dockerfile: %w", err)
	}
	return dir, nil
}

// ignoreBeside reads the file of ignore patterns beside a repository's Dockerfile; nil when there is none.
func ignoreBeside(r deployment.BuildRequest) ([]byte, error) {
	root, err := os.OpenRoot(r.ContextDir)
	if err != nil {
		return nil, fmt.Errorf("read build context: %w", err)
	}
	defer func() { _ = root.Close() }()           // holds no data
	const wait = os.O_RDONLY | syscall.O_NONBLOCK // a pipe that nobody writes would hold the build up
	file, err := root.OpenFile(filepath.FromSlash(r.DockerfilePath)+ignoreSuffix, wait, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	name := r.DockerfilePath + ignoreSuffix
	const fix = "make it an ordinary file of ignore patterns"
	if err != nil {
		return nil, deployment.UserFailure("build.ignore_unreadable", fix, "read %s: %w", name, err)
	}
	defer func() { _ = file.Close() }() // was only read
	patterns, err := io.ReadAll(io.LimitReader(file, maxIgnore+1))
	if err != nil || len(patterns) > maxIgnore {
		return nil, deployment.UserFailure("build.ignore_unreadable", fix, "read %s: %w", name, errors.Join(err, fmt.Errorf("%d bytes are read at most", maxIgnore)))
	}
	return patterns, nil
}
