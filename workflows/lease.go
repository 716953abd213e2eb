package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Lease keeps what is live in an environment running, asleep or stopped, as its row says: it looks at the row, does the one thing that
// is due, and waits for the next time or for the word that the row has changed. Nothing is remembered between two looks, so that it
// does not matter which words were lost. It ends when nothing is to be waited for; who changes the row begins it again.
func Lease(ctx workflow.Context, in temporal.LeaseInput) error {
	l := &lease{in: in, limits: in.Limits, changed: workflow.GetSignalChannel(ctx, temporal.SignalChanged)}
	for {
		look, err := l.look(ctx)
		if err != nil {
			return err
		}
		switch {
		case look.Act != "":
			l.act(ctx, look)
		case look.After > 0:
			l.wait(ctx, look.After, look.Why)
		case l.changed.Len() == 0:
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			in.Limits = l.limits
			return workflow.NewContinueAsNewError(ctx, temporal.WorkflowLease, in)
		}
	}
}

// lease is the state of one run.
type lease struct {
	in      temporal.LeaseInput
	limits  temporal.Limits // as the newest look has found them
	changed workflow.ReceiveChannel
	told    bool // to searches, whose lease this is
}

// look reads the row. Every word until now is heard by it.
func (l *lease) look(ctx workflow.Context) (look temporal.LeaseLook, err error) {
	for l.changed.ReceiveAsync(nil) {
		continue
	}
	looking := stubbornly(ctx, l.limits, "look at the lease")
	err = workflow.ExecuteActivity(looking, control.LookAtLease, temporal.LookInput{EnvironmentID: l.in.EnvironmentID}).Get(ctx, &look)
	if err != nil || look.Gone {
		return look, err
	}
	if look.Limits.Hosts > 0 { // else a worker of before they were told has looked
		l.limits = look.Limits
	}
	workflow.SetCurrentDetails(ctx, leaseDetails(look, ""))
	if l.told {
		return look, nil
	}
	l.told = true
	return look, workflow.UpsertTypedSearchAttributes(ctx,
		temporal.AttrProject.ValueSet(look.Project), temporal.AttrEnvironment.ValueSet(look.Environment))
}

// wait waits for a time, or for the word that the row has changed.
func (l *lease) wait(ctx workflow.Context, after time.Duration, why string) {
	timing, stop := workflow.WithCancel(ctx)
	defer stop()
	timer := workflow.NewTimerWithOptions(timing, after, workflow.TimerOptions{Summary: why})
	either := workflow.NewSelector(ctx)
	either.AddFuture(timer, func(workflow.Future) {})
	either.AddReceive(l.changed, func(workflow.ReceiveChannel, bool) {}) // the next look hears it
	either.Select(ctx)
}

// act does what is due. What could not be done is due again after a while, or when the row changes.
func (l *lease) act(ctx workflow.Context, look temporal.LeaseLook) {
	var result temporal.LeaseResult
	var err error
	switch look.Act {
	case deployment.LeaseSleep:
		result, err = l.sleep(ctx, look)
	case deployment.LeaseStart:
		result, err = l.start(ctx, look)
	case deployment.LeaseStop:
		result, err = l.stop(ctx, look)
	}
	switch {
	case err != nil && ctx.Err() == nil:
		workflow.GetLogger(ctx).Warn("preview: what is due was not done", "act", look.Act, "deployment", look.DeploymentID, "error", err)
		again := fmt.Sprintf("until it is tried again to %s it", look.Act)
		workflow.SetCurrentDetails(ctx, leaseDetails(look, again))
		l.wait(ctx, l.limits.RetryMaximum, again)
	case err == nil && !result.Done: // something else was quicker
		l.wait(ctx, l.limits.RetryInitial, "until it is looked at again")
	}
}

