package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
)

const serverNote = `

Settings are SLIPWAY_* variables over an optional slipway.yaml; docs/configuration.md lists them. Everything that is wrong with
them is reported at once (exit code 2). SIGTERM stops in order: what is under way has SLIPWAY_SHUTDOWN_TIMEOUT to finish.`

func (c *cli) apiCommand() *cobra.Command {
	return role(&cobra.Command{
		Use: "api", Short: "Serve the REST API",
		Long:    "Serve the REST API: check requests, store them, start and cancel workflows, stream logs." + serverNote,
		Example: "  SLIPWAY_API_ADDR=0.0.0.0:8080 SLIPWAY_DATABASE_URL=postgres://slipway@db/slipway slipway api",
	}, config.LoadAPI, func(ctx context.Context, r config.APIRole) error {
		return roles.RunAPI(ctx, r, buildVersion().Version, c.logger(r.Log))
	})
}

func (c *cli) workerCommand() *cobra.Command {
	return role(&cobra.Command{
		Use: "worker", Short: "Build and run previews on this host",
		Long: `Run workflows and their steps: fetch, plan, build, release. Makes this machine a build and preview host: it needs a Docker
engine, a buildkitd and the nixpacks CLI, and reaches previews at their addresses on Docker's networks.` + serverNote,
		Example: "  SLIPWAY_BUILDKIT_ADDR=unix:///run/buildkit/buildkitd.sock SLIPWAY_HOST_ID=b1 slipway worker",
	}, config.LoadWorker, func(ctx context.Context, r config.WorkerRole) error {
		return roles.RunHost(ctx, r, buildVersion().Version, c.logger(r.Log))
	})
}

func (c *cli) gatewayCommand() *cobra.Command {
	return role(&cobra.Command{
		Use: "gateway", Short: "Lead host names to previews",
		Long: `Serve previews: find the container behind a host name and pass requests on. Runs on the preview host itself, as previews
publish no port.` + serverNote,
		Example: "  SLIPWAY_GATEWAY_ADDR=0.0.0.0:8000 SLIPWAY_PREVIEW_DOMAIN=preview.example.com slipway gateway",
	}, config.LoadGateway, func(ctx context.Context, r config.GatewayRole) error {
		return roles.RunGateway(ctx, r, buildVersion().Version, c.logger(r.Log))
	})
}

func (c *cli) migrateCommand() *cobra.Command {
	var wait time.Duration
	command := role(&cobra.Command{
		Use: "migrate", Short: "Prepare Postgres and Temporal, then end",
		Long: `Bring the schema in Postgres up to date, register the Temporal namespace with its retention and search attributes, make the
keyset and the first admin token, and say where that lies. Run it before the other roles, and again with each new version: what is
right already stays, and it may run on several hosts at once.` + serverNote,
		Example: "  SLIPWAY_DATA_DIR=/var/lib/slipway slipway migrate --wait 5m",
	}, config.LoadMigrate, func(ctx context.Context, r config.MigrateRole) error {
		ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("not ready within %s", wait))
		defer cancel()
		done, err := roles.Migrate(ctx, r, c.logger(r.Log))
		if err != nil {
			return err
		}
		return c.print(map[string]string{"admin_token_file": done.AdminTokenFile}, func() error {
			if done.AdminTokenFile == "" {
				return c.line("ready; tokens were made before, and %s holds none of them", r.AdminTokenFile())
			}
			return c.line("ready; the first admin token lies in %s", done.AdminTokenFile)
		})
	})
	command.Flags().DurationVar(&wait, "wait", 2*time.Minute, "how long Postgres and Temporal may take to answer")
	return command
}

// role makes a command of a server: it loads the role's configuration, runs it until the context ends, and takes the end of
// the context for success, whatever it interrupted.
func role[R any](command *cobra.Command, load func(environ []string) (R, error), run func(context.Context, R) error) *cobra.Command {
	command.Args = cobra.NoArgs
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := load(config.Environ())
		if err != nil {
			return faulty(err)
		}
		err = run(cmd.Context(), settings)
		if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return withFix(err)
	}
	return command
}

// faulty shows every fault of a configuration with its fix.
func faulty(err error) error {
	var faults config.Faults
	if !errors.As(err, &faults) {
		return &shownError{message: err.Error(), exit: exitUsage}
	}
	shown := make([]*shownError, len(faults))
	for i, f := range faults {
		shown[i] = &shownError{message: f.Key + ": " + f.Problem, fix: f.Fix, exit: exitUsage}
	}
	shown[0].also = shown[1:]
	return shown[0]
}

// logger writes to standard error: standard output is for answers.
func (c *cli) logger(l config.Log) *slog.Logger { return roles.NewLogger(l, c.stderr) }
