package roles

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/disk"
	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/planner"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/registry"
	"github.com/slipway-dev/slipway/internal/scratch"
	"github.com/slipway-dev/slipway/internal/source"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/worker"
)

// WorkerParts are what a worker needs besides its configuration.
type WorkerParts struct {
	Store  *postgres.Store
	Client sdkclient.Client
	Git    *source.Client

	Version  string                      // of slipway
	DiskDirs []string                    // folders of what the process serves besides, whose disks need room too
	MakeRoom func(context.Context) error // frees what that can do without; nil when there is nothing
	Steps    *buildkit.Steps             // of the process's own buildkitd; nil when it has none

	Telemetry *Telemetry
	Log       *slog.Logger
}

// RunWorker runs a build and preview host until ctx ends; then running steps have c.Timeouts.Shutdown to finish. One that runs
// workflows only leaves the host to another worker.
func RunWorker(ctx context.Context, c config.WorkerRole, p WorkerParts) error {
	host, err := openHost(ctx, c, p)
	if err != nil {
		return err
	}
	defer host.close(ctx)
	if !c.Worker.ControlOnly {
		if err := host.sweepPredecessor(ctx); err != nil {
			return err
		}
		if err := host.isolate(ctx); err != nil { // before a preview is started
			return err
		}
		host.lookAtDisk(ctx) // before a claim is asked for
		host.noteAlive(ctx)  // and before anybody looks whether it is lost
		p.Telemetry.Metrics.Builders(host.builder.Status)
	}
	running, err := worker.New(host.options())
	if err != nil {
		return err
	}
	p.Telemetry.Ops.Needs(host.checks()...)
	if err := running.Start(ctx); err != nil {
		if ctx.Err() != nil { // told to stop meanwhile, which is no fault
			return nil
		}
		return err
	}
	var beside sync.WaitGroup
	beside.Go(func() { host.keeper().Run(ctx) })
	if c.Worker.ControlOnly {
		p.Log.Info("worker runs workflows only", "build_id", c.Worker.BuildID)
		<-ctx.Done()
	} else {
		p.Log.Info("worker polls", "host", c.Worker.HostID, "build_slots", c.Worker.BuildSlots, "build_id", c.Worker.BuildID)
		host.tend(ctx)
	}
	running.Stop()
	beside.Wait()
	return nil
}

// host is what the activities of this machine work with.
type host struct {
	WorkerParts
	c           config.WorkerRole
	writer      *logs.Writer
	builder     *buildkit.Pool
	engine      *docker.Engine
	planner     *planner.Planner
	fingerprint string // of planner; empty when nixpacks cannot be run
	images      registry.Client
	workspaces  activities.Workspaces
	mirrors     *source.Mirrors
	temp        *scratch.Dir
	leases      *worker.LeaseSlots
	deploys     *temporal.Deploys
	recorder    *activities.Recorder
	outputs     *activities.Outputs
	preview     *activities.Preview
	alone       activities.OneByOne // by deployment: who starts, stops or removes its preview
	room        room
	wentLive    chan struct{} // a preview of this host went live
}

