package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/gitserve"
)

func upCommand() *cobra.Command {
	var example string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start in the background, deploy an example, print where everything is",
		Long: "up starts slipway-dev in the background and waits until it is ready. Where it runs already it changes nothing,\n" +
			"unless a program or a SLIPWAY_* value has changed or the process has died: then it restarts it and says so.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return up(cmd.Context(), cmd.OutOrStdout(), example)
		},
	}
	cmd.Flags().StringVar(&example, "example", "node", "folder of the examples to deploy once everything runs; empty for none")
	return cmd
}

func up(ctx context.Context, out io.Writer, example string) error {
	c, err := config.LoadDev(config.Environ())
	if err != nil {
		return err
	}
	environ, airGapped, err := chooseProfile(ctx, c, config.Environ(), reachesPublicImages, out)
	if err != nil {
		return err
	}
	if c, err = config.LoadDev(environ); err != nil {
		return err
	}
	d := detached{paths: paths{c}, environ: environ, out: out}
	if err := d.ensureRunning(ctx, airGapped); err != nil {
		return err
	}
	if caller, any := sudoCaller(os.Getenv); any {
		if err := d.handOver(caller); err != nil {
			return err
		}
	}
	preview := ""
	if example != "" && c.Examples.Dir != "" {
		if preview, err = deployExample(ctx, c, example, out); err != nil {
			return err
		}
	}
	printPlaces(out, c, preview)
	return nil
}

// printPlaces ends the output of `up` with what one goes on with.
func printPlaces(out io.Writer, c config.Dev, preview string) {
	p := paths{c}
	fmt.Fprintln(out)
	if preview != "" {
		fmt.Fprintf(out, "  preview      %s\n", preview)
	}
	fmt.Fprintf(out, "  API          http://%s  (contract: /openapi.yaml)\n", c.API.Addr)
	fmt.Fprintf(out, "  admin token  %s\n", p.token())
	fmt.Fprintf(out, "  Temporal UI  %s\n", c.Temporal.UIURL)
	fmt.Fprintf(out, "  logs         %s\n\n", filepath.Dir(p.log("")))
	fmt.Fprintf(out, "Next: bin/slipway login --token-stdin < %s; bin/slipway projects create NAME REPOSITORY-URL; bin/slipway deploy NAME --follow\n", p.token())
}

// detached is the slipway-dev in the background that `up` sees to.
type detached struct {
	paths
	environ []string
	out     io.Writer
}

// ensureRunning starts slipway-dev unless it runs as it should, and says why.
func (d detached) ensureRunning(ctx context.Context, airGapped bool) error {
	self, want, err := d.wanted(airGapped)
	if err != nil {
		return err
	}
	pid, err := runningPID(d.DataDir)
	if err != nil {
		return err
	}
	have, known, err := readRecord(d.paths)
	if err != nil {
		return err
	}
	differs := changed(have.Made, want.Made)
	switch {
	case pid == 0 && known:
		fmt.Fprintln(d.out, "==> starting slipway-dev; it was not running any more")
	case pid == 0:
		fmt.Fprintln(d.out, "==> starting slipway-dev")
	case pid != have.PID:
		fmt.Fprintf(d.out, "==> restarting slipway-dev in the background, because process %d was not started by up\n", pid)
	case len(differs) > 0:
		fmt.Fprintf(d.out, "==> restarting slipway-dev, because of a change of %s\n", strings.Join(differs, ", "))
	case d.comesReady(ctx, pid):
		fmt.Fprintf(d.out, "==> slipway-dev runs already (process %d), nothing has changed\n", pid)
		return d.syncExamples(ctx)
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		fmt.Fprintf(d.out, "==> restarting slipway-dev, because process %d does not answer\n", pid)
	}
	if err := stopRunning(ctx, d.DataDir); err != nil {
		return err
	}
	return d.start(ctx, self, want)
}

// wanted describes the slipway-dev that should run, and the program to start.
func (d detached) wanted(airGapped bool) (self string, want record, err error) {
	if self, err = os.Executable(); err != nil {
		return "", record{}, err
	}
	programs, names := []string{self}, []string{"slipway-temporal"}
	if len(d.BuildKit.Addrs) == 0 {
		names = append(names, "buildkitd")
	}
	for _, name := range names {
		path, err := d.binary(name)
		if err != nil {
			return "", record{}, err
		}
		programs = append(programs, path)
	}
	made, err := fingerprint(d.Dev, programs, d.environ)
	return self, record{AirGapped: airGapped, Made: made}, err
}

// comesReady reports whether a process that runs answers. One that another `up` has just started is given the time that it
// needs; one that was ready before may be waiting for a child that is being restarted.
func (d detached) comesReady(ctx context.Context, pid int) bool {
	if !d.saysReady() {
		fmt.Fprintf(d.out, "==> slipway-dev is starting (process %d)\n", pid)
		return d.awaitReady(ctx, pid, d.released(ctx)) == nil
	}
	return eventually(ctx, 15*time.Second, func() bool { return answers(ctx, d.API.Addr) })
}

// syncExamples brings the examples' repositories up to date, which a start does by itself.
func (d detached) syncExamples(ctx context.Context) error {
	if d.Examples.Dir == "" {
		return nil
	}
	if err := gitserve.Sync(ctx, d.Examples.Dir, d.examples()); err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	return nil
}
