package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Client looks into a registry and changes it.
type Client struct {
	Host     string                                    // host:port that names without a host belong to
	Insecure bool                                      // plain HTTP
	Logins   func() (deployment.RegistryLogins, error) // asked each time, as passwords change; nil for none
}

// Ping asks the registry for a sign of life.
func (c Client) Ping(ctx context.Context) error {
	var opts []name.Option
	if c.Insecure {
		opts = append(opts, name.Insecure)
	}
	host, err := name.NewRegistry(c.Host, opts...)
	if err == nil {
		_, err = transport.Ping(ctx, host, http.DefaultTransport)
	}
	if err != nil {
		return fmt.Errorf("ask registry %s: %w", c.Host, err)
	}
	return nil
}

// Digest returns the digest of what host/repository:tag or host/repository@digest points to, "" when it is not there.
func (c Client) Digest(ctx context.Context, image string) (string, error) {
	ref, err := c.parse(image)
	if err != nil {
		return "", err
	}
	found, err := remote.Head(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(c))
	if isNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up image %s: %w", image, err)
	}
	return found.Digest.String(), nil
}

// Delete removes what image points to: a tag alone (other names of the image stay), or a manifest with all its tags when
// image names a digest. One that is not there is not an error. Layers stay on disk until a sweep.
func (c Client) Delete(ctx context.Context, image string) error {
	ref, err := c.parse(image)
	if err != nil {
		return err
	}
	if err := remote.Delete(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(c)); err != nil && !isNotFound(err) {
		return fmt.Errorf("delete image %s: %w", image, err)
	}
	return nil
}

// Tags lists the tags of a repository, none when it is not there.
func (c Client) Tags(ctx context.Context, repository string) ([]string, error) {
	ref, err := c.parse(repository)
	if err != nil {
		return nil, err
	}
	tags, err := remote.List(ref.Context(), remote.WithContext(ctx), remote.WithAuthFromKeychain(c))
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list tags of %s: %w", repository, err)
	}
	return tags, nil
}

// parse reads an image's name; one without a host is the client's own.
func (c Client) parse(image string) (name.Reference, error) {
	opts := []name.Option{name.WithDefaultRegistry(c.Host)}
	if c.Insecure {
		opts = append(opts, name.Insecure)
	}
	ref, err := name.ParseReference(image, opts...)
	if err != nil {
		return nil, fmt.Errorf("parse image name %q: %w", image, err)
	}
	return ref, nil
}

// push writes img under image's name, unless the registry has exactly that already.
func (c Client) push(ctx context.Context, image string, img v1.Image) error {
	ref, err := c.parse(image)
	if err != nil {
		return err
	}
	want, err := img.Digest()
	if err != nil {
		return fmt.Errorf("read image %s: %w", image, err)
	}
	have, err := c.Digest(ctx, ref.Name())
	if err != nil {
		return err
	}
	if have == want.String() {
		return nil
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx), remote.WithAuthFromKeychain(c)); err != nil {
		return fmt.Errorf("push image %s: %w", image, err)
	}
	return nil
}

func isNotFound(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
