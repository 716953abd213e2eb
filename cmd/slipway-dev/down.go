package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/internal/isolation"
	"github.com/slipway-dev/slipway/internal/supervise"
)

func downCommand() *cobra.Command {
	var o downOptions
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop everything that up started, previews too",
		Long: "down stops slipway-dev, its children and the previews; the next up starts the previews again. With --purge it\n" +
			"removes the previews and all data.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.LoadDev(config.Environ())
			if err != nil {
				return err
			}
			return down(cmd.Context(), c, o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&o.purge, "purge", false, "remove all data: projects, images, caches, the admin token")
	cmd.Flags().BoolVar(&o.engine, "docker-engine", false, "stop the Docker engine too, if deploy/dev/deps.sh started it and no container runs in it")
	return cmd
}

type downOptions struct {
	purge  bool
	engine bool
}

func down(ctx context.Context, c config.Dev, o downOptions, out io.Writer) error {
	if err := downSystem(ctx, c, o.purge, out); err != nil || !o.engine {
		return err
	}
	return stopDocker(ctx, out)
}

func downSystem(ctx context.Context, c config.Dev, purge bool, out io.Writer) error {
	if !exists(paths{c}.lock()) {
		fmt.Fprintln(out, "==> nothing runs, there is no data in", c.DataDir)
		return nil
	}
	pid, err := runningPID(c.DataDir)
	if err != nil {
		return err
	}
	if pid == 0 {
		fmt.Fprintln(out, "==> slipway-dev was not running")
	} else {
		fmt.Fprintln(out, "==> stopping slipway-dev; steps that run get", c.Timeouts.Shutdown, "to finish, the rest continues at the next start")
		if err := stopRunning(ctx, c.DataDir); err != nil {
			return err
		}
		fmt.Fprintln(out, "==> stopped slipway-dev and its children")
	}
	if err := endLeftOvers(ctx, c); err != nil {
		return err
	}
	if err := stopPreviews(ctx, c, purge, out); err != nil {
		return err
	}
	if c.Docker.Isolation != config.IsolationOff {
		if err := (isolation.Previews{Pool: c.Docker.PreviewSubnets}).Remove(); err != nil {
			return err
		}
	}
	if purge {
		if err := purgeData(paths{c}, out); err != nil {
			return fmt.Errorf("remove data: %w", err)
		}
	}
	return nil
}

// endLeftOvers ends the children of a slipway-dev that was killed, and takes the builds' network away. The lock keeps a new
// one from starting meanwhile.
func endLeftOvers(ctx context.Context, c config.Dev) error {
	lock, err := supervise.Lock(c.DataDir)
	if err != nil {
		return err
	}
	p := paths{c}
	err = supervise.Reclaim(ctx, p.run(), slog.Default())
	if err == nil && len(c.BuildKit.Addrs) == 0 {
		err = errors.Join(daemonOf(p).Unisolate(ctx), daemonOf(p).Sweep(ctx))
	}
	return errors.Join(err, remove(p.record()), lock.Unlock())
}

// stopPreviews stops the previews of this installation, or removes them.
func stopPreviews(ctx context.Context, c config.Dev, remove bool, out io.Writer) error {
	id, err := os.ReadFile(paths{c}.installation())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it never got so far as to run one
	}
	if err != nil {
		return err
	}
	engine, err := docker.New(docker.Options{
		Host: c.Docker.Host, Installation: strings.TrimSpace(string(id)), HostID: c.Worker.HostID, SubnetPool: c.Docker.PreviewSubnets,
	})
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.Ping(ctx); err != nil {
		fmt.Fprintln(out, "==> the Docker engine does not answer, so no preview runs")
		return ctx.Err()
	}
	if remove {
		if err := engine.RemoveAll(ctx); err != nil {
			return err
		}
		fmt.Fprintln(out, "==> removed the previews")
		return nil
	}
	n, err := engine.Suspend(ctx, c.Timeouts.StopWait)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "==> stopped the previews that ran (%d); the next `make up` starts them again\n", n)
	return nil
}

func purgeData(p paths, out io.Writer) error {
	left, err := p.purge()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "==> removed the data in", p.DataDir)
	if len(left) > 0 {
		fmt.Fprintf(out, "    but not what slipway-dev did not make: %s\n", strings.Join(left, ", "))
	}
	return nil
}
