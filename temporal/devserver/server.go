//go:build !race

package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofrs/flock"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/temporal"
)

const (
	readyTimeout = time.Minute      // from the start of the services to a namespace that can be used
	stopTimeout  = 10 * time.Second // for all services together
)

// Run serves until ctx ends, then stops the services within ten seconds. It returns nil after a clean stop. An address
// that is taken, a data file that another process uses or that a newer slipway made, and a server that does not become
// ready within a minute are errors. Run may be called once per process: the server keeps global state.
func Run(ctx context.Context, o Options) error {
	frontend, ui, err := o.check()
	if err != nil {
		return fmt.Errorf("temporal server: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	lock, err := lockFile(o.DataFile)
	if err != nil {
		return fmt.Errorf("temporal server: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := frontend.bindable(); err != nil {
		return fmt.Errorf("temporal frontend address: %w", err)
	}
	if err := migrate(ctx, o.DataFile, o.Logger); err != nil {
		return fmt.Errorf("temporal data file %s: %w", o.DataFile, err)
	}
	stop, err := startServices(o, frontend)
	if err != nil {
		return fmt.Errorf("start temporal server: %w", err)
	}
	return errors.Join(serve(ctx, o, frontend, ui), stop())
}

// serve brings up what stands on a running server and waits for the end of ctx.
func serve(ctx context.Context, o Options, frontend endpoint, ui *endpoint) error {
	readyCtx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err := prepareNamespace(readyCtx, frontend.String(), o)
	if err == nil && ui != nil {
		var stopUI func()
		stopUI, err = startUI(readyCtx, *ui, frontend, o)
		defer stopUI()
	}
	if ctx.Err() != nil {
		return nil // asked to stop, whether ready or not
	}
	if err != nil {
		return err
	}
	if o.Ready != nil {
		o.Ready()
	}
	<-ctx.Done()
	return nil
}

// startServices starts all services; stop ends them, or gives up after stopTimeout.
func startServices(o Options, frontend endpoint) (stop func() error, err error) {
	placed, err := placeServices(frontend)
	if err != nil {
		return nil, err
	}
	cfg, err := serverConfig(o.DataFile, placed)
	if err != nil {
		return nil, err
	}
	s, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(serviceNames()),
		temporal.WithStaticHosts(placed.static()),
		temporal.WithLogger(serverLogger{out: o.Logger, level: o.LogLevel}),
		temporal.WithDynamicConfigClient(dynamicConfig()),
		temporal.WithCustomMetricsHandler(metrics.NoopMetricsHandler),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
	)
	if err != nil {
		return nil, err
	}
	stop = func() error { return stopWithin(stopTimeout, s.Stop) }
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// stopWithin does not wait for a server that hangs: the caller's process is about to end, and the file is safe in WAL mode.
func stopWithin(budget time.Duration, stop func() error) error {
	done := make(chan error, 1)
	go func() { done <- stop() }()
	select {
	case err := <-done:
		return err
	case <-time.After(budget):
		return fmt.Errorf("temporal server did not stop within %s", budget)
	}
}

// lockFile keeps two servers off one file. The kernel releases the lock when the process dies.
func lockFile(dataFile string) (*flock.Flock, error) {
	l := flock.New(dataFile + ".lock")
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dataFile, err)
	}
	if !ok {
		return nil, fmt.Errorf("data file %s is in use by another temporal server", dataFile)
	}
	return l, nil
}