func openHost(ctx context.Context, c config.WorkerRole, p WorkerParts) (*host, error) {
	p.Store = p.Store.WithPreviewTTL(c.Leases.TTL)
	h := &host{WorkerParts: p, c: c, workspaces: activities.Workspaces{Root: c.Worker.WorkspaceDir}}
	installation, err := p.Store.InstallationID(ctx)
	if err != nil {
		return nil, err
	}
	h.mirrors = source.NewMirrors(filepath.Join(c.Worker.WorkspaceDir, "mirrors", installation), c.Worker.GitCache)
	if c.Worker.GitCache > 0 {
		h.Git = h.Git.WithMirrors(h.mirrors)
	} else if err := h.mirrors.RemoveAll(); err != nil {
		return nil, err
	}
	logins, err := registryLogins(c.Registry)
	if err != nil {
		return nil, err
	}
	h.engine, err = docker.New(docker.Options{
		Credentials: credentials(logins), Host: c.Docker.Host, Installation: installation, HostID: c.Worker.HostID, SubnetPool: c.Docker.PreviewSubnets, StartCPUs: c.Docker.StartCPUs, Runtime: c.Docker.Runtime, Logger: p.Log,
		TraefikEntryPoints: c.Docker.TraefikEntryPoints,
	})
	if err != nil {
		return nil, err
	}
	var overrides planner.Overrides
	if c.Planner.Overrides != "" {
		if overrides, err = planner.LoadOverrides(c.Planner.Overrides); err != nil {
			return nil, err
		}
	}
	if h.temp, err = scratch.Open(filepath.Join(c.Worker.WorkspaceDir, "tmp")); err != nil {
		// As on a full disk, where this very worker is to make room. A killed one leaves its temporary files there then.
		p.Log.Warn("temporary files go into the system's own folder", "error", err)
		h.temp = &scratch.Dir{}
	}
	h.planner = planner.New(planner.Options{
		NixpacksPath: c.Planner.Nixpacks, Overrides: overrides, Timeout: c.Timeouts.Plan, TempDir: h.temp.Path,
		Railpack: planner.RailpackOn(c.Planner.Railpack, c.Planner.Frontend, os.Environ()),
	})
	if h.fingerprint, err = h.planner.Fingerprint(ctx, p.Version); err != nil {
		p.Log.Warn("no deploy takes over what an earlier one built", "error", err)
	}
	h.builder, err = buildkit.NewPool(ctx, builderOptions(c, h.temp.Path, logins, p.Steps), c.BuildKit.Addrs, p.Log)
	if err != nil {
		return nil, errors.Join(err, h.temp.Close())
	}
	h.images = registry.Client{Host: c.Registry.PushHost, Insecure: plainHTTP(c.Registry), Logins: logins}
	h.writer = logs.NewWriterWith(p.Store.Pool(), p.Log, logs.Options{ //nolint:contextcheck // it writes until it is closed, beyond ctx
		MaxBytes: int64(c.Retention.LogMB) << 20, Stored: p.Telemetry.Metrics.LinesStored,
	})
	h.deploys = &temporal.Deploys{Client: p.Client, Namespace: c.Temporal.Namespace, Limits: Limits(c.Timeouts)}
	h.leases = worker.NewLeaseSlots(h.takenSlots(), c.Worker.BuildSlots, time.Second, p.Log)
	h.leases.Room = func() bool { return h.room.now() == nil }
	h.room.watch = disk.Watch{Least: uint64(c.Worker.MinFreeDisk), Folders: slices.Concat([]string{c.Worker.WorkspaceDir}, c.Worker.DiskDirs, p.DiskDirs)}
	h.recorder = &activities.Recorder{
		Steps: p.Store, Store: p.Store, Runs: h.deploys, Logs: h.writer, HostID: c.Worker.HostID, Now: time.Now, Log: p.Log, Meter: p.Telemetry.Metrics,
		Heartbeats: &activities.Heartbeats{Client: p.Client, Interval: c.Timeouts.HeartbeatInterval, Limit: 2 * time.Second},
	}
	h.outputs = &activities.Outputs{Engine: h.engine, Logs: h.writer, Hold: h.recorder.Hold, Log: p.Log}
	h.preview = &activities.Preview{
		Store: h.Store, Steps: h.Store, Ledger: h.Store, Logs: h.writer, Engine: h.engine, HostID: c.Worker.HostID,
		PullHost: c.Registry.PullHost, ProbeInterval: c.Timeouts.ProbeInterval, Drain: c.Timeouts.DrainWait, StopGrace: c.Timeouts.StopWait,
		Gateway: PublicGateway(c.Gateway), WentLive: h.noteLive, Turns: h.turns(), Leases: h.Store, Policy: policy(c.Leases, c.Timeouts), Hold: h.recorder.Hold, Alone: h.alone.Take,
	}
	h.wentLive = make(chan struct{}, 1)
	return h, nil
}

func builderOptions(c config.WorkerRole, tempDir string, logins loginsFunc, steps *buildkit.Steps) buildkit.Options {
	return buildkit.Options{
		CA: c.BuildKit.CA, Cert: c.BuildKit.Cert, Key: c.BuildKit.Key,
		RegistryInsecure: plainHTTP(c.Registry), TempDir: tempDir, Logins: logins, Steps: steps,
	}
}

