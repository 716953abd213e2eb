//go:build !race

// Command slipway-temporal runs the embedded Temporal server for slipway-dev and the tests. It prints one line, "ready", on
// standard output when the namespace can be used, logs to standard error, and stops on SIGTERM or SIGINT. It is a program of
// its own so that it restarts apart from slipway-dev, and so that slipway-dev can be built with the race detector without it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "slipway-temporal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := devserver.Options{SearchAttributes: temporal.SearchAttributes(), LogLevel: slog.LevelWarn}
	flags := flag.NewFlagSet("slipway-temporal", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.DataFile, "data", "", "path of the SQLite `file` (required)")
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:7233", "frontend `host:port`, loopback")
	flags.StringVar(&o.UIAddr, "ui-addr", "", "Web UI `host:port`, loopback; empty for none")
	flags.StringVar(&o.Codec, "ui-codec", "", "`URL` of the endpoint that decrypts payloads for the Web UI; empty for none")
	flags.StringVar(&o.Namespace, "namespace", "default", "namespace to register")
	flags.DurationVar(&o.Retention, "retention", 30*24*time.Hour, "how long closed workflows are kept")
	flags.TextVar(&o.LogLevel, "log-level", o.LogLevel, "lowest `level` to log: debug, info, warn, error")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	o.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: o.LogLevel}))
	o.Ready = func() { fmt.Fprintln(stdout, "ready") }
	return devserver.Run(ctx, o)
}
