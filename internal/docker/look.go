package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// Facts are what matters of an engine before anything runs in it.
type Facts struct {
	Address     string
	Local       bool // it runs on this machine
	Version     string
	APIVersion  string
	RootDir     string   // where it keeps images and containers
	Unsupported []string // limits of previews that its kernel does not keep: memory, cpu, pids
}

// Look asks the engine at host, as in Options, what it is.
func Look(ctx context.Context, host string) (Facts, error) {
	c, err := dial(ctx, host)
	if err != nil {
		return Facts{}, err
	}
	defer c.Close()
	info, err := c.Info(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("ask the Docker engine at %s: %w", c.DaemonHost(), err)
	}
	facts := Facts{
		Address: c.DaemonHost(), Local: strings.HasPrefix(c.DaemonHost(), "unix://"), Version: info.ServerVersion,
		APIVersion: c.ClientVersion(), RootDir: info.DockerRootDir,
	}
	for _, limit := range []struct {
		name string
		kept bool
	}{{"memory", info.MemoryLimit}, {"cpu", info.CPUCfsQuota}, {"pids", info.PidsLimit}} {
		if !limit.kept {
			facts.Unsupported = append(facts.Unsupported, limit.name)
		}
	}
	return facts, nil
}

// ReachesRegistry has the engine ask a registry for an image that is not there. Nothing is pulled.
func ReachesRegistry(ctx context.Context, host, registry string) error {
	c, err := dial(ctx, host)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.DistributionInspect(ctx, registry+"/slipway-doctor:none", "")
	if errdefs.IsNotFound(err) || errdefs.IsUnauthorized(err) || errdefs.IsPermissionDenied(err) ||
		mentions(err, "manifest unknown", "name unknown", "not found", "unauthorized", "denied") {
		return nil
	}
	return err
}

// dial connects to the engine at host, or the one that the environment names.
func dial(ctx context.Context, host string) (*client.Client, error) {
	c, err := newClient(host)
	if err != nil {
		return nil, err
	}
	c.NegotiateAPIVersion(ctx)
	return c, nil
}

// newClient sets up a client. DOCKER_API_VERSION is left out on purpose: it would switch the negotiation off.
func newClient(host string) (*client.Client, error) {
	settings := []client.Opt{client.WithTLSClientConfigFromEnv(), client.WithHostFromEnv(), client.WithAPIVersionNegotiation()}
	if host != "" {
		settings = append(settings, client.WithHost(host))
	}
	c, err := client.NewClientWithOpts(settings...)
	if err != nil {
		return nil, fmt.Errorf("docker: set up client for %q: %w", host, err)
	}
	return c, nil
}
