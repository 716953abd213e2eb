package activities

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// steps says which step an activity is; the others are not shown to people.
var steps = map[string]deployment.StepName{
	"ResolveRef":     deployment.StepResolve,
	"FetchSource":    deployment.StepFetch,
	"MakePlan":       deployment.StepPlan,
	"BuildImage":     deployment.StepBuild,
	"ReleasePreview": deployment.StepRelease,
}

// claim is the activity that waits in line for a build slot.
const claim = "ClaimHost"

// firstPhase is the phase that a step begins in, of the steps that have phases.
var firstPhase = map[deployment.StepName]deployment.Phase{
	deployment.StepBuild:   deployment.PhaseSolve,
	deployment.StepRelease: deployment.PhasePull,
}

// Recorder is the interceptor that alone writes steps and, with them, the status of a deployment: when an activity
// starts, changes phase and ends. Activities that did it themselves would double the history.
type Recorder struct {
	interceptor.WorkerInterceptorBase
	Steps      StepRecorder
	Store      Store
	Runs       Runs
	Logs       LogWriter
	Heartbeats *Heartbeats
	HostID     string
	Now        func() time.Time
	Log        *slog.Logger
	Patience   time.Duration // how long the record waits for a Postgres that is away; 0 means 25 s
	Meter      Meter         // nil counts nothing

	mu   sync.Mutex
	held map[string]int // attempts under way in this process, by deployment
}

// InterceptActivity puts the recorder around every activity.
func (r *Recorder) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	inbound := &recorded{recorder: r}
	inbound.Next = next
	return inbound
}

type recorded struct {
	interceptor.ActivityInboundInterceptorBase
	recorder *Recorder
}

// ExecuteActivity runs an activity with a heartbeat, records its step, and translates its error.
func (a *recorded) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	r, info := a.recorder, activity.GetInfo(ctx)
	step, isStep := steps[info.ActivityType.Name]
	attempt := StepAttempt{
		DeploymentID: temporal.DeploymentOf(info.WorkflowExecution.ID), RunID: info.WorkflowExecution.RunID,
		Step: step, Phase: firstPhase[step], Activity: info.ActivityID, Attempt: int(info.Attempt), Host: r.HostID,
	}
	if temporal.IsDeployWorkflow(info.WorkflowExecution.ID) {
		ctx = deployment.WithID(ctx, attempt.DeploymentID)
	}
	p := newPulse(ctx, step, attempt.Phase)
	defer r.Heartbeats.run(ctx, p)() // also while the record waits for Postgres, before the work and after it
	if !isStep {
		out, err := a.unrecorded(ctx, in, attempt)
		if err == nil && info.ActivityType.Name == claim {
			r.meter().QueueWaited(info.StartedTime.Sub(info.ScheduledTime)) // scheduled once, however often it was refused
		}
		return out, r.redact(attempt.DeploymentID, atEdge(ctx, err, step))
	}
	return a.step(ctx, in, attempt, p)
}

// step runs an activity that is a step.
func (a *recorded) step(ctx context.Context, in *interceptor.ExecuteActivityInput, attempt StepAttempt, p *pulse) (any, error) {
	r, step, begun := a.recorder, attempt.Step, a.recorder.Now()
	defer r.Hold(attempt.DeploymentID)()
	attempt, err := r.begin(ctx, attempt)
	if err != nil {
		return nil, r.redact(attempt.DeploymentID, atEdge(ctx, err, step))
	}
	ph := &phases{ctx: ctx, step: step, meter: r.meter()}
	ph.enter(attempt.Phase)
	p.moved = r.mover(ctx, attempt, ph)
	work := context.WithValue(context.WithValue(ctx, pulseKey{}, p), attemptKey{}, attempt)
	out, err := a.guarded(work, in)
	err = r.redact(attempt.DeploymentID, atEdge(ctx, err, step))
	attempt.Phase = ph.end() // a retry is announced where the attempt failed
	r.end(ctx, attempt, begun, wasReused(out), err)
	if err == nil {
		r.awaitSlot(ctx, attempt, out)
	}
	return out, err
}

// unrecorded runs an activity that is no step. One that works for a deployment does so under its current run only.
func (a *recorded) unrecorded(ctx context.Context, in *interceptor.ExecuteActivityInput, attempt StepAttempt) (any, error) {
	if temporal.IsDeployWorkflow(activity.GetInfo(ctx).WorkflowExecution.ID) {
		if _, err := a.recorder.enter(ctx, attempt); err != nil {
			return nil, err
		}
	}
	return a.guarded(ctx, in)
}

// guarded runs the activity. A panic becomes an error here rather than in the SDK, which knows of no secrets to redact
// and would leave the step running.
func (a *recorded) guarded(ctx context.Context, in *interceptor.ExecuteActivityInput) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.recorder.Log.ErrorContext(ctx, "activity panicked", "activity", activity.GetInfo(ctx).ActivityType.Name, "stack", string(debug.Stack()))
			err = deployment.PlatformFailure("panic", "report it with the worker's log", "panic: %v", p)
		}
	}()
	return a.Next.ExecuteActivity(ctx, in)
}

