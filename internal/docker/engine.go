package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/docker/docker/client"
)

// DefaultSubnetPool is where networks get their addresses when Options name no pool: room for 4096 previews.
var DefaultSubnetPool = netip.MustParsePrefix("10.213.0.0/16")

// Options say which engine to use and on whose behalf.
type Options struct {
	Host         string       // address of the engine, e.g. unix:///var/run/docker.sock; empty for DOCKER_HOST or its default
	Installation string       // id of the installation; it owns what carries it in its labels
	HostID       string       // id of the preview host that this engine stands for
	SubnetPool   netip.Prefix // IPv4 range that the networks are cut from; zero for DefaultSubnetPool
	Runtime      string       // of containers, e.g. runsc; empty for the engine's default
	StartCPUs    float64      // that an app may use until KeepAlive, when its own are fewer; 0 for its own
	Logger       *slog.Logger // nil for slog.Default

	TraefikEntryPoints string // of a Traefik that leads host names to containers past the gateway, separated by commas; empty for none

	// Credentials returns the login for a registry host ("registry.example.com:5000"), empty for none. nil for never.
	Credentials func(ctx context.Context, host string) (username, password string, err error)
}

// Engine runs the previews of one installation on one Docker engine. It is safe for concurrent use.
type Engine struct {
	client  *client.Client
	options Options
	log     *slog.Logger

	connecting lock // guards hostCPUs and runtimes
	hostCPUs   int  // 0 until connected
	runtimes   []string
	// diskUnbounded is set when the engine's storage turns out to have no quotas.
	diskUnbounded atomic.Bool

	networking lock // held while a network is made: the engine lets two of one name through
	followers  followers
}

// lock is a mutex whose waiters can give up.
type lock chan struct{}

// take waits for the lock or the context's end; only after nil does the caller hold it.
func (l lock) take(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l lock) release() { <-l }

// New returns an Engine. It does not connect: an engine that is down is an error of the first call that needs it.
func New(o Options) (*Engine, error) {
	if o.Installation == "" {
		return nil, errors.New("docker: installation id is empty")
	}
	if !o.SubnetPool.IsValid() {
		o.SubnetPool = DefaultSubnetPool
	}
	if !o.SubnetPool.Addr().Is4() || o.SubnetPool.Bits() > subnetBits {
		return nil, fmt.Errorf("docker: subnet pool %s is not an IPv4 range of at least a /%d", o.SubnetPool, subnetBits)
	}
	o.SubnetPool = o.SubnetPool.Masked()
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	c, err := newClient(o.Host)
	if err != nil {
		return nil, err
	}
	return &Engine{
		client: c, options: o, log: o.Logger.With("component", "docker"), connecting: make(lock, 1), networking: make(lock, 1),
	}, nil
}

// connect agrees with the engine on the version of its API and learns how many CPUs it has, once. Every exported method
// calls it first: left to itself the client negotiates within the first call, while others read the version.
func (e *Engine) connect(ctx context.Context) error {
	const doing = "connect to the Docker engine"
	if err := e.connecting.take(ctx); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer e.connecting.release()
	if e.hostCPUs > 0 {
		return nil
	}
	ping, err := e.client.Ping(ctx)
	if err != nil {
		return e.failure(ctx, doing, err)
	}
	e.client.NegotiateAPIVersionPing(ping)
	info, err := e.client.Info(ctx)
	if err != nil {
		return e.failure(ctx, doing, err)
	}
	e.hostCPUs, e.runtimes = info.NCPU, slices.Sorted(maps.Keys(info.Runtimes))
	return nil
}

// Local reports whether the engine is on this machine.
func (e *Engine) Local() bool { return strings.HasPrefix(e.client.DaemonHost(), "unix://") }

// Ping asks the engine whether it is there.
func (e *Engine) Ping(ctx context.Context) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	_, err := e.client.Ping(ctx)
	return e.failure(ctx, "ping the Docker engine", err)
}

// Close gives the connections back.
func (e *Engine) Close() error { return e.client.Close() }