// sleep stops the container and keeps it. It is tried once: the host stops by itself what is asleep and runs.
func (l *lease) sleep(ctx workflow.Context, look temporal.LeaseLook) (result temporal.LeaseResult, err error) {
	sleeping := inOneGo(ctx, l.limits, temporal.QueuePreviewHost(look.HostID), l.limits.CleanUp, "let it sleep: "+look.Why)
	err = workflow.ExecuteActivity(sleeping, preview.SleepPreview, l.of(look)).Get(ctx, &result)
	return result, err
}

// start starts the preview on its host or, when that does not answer, on another.
func (l *lease) start(ctx workflow.Context, look temporal.LeaseLook) (result temporal.LeaseResult, err error) {
	host, gone := look.HostID, !look.HostLives
	for range l.limits.Hosts {
		if gone {
			if host, err = l.place(ctx, look); err != nil {
				return result, err
			}
		}
		workflow.SetCurrentDetails(ctx, leaseDetails(look, "for "+host+" to start it"))
		starting := working(ctx, l.limits, temporal.QueuePreviewHost(host), l.limits.Release+look.Health, "start it on "+host+": "+look.Why)
		err = workflow.ExecuteActivity(starting, preview.StartPreview, l.of(look)).Get(ctx, &result)
		if gone = silent(err); !gone || ctx.Err() != nil {
			return result, err
		}
	}
	return result, fmt.Errorf("%d preview hosts were lost one after another: %w", l.limits.Hosts, err)
}

// place chooses another host.
func (l *lease) place(ctx workflow.Context, look temporal.LeaseLook) (string, error) {
	var place temporal.PlaceResult
	placing := patiently(ctx, l.limits, "choose a preview host")
	err := workflow.ExecuteActivity(placing, control.FindPreviewHost, l.of(look)).Get(ctx, &place)
	return place.HostID, err
}

// stop removes the container. What a host holds that does not answer goes with its own sweep.
func (l *lease) stop(ctx workflow.Context, look temporal.LeaseLook) (result temporal.LeaseResult, err error) {
	if look.HostLives {
		stopping := working(ctx, l.limits, temporal.QueuePreviewHost(look.HostID), l.limits.CleanUp, "stop it: "+look.Why)
		err = workflow.ExecuteActivity(stopping, preview.StopPreview, l.of(look)).Get(ctx, &result)
		if !silent(err) {
			return result, err
		}
	}
	ending := briefly(ctx, l.limits, "stop it, although its host is away: "+look.Why)
	err = workflow.ExecuteActivity(ending, control.EndPreview, l.of(look)).Get(ctx, &result)
	return result, err
}

func (l *lease) of(look temporal.LeaseLook) temporal.StepInput {
	return temporal.StepInput{DeploymentID: look.DeploymentID}
}

// leaseDetails are the current details, in Markdown.
func leaseDetails(look temporal.LeaseLook, waitsFor string) string {
	because := look.Why
	if look.Act == "" {
		because, waitsFor = "", look.Why
	}
	text := fmt.Sprintf("### %s, %s: %s\n\n", look.Project, look.Environment, look.State) +
		item("Deployment", fmt.Sprintf("#%d, %s", look.Number, code(look.DeploymentID))) +
		item("Host", code(look.HostID)) +
		item("Due", string(look.Act)) +
		item("Because", because) +
		item("Waits", waitsFor)
	text += item("Idle since", moment(look.IdleSince))
	switch {
	case look.Wanted == deployment.WantedStopped:
		text += item("Wanted", "stopped")
	case look.Pinned:
		text += item("Pinned", "it neither sleeps nor ends")
	case look.ExpiresAt != nil:
		text += item("Ends", moment(*look.ExpiresAt))
	}
	if f := look.Failure; f != nil {
		text += item("Failed", fmt.Sprintf("class **%s**, code %s", f.Class, code(f.Code))) +
			item("Fix", code(f.Fix)) + fmt.Sprintf("\n```\n%s\n```\n", output(f))
	}
	return text
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 MST")
}
