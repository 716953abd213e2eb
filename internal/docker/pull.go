package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Pull gets an image by digest ("host/repository@sha256:…") onto the engine. One that is there already is not asked for
// again: a digest names its content. progress may be nil.
func (e *Engine) Pull(ctx context.Context, ref string, progress func(deployment.Progress)) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	if _, err := e.client.ImageInspect(ctx, ref); err == nil {
		return nil
	}
	login, err := e.login(ctx, ref)
	if err != nil {
		return fmt.Errorf("pull %s: %w", ref, err)
	}
	stream, err := e.client.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: login})
	if err != nil {
		return e.pullFailure(ctx, ref, err)
	}
	defer func() { _ = stream.Close() }()
	return e.pullFailure(ctx, ref, readPull(stream, progress))
}

// readPull reads the stream of a pull to its end and returns the error inside it: the engine answers 200 before it knows
// how the pull ends.
func readPull(stream io.Reader, progress func(deployment.Progress)) error {
	layers := pulled{}
	messages := json.NewDecoder(stream)
	for {
		var m jsonmessage.JSONMessage
		if err := messages.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read progress: %w", err)
		}
		if m.Error != nil {
			return m.Error
		}
		if layers.note(m) && progress != nil {
			progress(layers.progress())
		}
	}
}

// layer is how far one layer of a pull is.
type layer struct {
	got, size int64
	done      bool
}

// pulled adds up the layers of a pull by their id.
type pulled map[string]*layer

// note takes in one message and reports whether it said anything about a layer.
func (p pulled) note(m jsonmessage.JSONMessage) bool {
	if m.ID == "" {
		return false
	}
	switch m.Status {
	case "Pulling fs layer", "Waiting":
		p.layer(m.ID)
	case "Downloading":
		if l := p.layer(m.ID); m.Progress != nil {
			l.got, l.size = m.Progress.Current, m.Progress.Total
		}
	case "Download complete", "Verifying Checksum":
		l := p.layer(m.ID)
		l.got = l.size
	case "Pull complete", "Already exists":
		l := p.layer(m.ID)
		l.got, l.done = l.size, true
	default:
		return false
	}
	return true
}

func (p pulled) layer(id string) *layer {
	if p[id] == nil {
		p[id] = &layer{}
	}
	return p[id]
}

func (p pulled) progress() deployment.Progress {
	sum := deployment.Progress{Phase: deployment.PhasePull, Total: len(p)}
	var size int64
	for _, l := range p {
		sum.Bytes += l.got
		size += l.size
		if l.done {
			sum.Done++
		}
	}
	if size > 0 {
		sum.Percent = int(100 * sum.Bytes / size)
	}
	return sum
}

// login returns the engine's form of the credentials for ref's registry, empty for none.
func (e *Engine) login(ctx context.Context, ref string) (string, error) {
	if e.options.Credentials == nil {
		return "", nil
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", fmt.Errorf("image name: %w", err)
	}
	host := reference.Domain(named)
	username, password, err := e.options.Credentials(ctx, host)
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", host, err)
	}
	if username == "" && password == "" {
		return "", nil
	}
	return registry.EncodeAuthConfig(registry.AuthConfig{Username: username, Password: password, ServerAddress: host})
}

// pullFailure classifies by text as well: errors inside the stream carry no type.
func (e *Engine) pullFailure(ctx context.Context, ref string, err error) error {
	doing := "pull " + ref
	switch {
	case err == nil || ctx.Err() != nil || unreachable(err):
		return e.failure(ctx, doing, err)
	case errdefs.IsNotFound(err), mentions(err, "manifest unknown", "not found", "name unknown", "repository does not exist"):
		return deployment.PlatformFailure("release.image_missing",
			"see that the registry kept the image and that the engine pulls from the registry that the build pushed to", "%s: %w", doing, err)
	case errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err), mentions(err, "unauthorized", "denied", "no basic auth credentials", "authentication required"):
		return deployment.PlatformFailure("release.pull_denied", "check the pull credentials of the registry", "%s: %w", doing, err)
	case mentions(err, "no space left"):
		return deployment.DiskFailure("release.disk_full", "free disk space on the preview host", "%s: %w", doing, err)
	default:
		return deployment.AwayFailure(deployment.ComponentRegistry, "release.pull_failed", "see that the Docker engine reaches the registry", "%s: %w", doing, err)
	}
}
