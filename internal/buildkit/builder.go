package buildkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer" // docker-container://
	_ "github.com/moby/buildkit/client/connhelper/kubepod"         // kube-pod://
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Options say which buildkitd to use and how it reaches the registry.
type Options struct {
	Address          string // unix:///path, tcp://host:port, docker-container://name or kube-pod://name
	RegistryInsecure bool   // push by plain HTTP or past a certificate that nobody signed
	// For tcp: files in PEM form. CA alone checks the server; all three authenticate both sides.
	CA, Cert, Key string
	Logins        func() (deployment.RegistryLogins, error) // of registries, asked before each solve; nil for none
	TempDir       string                                    // for Dockerfiles on their way to the daemon; "" means the system's
	Steps         *Steps                                    // of a daemon on this machine whose commands somebody may end; nil for none
	// DockerLogin lets the daemon have what `docker login` has stored for the registries that it asks for: for a person's own
	// builds. A worker's Docker configuration is nothing to those who deploy.
	DockerLogin bool
}

// Builder builds images on one buildkitd. It is safe for concurrent use.
type Builder struct {
	address  string
	insecure bool
	tempDir  string
	logins   func() (deployment.RegistryLogins, error)
	client   *client.Client
	steps    *Steps

	dockerLogin bool
}

// New returns a Builder for the daemon at opts.Address. It connects at the first use, so a daemon that is down now makes
// only the builds fail that need it.
func New(ctx context.Context, opts Options) (*Builder, error) {
	var tls []client.ClientOpt
	if opts.CA != "" {
		tls = append(tls, client.WithServerConfig("", opts.CA))
	}
	if opts.Cert != "" {
		tls = append(tls, client.WithCredentials(opts.Cert, opts.Key))
	}
	c, err := client.New(ctx, opts.Address, tls...)
	if err != nil {
		return nil, fmt.Errorf("use builder %s: %w", opts.Address, err)
	}
	return &Builder{
		address: opts.Address, insecure: opts.RegistryInsecure, tempDir: opts.TempDir, logins: opts.Logins, client: c, dockerLogin: opts.DockerLogin,
		steps: opts.Steps,
	}, nil
}

// Address returns where the daemon listens.
func (b *Builder) Address() string { return b.address }

// Ping asks the daemon for a sign of life.
func (b *Builder) Ping(ctx context.Context) error {
	if _, err := b.client.Info(ctx); err != nil {
		return fmt.Errorf("ask builder %s: %w", b.address, err)
	}
	return nil
}

// Close closes the connection to the daemon, which cancels the solves that are under way.
func (b *Builder) Close() error { return b.client.Close() }

// Solve builds r's Dockerfile in r's context, pushes the image or writes it where r says, and returns its digest. What happens is told to sink, one
// thing at a time, and nothing is told after Solve returned. When ctx ends, Solve returns its error once the daemon has
// stopped the build, within a second or so. What goes wrong with the build itself is a *deployment.Failure. The daemon keeps no record
// of a solve that has returned.
func (b *Builder) Solve(ctx context.Context, r deployment.BuildRequest, sink deployment.BuildSink) (deployment.BuildOutcome, error) {
	defer b.forget(ctx, r.Ref)
	return b.build(ctx, r, sink)
}

func (b *Builder) build(ctx context.Context, r deployment.BuildRequest, sink deployment.BuildSink) (deployment.BuildOutcome, error) {
	dir, err := b.writeDockerfile(r)
	if err != nil {
		return deployment.BuildOutcome{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary copy: nothing depends on it
	opt, err := b.solveOpt(r, dir)
	if err != nil {
		return deployment.BuildOutcome{}, err
	}
	tale, begun := newNarrator(sink, sectionsOf(r)), time.Now()
	res, err := b.solve(ctx, opt, tale)
	if ended := endOf(ctx, err); ended != nil {
		return deployment.BuildOutcome{}, fmt.Errorf("solve %s: %w", r.Ref, ended)
	}
	if err != nil {
		return deployment.BuildOutcome{}, classify(err, b.address, tale, b.steps)
	}
	digest := res.ExporterResponse[exptypes.ExporterImageDigestKey]
	if digest == "" && r.Output.Kind != deployment.OutputNone {
		return deployment.BuildOutcome{}, errors.New("solve " + r.Ref + ": the builder named no digest")
	}
	return b.outcome(ctx, digest, tale.figures(time.Since(begun))), nil
}

// outcome adds the layers of the image to a solve's figures, where the daemon tells them: one that keeps no history may not.
func (b *Builder) outcome(ctx context.Context, digest string, figures deployment.BuildFigures) deployment.BuildOutcome {
	out := deployment.BuildOutcome{Digest: digest, BuildFigures: figures}
	if digest == "" {
		return out
	}
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if layers, err := b.layers(looking, digest); err == nil {
		out.Layers, out.Image = layers, deployment.FiguresOf(layers)
	}
	return out
}

// endOf returns ctx's error when a call failed because ctx ended. The daemon is told of ctx's deadline and keeps it too,
// so it may be the first to say that it has passed: then the moment until ctx says so is waited for.
func endOf(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	deadline, limited := ctx.Deadline()
	if limited && time.Until(deadline) < time.Second && strings.Contains(strings.ToLower(err.Error()), "deadline") {
		<-ctx.Done()
	}
	return ctx.Err()
}
