package buildkittest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/moby/buildkit/client"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/registry"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// Stack is a running buildkitd with its registry.
type Stack struct {
	Address  string // of buildkitd
	Registry string // host:port, plain HTTP; also docker.io's mirror
	Gateway  string // the host's address on the bridge of RUN steps
	Process  *os.Process

	config  buildkit.DaemonConfig
	dir     string // of its place
	empty   bool   // its cache is not kept
	kept    bool   // its cache is nobody else's, mounts and all
	lock    *flock.Flock
	ended   <-chan struct{} // closed when buildkitd has ended
	stop    func()          // ends the registry
	stopped chan error      // the registry's end
}

// Start runs a Stack until tb ends.
func Start(tb testing.TB) *Stack {
	tb.Helper()
	return started(tb, Open)
}

// Kept is a Stack whose cache nobody else uses, so that builds which take minutes without one find their own again.
type Kept int

// The Stacks that are kept.
const (
	KeptImages Kept = iota // of slipway itself
	KeptRepos              // of the repositories that the planner is tested with
	KeptTools              // of steps with tools that the base image does not have
)

// StartKept runs a Stack that is kept. There is one of each: a second caller waits for the first.
func StartKept(tb testing.TB, kept Kept) *Stack {
	tb.Helper()
	return started(tb, func(ctx context.Context) (*Stack, error) {
		return open(ctx, func() (*Stack, error) { return claimKept(places + int(kept)) })
	})
}

// StartWith runs a Stack whose daemon is configured as change says.
func StartWith(tb testing.TB, change func(*buildkit.DaemonConfig)) *Stack {
	tb.Helper()
	return started(tb, func(ctx context.Context) (*Stack, error) {
		return open(ctx, func() (*Stack, error) {
			s, err := claim()
			if err == nil {
				change(&s.config)
			}
			return s, err
		})
	})
}

// StartEmpty runs a Stack without anything in its cache, which is bounded by cacheBytes and not kept.
func StartEmpty(tb testing.TB, cacheBytes int64) *Stack {
	tb.Helper()
	return started(tb, func(ctx context.Context) (*Stack, error) {
		return open(ctx, func() (*Stack, error) {
			s, err := claim()
			if err != nil {
				return nil, err
			}
			s.empty, s.config.Root, s.config.CacheBytes = true, filepath.Join(s.dir, "empty"), cacheBytes
			return s, os.RemoveAll(s.config.Root) // of a run that was killed
		})
	})
}

func started(tb testing.TB, open func(context.Context) (*Stack, error)) *Stack {
	tb.Helper()
	s, err := open(tb.Context())
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close(context.WithoutCancel(tb.Context()))) })
	return s
}

// Open runs a Stack until Close, for a TestMain. It fails when buildkitd or the base images have not been made.
func Open(ctx context.Context) (*Stack, error) { return open(ctx, claim) }

func open(ctx context.Context, claim func() (*Stack, error)) (*Stack, error) {
	s, err := claim()
	if err != nil {
		return nil, fmt.Errorf("start test builder: %w", err)
	}
	if err := s.serveRegistry(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start test builder: %w", err), s.Close(context.WithoutCancel(ctx)))
	}
	if err := s.startDaemon(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start test builder: %w", err), s.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// Client returns a client of the stack's registry.
func (s *Stack) Client() registry.Client { return registry.Client{Host: s.Registry, Insecure: true} }

// Config describes the stack's buildkitd.
func (s *Stack) Config() buildkit.DaemonConfig { return s.config }

// Builder returns a Builder that uses the stack.
func (s *Stack) Builder(tb testing.TB) *buildkit.Builder {
	tb.Helper()
	b, err := buildkit.New(tb.Context(), buildkit.Options{Address: s.Address, RegistryInsecure: true})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, b.Close()) })
	return b
}

// places bounds how many stacks run at a time on one machine; those after them are for StartKept.
const places = 32

