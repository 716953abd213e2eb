package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdktemporal "go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/temporal"
)

// Options say what a worker process runs.
type Options struct {
	Client         sdkclient.Client
	HostID         string
	BuildID        string // of this build of the worker, for Temporal to tell it from others; empty for no difference
	ControlOnly    bool   // workflows alone, beside another worker of the host, whose reconciler's schedule is left as it is
	Activities     Activities
	Recorder       *activities.Recorder
	Leases         *LeaseSlots   // of this host, when it builds
	BuildSlots     int           // builds at the same time on this host
	StopTimeout    time.Duration // for running activities, when the process drains
	ReconcileEvery time.Duration
	Limits         temporal.Limits
	Log            *slog.Logger
}

// Worker polls the queues that its sets of activities belong to.
type Worker struct {
	options Options
	workers []sdkworker.Worker
}

// New returns a worker that does not poll yet.
func New(o Options) (*Worker, error) {
	w := &Worker{options: o}
	w.addControl()
	if o.ControlOnly {
		return w, nil
	}
	if o.Activities.Build != nil {
		if err := w.addBuild(); err != nil {
			return nil, err
		}
	}
	if o.Activities.Preview != nil {
		preview := w.add(temporal.QueuePreviewHost(o.HostID), sdkworker.Options{DisableWorkflowWorker: true})
		preview.RegisterActivity(o.Activities.Preview)
		preview.RegisterActivity(o.Activities.Sweeper)
	}
	return w, nil
}

// addControl serves workflows and the short activities that any host can run. It alone has a build: the queues of a host are
// its own, whichever build serves them.
func (w *Worker) addControl() {
	a := w.options.Activities
	options := sdkworker.Options{StickyScheduleToStartTimeout: 2 * time.Second}
	if w.options.BuildID != "" {
		options.DeploymentOptions = sdkworker.DeploymentOptions{
			UseVersioning: true,
			Version:       sdkworker.WorkerDeploymentVersion{DeploymentName: temporal.WorkerDeployment, BuildID: w.options.BuildID},
		}
	}
	control := w.add(temporal.QueueControl, options)
	RegisterWorkflows(control)
	control.RegisterActivity(a.Control)
	control.RegisterActivity(a.Reconciler)
	control.RegisterActivity(a.Source)
}

// addBuild serves claims while a lease is free, and the host's own queue with two slots for each lease, whose base image may be
// pushed beside what it does, and some for what needs no lease: an export of a cache, another that finds that one under way, what gives
// a lease back.
func (w *Worker) addBuild() error {
	a := w.options.Activities
	tuner, err := leaseTuner(w.options.Leases)
	if err != nil {
		return fmt.Errorf("tune claims: %w", err)
	}
	claims := w.add(temporal.QueueBuild, sdkworker.Options{DisableWorkflowWorker: true, DisableEagerActivities: true, Tuner: tuner})
	claims.RegisterActivity(a.Slots)
	host := w.add(temporal.QueueBuildHost(w.options.HostID), sdkworker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 2*w.options.BuildSlots + 4,
	})
	host.RegisterActivity(a.Source)
	host.RegisterActivity(a.Plan)
	host.RegisterActivity(a.Build)
	host.RegisterActivity(a.Slots)
	host.RegisterActivity(a.Sweeper)
	return nil
}

func leaseTuner(leases *LeaseSlots) (sdkworker.WorkerTuner, error) {
	fixed := func(n int) (sdkworker.SlotSupplier, error) { return sdkworker.NewFixedSizeSlotSupplier(n) }
	workflow, err1 := fixed(2)
	local, err2 := fixed(1)
	nexus, err3 := fixed(2)
	session, err4 := fixed(1)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	return sdkworker.NewCompositeTuner(sdkworker.CompositeTunerOptions{
		WorkflowSlotSupplier: workflow, ActivitySlotSupplier: leases, LocalActivitySlotSupplier: local,
		NexusSlotSupplier: nexus, SessionActivitySlotSupplier: session,
	})
}

func (w *Worker) add(queue string, options sdkworker.Options) sdkworker.Worker {
	options.Identity = w.options.HostID + "/" + queue
	options.WorkerStopTimeout = w.options.StopTimeout
	options.Interceptors = []interceptor.WorkerInterceptor{w.options.Recorder}
	added := sdkworker.New(w.options.Client, queue, options)
	w.workers = append(w.workers, added)
	return added
}

// Start begins to poll; what was started is stopped again when a part cannot start.
func (w *Worker) Start(ctx context.Context) error {
	for i, worker := range w.workers {
		if err := worker.Start(); err != nil {
			for _, started := range w.workers[:i] {
				started.Stop()
			}
			return fmt.Errorf("start worker: %w", err)
		}
	}
	if w.options.ControlOnly || w.options.ReconcileEvery == 0 {
		return nil
	}
	if err := w.schedule(ctx); err != nil {
		w.Stop()
		return err
	}
	return nil
}

// Stop stops polling, lets running activities finish within the stop time-out, and returns.
func (w *Worker) Stop() {
	done := make(chan struct{})
	for _, worker := range w.workers {
		go func() { worker.Stop(); done <- struct{}{} }()
	}
	for range w.workers {
		<-done
	}
}

// scheduleTries is how often the reconcile schedule is updated while Temporal does not answer, which the SDK's client waits 10 s for:
// the server asks a worker of its own about a schedule that stands, and starts that only some time after the namespace was made.
const scheduleTries = 6

// schedule makes the reconcile schedule, or updates the one that stands: Create alone would keep old settings for ever.
func (w *Worker) schedule(ctx context.Context) error {
	schedules := w.options.Client.ScheduleClient()
	spec := sdkclient.ScheduleSpec{Intervals: []sdkclient.ScheduleIntervalSpec{{Every: w.options.ReconcileEvery}}}
	action := &sdkclient.ScheduleWorkflowAction{
		ID: temporal.ReconcileScheduleID, Workflow: temporal.WorkflowReconcile, TaskQueue: temporal.QueueControl,
		Args: []any{temporal.ReconcileInput{Limits: w.options.Limits}}, WorkflowExecutionTimeout: 5 * time.Minute,
		StaticSummary: "repair what does not match",
	}
	_, err := schedules.Create(ctx, sdkclient.ScheduleOptions{
		ID: temporal.ReconcileScheduleID, Spec: spec, Action: action, CatchupWindow: time.Minute,
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, TriggerImmediately: true,
	})
	if err == nil {
		return nil
	}
	if !errors.Is(err, sdktemporal.ErrScheduleAlreadyRunning) {
		return fmt.Errorf("make reconcile schedule: %w", err)
	}
	update := func(in sdkclient.ScheduleUpdateInput) (*sdkclient.ScheduleUpdate, error) {
		schedule := in.Description.Schedule
		schedule.Spec, schedule.Action = &spec, action
		return &sdkclient.ScheduleUpdate{Schedule: &schedule}, nil
	}
	for range scheduleTries {
		err = schedules.GetHandle(ctx, temporal.ReconcileScheduleID).Update(ctx, sdkclient.ScheduleUpdateOptions{DoUpdate: update})
		if !temporal.Unreachable(err) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("update reconcile schedule: %w", err)
	}
	return nil
}
