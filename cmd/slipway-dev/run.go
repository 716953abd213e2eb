package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/registry"
	"github.com/slipway-dev/slipway/internal/supervise"
)

// run runs everything until ctx ends: first what the roles stand on, then the roles; it stops in the reverse order. An
// error of any part stops the whole; the next start continues from the data directory.
func run(ctx context.Context, c config.Dev, log *slog.Logger) (err error) {
	lock, err := supervise.Lock(c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	p := paths{c}
	tell, err := newTeller(p.progress(), log)
	if err != nil {
		return err
	}
	defer tell.close()
	if err := supervise.Reclaim(ctx, p.run(), log); err != nil { // they hold the ports
		return err
	}
	if err := checkPorts(ctx, c); err != nil {
		return err
	}
	children, err := supervise.New(p.run(), supervise.DefaultBackoff(), log)
	if err != nil {
		return err
	}
	if c.Worker.HostID, err = stableHostID(p.hostID(), c.Worker.HostID); err != nil {
		return err
	}
	s := &system{Dev: c, paths: p, children: children, tell: tell, log: log}
	defer func() {
		err = errors.Join(err, s.stopChildren(context.WithoutCancel(ctx)))
		log.Info("stopped")
	}()
	return s.run(ctx)
}

// system is what one run of slipway-dev holds together.
type system struct {
	config.Dev
	paths    paths
	children *supervise.Supervisor
	tell     *teller
	log      *slog.Logger
	store    *postgres.Store
	images   *registry.Server
	steps    *buildkit.Steps             // of its own buildkitd
	closers  []func()                    // run when every role has stopped, the last one first
	release  func(context.Context) error // takes the rules for the builds' network away, once buildkitd has ended
	trusted  []string                    // origins of repositories that pass the URL guard by themselves
}

// stopChildren ends what the roles stood on.
func (s *system) stopChildren(ctx context.Context) error {
	err := s.children.Stop(ctx)
	if s.release != nil {
		err = errors.Join(err, s.release(ctx))
	}
	return err
}

// run starts the parts and waits. What serves others (API, gateway, registry) outlives ctx until the worker has drained,
// because a build that is finishing still pushes.
func (s *system) run(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, serving := errgroup.WithContext(serving)
	err := s.startAll(ctx, serving, group, stop)
	if err != nil {
		stop()
	} else {
		s.tell.say(ready)
	}
	err = errors.Join(err, group.Wait())
	for _, closer := range slices.Backward(s.closers) {
		closer()
	}
	return err
}

func (s *system) startAll(ctx, serving context.Context, group *errgroup.Group, stop func()) error {
	if err := s.startRegistry(serving, group); err != nil {
		return err
	}
	if err := s.startBackends(ctx); err != nil {
		return err
	}
	if err := s.startExamples(ctx, serving, group); err != nil {
		return err
	}
	return s.startRoles(ctx, serving, group, stop)
}

// startBackends starts Postgres, Temporal and buildkitd, and opens what Postgres holds.
func (s *system) startBackends(ctx context.Context) error {
	if err := os.MkdirAll(s.paths.SocketDir(), 0o755); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{s.startPostgres, s.startTemporal, s.startBuildKit} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	store, err := roles.OpenStore(ctx, s.Postgres, s.Gateway.Domain)
	if err != nil {
		return err
	}
	s.store = store
	s.closers = append(s.closers, store.Close)
	return s.prepare(ctx)
}

// prepare makes the admin token, and notes the installation's id where `down` finds it with Postgres gone.
func (s *system) prepare(ctx context.Context) error {
	if _, err := roles.EnsureAdminToken(ctx, s.store, s.paths.token(), s.log); err != nil {
		return err
	}
	id, err := s.store.InstallationID(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(s.paths.installation(), []byte(id+"\n"), 0o600)
}

// startRoles starts the API, the worker and the gateway. When ctx ends the worker drains, and then everything stops.
func (s *system) startRoles(ctx, serving context.Context, group *errgroup.Group, stop func()) error {
	telemetry, err := roles.StartTelemetry(ctx, s.Telemetry, "slipway-dev", version, s.log)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func() {
		if err := telemetry.Close(ctx); err != nil {
			s.log.Warn("send the last traces", "error", err)
		}
	})
	client, err := roles.DialTemporal(ctx, s.Temporal, s.Postgres, telemetry, s.log)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, client.Close)
	git, err := roles.NewGit(s.Git, s.store, s.trusted...)
	if err != nil {
		return err
	}
	working, drain := context.WithCancel(serving)
	context.AfterFunc(ctx, drain)
	group.Go(func() error {
		defer stop()
		defer drain()
		w := config.WorkerRole{
			DataDir: s.DataDir, Log: s.Log, Gateway: s.Gateway, Leases: s.Leases, Postgres: s.Postgres, Temporal: s.Temporal, Registry: s.Registry,
			Worker: s.Worker, Git: s.Git, Planner: s.Planner, BuildKit: s.BuildKit, Docker: s.Docker, Retention: s.Retention, Timeouts: s.Timeouts,
		}
		return named("worker", roles.RunWorker(working, w, roles.WorkerParts{
			Store: s.store, Client: client, Git: git, Version: version, DiskDirs: []string{s.paths.registry(), daemonOf(s.paths).Root}, MakeRoom: s.images.Tidy, Steps: s.steps,
			Telemetry: telemetry, Log: s.log,
		}))
	})
	group.Go(func() error {
		a := config.APIRole{
			DataDir: s.DataDir, Log: s.Log, API: s.API, Gateway: s.Gateway, Leases: s.Leases, Postgres: s.Postgres, Temporal: s.Temporal, Git: s.Git,
			Timeouts: s.Timeouts,
		}
		return named("api", roles.ServeAPI(serving, a, roles.APIParts{Store: s.store, Client: client, Git: git, Version: version, Telemetry: telemetry, Log: s.log}))
	})
	group.Go(func() error {
		g := config.GatewayRole{Log: s.Log, Gateway: s.Gateway, Postgres: s.Postgres, Timeouts: s.Timeouts}
		return named("gateway", roles.ServeGateway(serving, g, s.store, telemetry, s.log))
	})
	return nil
}

func named(role string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", role, err)
	}
	return nil
}
