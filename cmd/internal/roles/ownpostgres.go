package roles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres/cluster"
	"github.com/slipway-dev/slipway/internal/supervise"
)

// OwnPostgres makes slipway-dev's own Postgres in the data directory unless it is there, and says how it is run.
func OwnPostgres(ctx context.Context, m config.Dev) (*cluster.Cluster, supervise.Spec, error) {
	c, err := cluster.Find(m.Postgres.BinDir, filepath.Join(m.DataDir, "postgres"), m.PostgresSocketDir(), "max_connections=200", "shared_buffers=128MB")
	if err != nil {
		return nil, supervise.Spec{}, err
	}
	if err := c.Init(ctx); err != nil {
		return nil, supervise.Spec{}, fmt.Errorf("make private postgres: %w", err)
	}
	return c, supervise.Spec{
		Name: "postgres", Path: c.Path(), Args: c.Args(), Dir: "/", Env: []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"},
		Credential: c.Account(), AmbientCaps: c.Capabilities(), Ready: c.Ready,
		StopSignal: syscall.SIGINT /* fast shutdown */, StopTimeout: 20 * time.Second,
	}, nil
}

// withOwnPostgres runs slipway-dev's own Postgres while do needs it, in a data directory that nobody else uses meanwhile.
func withOwnPostgres(ctx context.Context, m config.Dev, log *slog.Logger, do func(dsn string) error) (err error) {
	lock, err := supervise.Lock(m.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	run := filepath.Join(m.DataDir, "run")
	if err := supervise.Reclaim(ctx, run, log); err != nil { // of one that was killed
		return err
	}
	children, err := supervise.New(run, supervise.DefaultBackoff(), log)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.SocketDir(), 0o755); err != nil {
		return err
	}
	c, spec, err := OwnPostgres(ctx, m)
	if err != nil {
		return err
	}
	spec.LogFile = filepath.Join(m.DataDir, "log", "postgres.log")
	if err := os.MkdirAll(filepath.Dir(spec.LogFile), 0o700); err != nil {
		return err
	}
	if err := children.Start(ctx, spec); err != nil {
		return fmt.Errorf("%w; see %s", err, spec.LogFile)
	}
	defer func() { err = errors.Join(err, children.Stop(context.WithoutCancel(ctx))) }()
	if err := c.EnsureDatabase(ctx, "slipway"); err != nil {
		return err
	}
	return do(c.DSN("slipway"))
}