// claim takes the first place that no other process holds.
func claim() (*Stack, error) {
	for i := range places {
		lock, dir, err := place(i)
		if err != nil {
			return nil, err
		}
		if ok, err := lock.TryLock(); err == nil && ok {
			return stackIn(i, dir, lock, 2<<30), nil
		}
	}
	return nil, fmt.Errorf("all %d places are taken", places)
}

// claimKept takes a place of StartKept, whose cache has room for Go's modules and build cache.
func claimKept(i int) (*Stack, error) {
	lock, dir, err := place(i)
	if err != nil {
		return nil, err
	}
	if err := lock.Lock(); err != nil {
		return nil, err
	}
	s := stackIn(i, dir, lock, 6<<30)
	s.kept = true
	return s, nil
}

func place(i int) (*flock.Flock, string, error) {
	cache, err := testbed.Cache()
	if err != nil {
		return nil, "", err
	}
	base := filepath.Join(cache, "test", "buildkit")
	return flock.New(filepath.Join(base, fmt.Sprintf("%d.lock", i))), filepath.Join(base, fmt.Sprint(i)), os.MkdirAll(base, 0o700)
}

func stackIn(i int, dir string, lock *flock.Flock, cacheBytes int64) *Stack {
	config := buildkit.DaemonConfig{
		Root:           filepath.Join(dir, "root"),
		Address:        "unix://" + filepath.Join(dir, "sock"),
		DockerIOMirror: true,
		BridgeName:     fmt.Sprintf("slipwaytest%d", i),
		BridgeSubnet:   fmt.Sprintf("10.231.%d.0/24", 100+i),
		CacheBytes:     cacheBytes,
	}
	return &Stack{config: config, dir: dir, lock: lock, Address: config.Address, Gateway: fmt.Sprintf("10.231.%d.1", 100+i)}
}

func (s *Stack) serveRegistry(ctx context.Context) error {
	server, err := registry.New(registry.Options{Dir: filepath.Join(s.dir, "registry"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.Registry, s.stop, s.stopped = ln.Addr().String(), stop, make(chan error, 1)
	go func() { s.stopped <- server.Serve(serving, ln) }()
	cache, err := testbed.Cache()
	if err != nil {
		return err
	}
	if _, err := registry.Seed(ctx, s.Client(), filepath.Join(cache, "images")); err != nil {
		return err
	}
	digest, err := s.Client().Digest(ctx, "library/debian:bookworm-slim")
	if err == nil && digest == "" {
		err = errors.New("there are no base images: make them with deploy/images/build.sh")
	}
	return err
}

// startDaemon runs buildkitd and waits until it answers.
func (s *Stack) startDaemon(ctx context.Context) error {
	binary, err := testbed.Binary("buildkitd", "SLIPWAY_BUILDKITD")
	if err != nil {
		return err
	}
	s.config.RegistryAddr, s.config.Frontend = s.Registry, s.Registry+"/railpack-frontend"
	if err := s.config.WriteFiles(); err != nil {
		return err
	}
	if err := s.config.Sweep(ctx); err != nil {
		return err
	}
	if err := s.config.Isolate(ctx); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.dir, "buildkitd.log"))
	if err != nil {
		return err
	}
	cmd := s.config.Command(binary)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr.Setpgid = true // a Ctrl-C is for the test, which then ends buildkitd in order
	if s.ended, err = testbed.Start(cmd, syscall.SIGTERM); err != nil {
		return errors.Join(err, log.Close())
	}
	s.Process = cmd.Process
	if err := s.ready(ctx); err != nil {
		return fmt.Errorf("%w: see %s", err, log.Name())
	}
	return log.Close()
}

func (s *Stack) ready(ctx context.Context) error {
	c, err := client.New(ctx, s.Address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if _, err = c.ListWorkers(ctx); err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("buildkitd ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("buildkitd does not answer: %w", err)
}
