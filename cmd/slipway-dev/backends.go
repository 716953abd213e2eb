package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/planner"
	"github.com/slipway-dev/slipway/internal/supervise"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/codec"
)

// start starts a child and tells so.
func (s *system) start(ctx context.Context, what string, spec supervise.Spec) error {
	spec.LogFile = s.paths.log(spec.Name)
	if err := os.MkdirAll(filepath.Dir(spec.LogFile), 0o700); err != nil {
		return err
	}
	var before int64
	if info, err := os.Stat(spec.LogFile); err == nil {
		before = info.Size()
	}
	begun := time.Now()
	if err := s.children.Start(ctx, spec); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("%w; it ends in:\n%s", err, reason(spec.LogFile, before))
	}
	s.tell.say("%s runs (started in %.1fs)", what, time.Since(begun).Seconds())
	return nil
}

// startPostgres starts the private cluster, unless the configuration names a database.
func (s *system) startPostgres(ctx context.Context) error {
	if s.Postgres.URL != "" {
		return nil
	}
	c, spec, err := roles.OwnPostgres(ctx, s.Dev)
	if err != nil {
		return err
	}
	err = s.start(ctx, "Postgres", spec)
	if err != nil {
		return err
	}
	s.Postgres.URL = c.DSN("slipway")
	return c.EnsureDatabase(ctx, "slipway")
}

// startTemporal starts the embedded Temporal server with its Web UI.
func (s *system) startTemporal(ctx context.Context) error {
	path, err := s.paths.binary("slipway-temporal")
	if err != nil {
		return err
	}
	args := []string{
		"--data", filepath.Join(s.DataDir, "temporal.db"), "--addr", s.Temporal.Addr, "--ui-addr", s.Temporal.UIAddr,
		"--namespace", s.Temporal.Namespace, "--retention", s.Temporal.Retention.String(),
	}
	if s.Temporal.Encryption {
		args = append(args, "--ui-codec", "http://"+s.API.Addr+codec.Path)
	}
	return s.start(ctx, "Temporal", supervise.Spec{
		Name: "temporal", Path: path, Env: s.childEnv(), Args: args,
		Ready: s.namespaceReady, ReadyTimeout: 2 * time.Minute, StopTimeout: 15 * time.Second,
	})
}

// namespaceReady reports whether the frontend serves the namespace with slipway's search attributes.
func (s *system) namespaceReady(ctx context.Context) error {
	conn, err := grpc.NewClient(s.Temporal.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	attributes, err := operatorservice.NewOperatorServiceClient(conn).ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: s.Temporal.Namespace})
	if err != nil {
		return err
	}
	for _, name := range temporal.SearchAttributes() {
		if _, there := attributes.GetCustomAttributes()[name]; !there {
			return fmt.Errorf("search attribute %s is not there yet", name)
		}
	}
	return nil
}

// startBuildKit starts buildkitd, unless the configuration names one.
func (s *system) startBuildKit(ctx context.Context) error {
	if len(s.BuildKit.Addrs) > 0 {
		return nil
	}
	path, err := s.paths.binary("buildkitd")
	if err != nil {
		return err
	}
	daemon := daemonOf(s.paths)
	if err := daemon.WriteFiles(); err != nil {
		return err
	}
	if err := daemon.Sweep(ctx); err != nil { // of a predecessor that was killed, which Reclaim has ended
		return err
	}
	if err := daemon.Isolate(ctx); err != nil {
		return fmt.Errorf("keep builds away from this host: %w", err)
	}
	s.release = func(ctx context.Context) error { return errors.Join(daemon.Unisolate(ctx), daemon.Sweep(ctx)) }
	s.BuildKit.Addrs, s.steps = []string{daemon.Address}, daemon.Steps()
	cmd := daemon.Command(path)
	socket := strings.TrimPrefix(daemon.Address, "unix://")
	return s.start(ctx, "BuildKit", supervise.Spec{
		Name: "buildkitd", Path: cmd.Path, Args: cmd.Args[1:], Env: append(s.childEnv(), daemon.Env()...),
		CloneFlags: cmd.SysProcAttr.Cloneflags, UnshareFlags: cmd.SysProcAttr.Unshareflags,
		Ready: func(ctx context.Context) error { return dialable(ctx, socket) }, ReadyTimeout: 2 * time.Minute, StopTimeout: 20 * time.Second,
	})
}

// daemonOf describes the buildkitd of a data directory.
func daemonOf(p paths) buildkit.DaemonConfig {
	frontend := ""
	if p.Planner.Railpack != "" {
		frontend = cmp.Or(p.Planner.Frontend, planner.RailpackFrontend)
	}
	return buildkit.DaemonConfig{
		Frontend: frontend,
		Root:     filepath.Join(p.DataDir, "buildkit"), Address: p.OwnBuildKit(),
		RegistryAddr: p.Registry.PushHost, DockerIOMirror: p.BuildKit.DockerMirror, CNIBinDir: p.BuildKit.CNIDir,
		BridgeName: p.BuildKit.Bridge, BridgeSubnet: p.BuildKit.Subnet.String(), PrivateNetworks: p.BuildKit.PrivateNets,
		CacheBytes: p.BuildKit.CacheSize, Limits: buildkit.StepLimits{CPUs: p.BuildKit.StepCPUs, Memory: p.BuildKit.StepMemory, Processes: p.BuildKit.StepProcesses},
	}
}

func dialable(ctx context.Context, socket string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return conn.Close()
}

// childEnv is a child's environment: the machine's, without slipway's own variables, which may hold secrets.
func (s *system) childEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SLIPWAY_") {
			env = append(env, v)
		}
	}
	return env
}
