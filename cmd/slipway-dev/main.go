// Command slipway-dev runs the whole of slipway on one machine from one data directory: the embedded Temporal server with
// its Web UI, an OCI registry, a private Postgres, buildkitd, the API, the worker and the gateway. `make up` and `make down`
// call its commands up and down.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/supervise"
)

var version = "devel" // set by the Makefile

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	err := command().ExecuteContext(ctx)
	switch {
	case errors.Is(err, errNotRunning):
		os.Exit(3) // as service managers say it
	case err != nil:
		fmt.Fprintln(os.Stderr, errorMark+err.Error())
		if fix := roles.FixOf(err); fix != "" {
			fmt.Fprintln(os.Stderr, "fix: "+fix)
		}
		os.Exit(1)
	}
}

// errorMark starts the lines that say why a program ended.
const errorMark = "error: "

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway-dev",
		Short: "The whole of slipway on one machine",
		Long: "slipway-dev runs slipway and all it needs from one data directory (SLIPWAY_DATA_DIR, default .slipway), on\n" +
			"loopback addresses only. Kill it at any moment: the next start continues every deploy.\n\n" +
			"Settings are SLIPWAY_* variables over an optional slipway.yaml; docs/configuration.md lists them.",
		SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	for _, c := range []*cobra.Command{runCommand(), upCommand(), downCommand(), statusCommand()} {
		c.Args, c.PreRunE = cobra.NoArgs, needRoot
		root.AddCommand(c)
	}
	return root
}

// needRoot is asked before anything is touched.
func needRoot(*cobra.Command, []string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("slipway-dev has to run as root, because buildkitd and the networks of builds and previews need it:\n"+
		"  run `sudo -E %s`", strings.Join(os.Args, " "))
}

// logLimit is where slipway-dev's own log begins anew.
const logLimit = 10 << 20

func runCommand() *cobra.Command {
	var logFile string
	command := &cobra.Command{
		Use:   "run",
		Short: "Run in the foreground until SIGTERM or Ctrl-C; live previews stay up",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.LoadDev(config.Environ())
			if err != nil {
				return err
			}
			out := io.Writer(os.Stderr)
			if logFile != "" {
				if out, err = supervise.OwnLog(logFile, logLimit); err != nil {
					return err
				}
			}
			return run(cmd.Context(), c, roles.NewLogger(c.Log, out))
		},
	}
	command.Flags().StringVar(&logFile, "log-file", "", "log to this `file`, at most 10 MiB of it and of each of the three before, instead of standard error")
	return command
}