// begin lets the log know which values it must never write, and records the start of an attempt, which it returns with the
// number that people see.
func (r *Recorder) begin(ctx context.Context, a StepAttempt) (StepAttempt, error) {
	d, err := r.enter(ctx, a)
	if err != nil {
		return a, err
	}
	values, err := r.secrets(ctx, d.Scope())
	if err != nil {
		return a, err
	}
	r.Logs.SetSecrets(a.DeploymentID, values)
	numbered := a
	err = r.persist(ctx, func() (err error) {
		if numbered.Attempt, err = r.Steps.AttemptNumber(ctx, a); err != nil {
			return err
		}
		return r.Steps.StepStarted(ctx, numbered, r.Now())
	})
	return numbered, err
}

// secrets are the texts that no log of an environment's deployments may hold.
func (r *Recorder) secrets(ctx context.Context, scope deployment.Scope) ([]string, error) {
	vars, err := r.Store.EnvVars(ctx, scope)
	if err != nil {
		return nil, err
	}
	values := make([]string, 0, len(vars))
	for _, v := range vars {
		values = append(values, v.Value)
	}
	credential, err := r.Store.GitCredential(ctx, scope.ProjectID)
	if err != nil || credential == nil {
		return values, err
	}
	return append(values, credential.Secrets()...), nil
}

// end records how an attempt ended. It outlives the activity's context, and only logs when it cannot write: the next
// attempt, the next step or the end of the deployment marks the row.
func (r *Recorder) end(ctx context.Context, a StepAttempt, begun time.Time, reused bool, err error) {
	status, failure, next := r.verdict(ctx, a, reused, err)
	var class deployment.Class
	if failure != nil {
		class = failure.Class
		logFrom(r.Logs, a).say("%s failed: %s", a.Step, failure.Message)
	}
	r.meter().StepEnded(a.Step, status, class, r.Now().Sub(begun))
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.patience())
	defer cancel()
	if e := r.Logs.Flush(flush, a.DeploymentID); e != nil {
		r.Log.WarnContext(ctx, "flush log", "deployment", a.DeploymentID, "error", e)
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	e := r.persist(after, func() error { return r.Steps.StepEnded(after, a, status, failure, next, r.Now()) })
	if e != nil && !errors.Is(e, deployment.ErrStaleRun) {
		r.Log.WarnContext(ctx, "record end of step", "deployment", a.DeploymentID, "step", a.Step, "error", e)
	}
}

func (r *Recorder) verdict(ctx context.Context, a StepAttempt, reused bool, err error) (deployment.StepStatus, *deployment.Failure, *time.Time) {
	switch {
	case err == nil && reused:
		return deployment.StepReused, nil, nil
	case err == nil:
		return deployment.StepSucceeded, nil, nil
	case sdktemporal.IsCanceledError(err), IsType(err, ErrTypeCancelAsked), IsType(err, ErrTypeSuperseded):
		return deployment.StepCanceled, nil, nil
	}
	failure := Failure(err, a.Step)
	if app, ok := errors.AsType[*sdktemporal.ApplicationError](err); ok && app.NonRetryable() {
		return deployment.StepFailed, failure, nil
	}
	return deployment.StepFailed, failure, r.nextAttempt(ctx)
}

// nextAttempt tells when the server will start the next attempt by the activity's retry policy, nil after the last.
func (r *Recorder) nextAttempt(ctx context.Context) *time.Time {
	info := activity.GetInfo(ctx)
	policy := info.RetryPolicy
	if policy == nil || (policy.MaximumAttempts > 0 && info.Attempt >= policy.MaximumAttempts) {
		return nil
	}
	wait := time.Duration(float64(policy.InitialInterval) * math.Pow(policy.BackoffCoefficient, float64(info.Attempt-1)))
	if policy.MaximumInterval > 0 {
		wait = min(wait, policy.MaximumInterval)
	}
	at := r.Now().Add(wait)
	return &at
}

// mover returns what a pulse tells of every change: a change of phase makes a row of its own at once, percents at most
// one write a second.
func (r *Recorder) mover(ctx context.Context, a StepAttempt, ph *phases) func(deployment.Progress) {
	gate := progressGate{phase: a.Phase}
	return func(p deployment.Progress) {
		changed, due := gate.pass(p, r.Now())
		if changed {
			ph.enter(p.Phase)
		}
		a := a
		a.Phase = p.Phase
		limit := progressTime
		if changed {
			limit = lastWord
		}
		write, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		var err error
		if changed {
			err = r.Steps.StepPhase(write, a, r.Now())
		} else if due {
			err = r.Steps.StepProgress(write, a, p)
		}
		if err != nil && !errors.Is(err, deployment.ErrStaleRun) {
			r.Log.WarnContext(ctx, "record progress", "deployment", a.DeploymentID, "step", a.Step, "error", err)
		}
	}
}

func wasReused(out any) bool {
	reuse, ok := out.(interface{ WasReused() bool })
	return ok && reuse.WasReused()
}