// plainHTTP reports whether the registry is spoken to without TLS: one on this machine's loopback always, another only
// when the configuration says so.
func plainHTTP(r config.Registry) bool {
	name, _, err := net.SplitHostPort(r.PushHost)
	if err != nil {
		name = r.PushHost
	}
	addr, err := netip.ParseAddr(name)
	return r.PlainHTTP || name == "localhost" || err == nil && addr.IsLoopback()
}

func (h *host) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := errors.Join(h.writer.Close(ctx), h.builder.Close(), h.engine.Close(), h.temp.Close()); err != nil {
		h.Log.Warn("close worker", "error", err)
	}
}

// takenSlots counts the build slots of this host that are taken.
func (h *host) takenSlots() func(context.Context) (int, error) {
	taken := &worker.Taken{
		Leases: h.Store, Claims: h.deploys.ClaimsSlot, Host: h.c.Worker.HostID, Max: h.c.Worker.BuildSlots,
		Age: 2 * h.c.Timeouts.Short, Every: h.c.Timeouts.Short,
	}
	return taken.Count
}

func (h *host) slots() *activities.Slots {
	return &activities.Slots{
		Store: h.Store, Steps: h.Store, Ledger: h.Store, Workspaces: h.workspaces, Mirrors: h.mirrors, HostID: h.c.Worker.HostID,
		PerProject: h.c.Worker.ProjectSlots, Closed: h.closed, Freed: h.leases.Free,
	}
}

func (h *host) turns() *activities.Turns {
	return &activities.Turns{Line: h.Store, Workflows: h.deploys, Log: h.Log}
}

func (h *host) options() worker.Options {
	return worker.Options{
		Client: h.Client, HostID: h.c.Worker.HostID, BuildID: h.c.Worker.BuildID, ControlOnly: h.c.Worker.ControlOnly, Leases: h.leases, BuildSlots: h.c.Worker.BuildSlots,
		StopTimeout: h.c.Timeouts.Shutdown, ReconcileEvery: h.c.Timeouts.Reconcile, Limits: h.deploys.Limits, Log: h.Log,
		Recorder: h.recorder,
		Activities: worker.Activities{
			Control: &activities.Control{Store: h.Store, Ledger: h.Store, Hosts: h.Store, Turns: h.turns(), Leases: h.Store, Policy: policy(h.c.Leases, h.c.Timeouts), Limits: h.deploys.Limits},
			Reconciler: &activities.Reconciler{
				Store: h.Store, Ledger: h.Store, Stuck: h.Store, Deleted: h.Store, Workflows: h.deploys, Images: h.images, Age: h.c.Timeouts.Short,
				Repaired: h.Telemetry.Metrics.Repaired, Retention: h.Store, Past: h.Store, PastLogs: h.writer, Keep: keep(h.c.Retention), Known: h.Store,
				PushHost: h.c.Registry.PushHost, Tags: h.Store, Grace: 5 * h.c.Timeouts.ScheduleToStart, Leases: h.Store, Policy: policy(h.c.Leases, h.c.Timeouts),
			},
			Source: &activities.Source{
				Store: h.Store, Ledger: h.Store, Logs: h.writer, Git: h.Git, Workspaces: h.workspaces,
				Images: h.images, PushHost: h.c.Registry.PushHost, HostID: h.c.Worker.HostID,
			},
			Slots: h.slots(),
			Plan:  &activities.Plan{Store: h.Store, Logs: h.writer, Planner: h.planner, Workspaces: h.workspaces, Fingerprint: h.fingerprint},
			Build: &activities.Build{
				Store: h.Store, Ledger: h.Store, Logs: h.writer, Builder: h.builder, Images: h.images,
				Workspaces: h.workspaces, PushHost: h.c.Registry.PushHost, Gateway: PublicGateway(h.c.Gateway),
				Built: h.Telemetry.Metrics.Built, SBOMScanner: h.c.BuildKit.SBOMScanner, RegistryCache: h.c.BuildKit.RegistryCache,
			},
			Preview: h.preview,
			Sweeper: h.sweeper(),
		},
	}
}
