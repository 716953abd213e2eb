package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// wakeInterval is the time between two tries of the health check of a preview that somebody waits for.
const wakeInterval = 40 * time.Millisecond

// StartPreview makes the live deployment of an environment run again on this host: its container is started where it stands, else made
// anew from the image. The release command is not run again. An app that does not come up is a result, and nothing of it is left: the
// lease says when it is tried again. What else goes wrong is noted, and tried again by Temporal. It may run twice, also at once: one
// container comes of it.
func (a *Preview) StartPreview(ctx context.Context, in temporal.StepInput) (temporal.LeaseResult, error) {
	d, p, err := load(ctx, a.Store, in.DeploymentID)
	if err != nil {
		return temporal.LeaseResult{}, err
	}
	defer a.Hold(d.ID)()
	if err := a.nameSecrets(ctx, d); err != nil {
		return temporal.LeaseResult{}, err
	}
	again := context.WithValue(ctx, attemptKey{}, StepAttempt{DeploymentID: d.ID, RunID: d.RunID, Step: deployment.StepApp})
	begun := time.Now()
	err = a.startAgain(again, d, p)
	switch {
	case err == nil:
		logOf(again, a.Logs).say("live again after %.1f s", time.Since(begun).Seconds())
		if a.WentLive != nil {
			a.WentLive()
		}
		return temporal.LeaseResult{Done: true}, nil
	case errors.Is(err, deployment.ErrSuperseded): // replaced or stopped meanwhile, or begun elsewhere
		return temporal.LeaseResult{}, nil
	case ctx.Err() != nil:
		return temporal.LeaseResult{}, err
	default:
		return a.notStarted(ctx, d, redacted(a.Logs, d.ID, failureOf(err, "")))
	}
}

// nameSecrets lets the log know which values it must never write.
func (a *Preview) nameSecrets(ctx context.Context, d deployment.Deployment) error {
	vars, err := a.Store.EnvVars(ctx, d.Scope())
	values := make([]string, 0, len(vars))
	for _, v := range vars {
		values = append(values, v.Value)
	}
	if err == nil {
		a.Logs.SetSecrets(d.ID, values)
	}
	return err
}

// notStarted notes why a preview does not run.
func (a *Preview) notStarted(ctx context.Context, d deployment.Deployment, f *deployment.Failure) (temporal.LeaseResult, error) {
	if f.Class != deployment.ClassUser {
		return temporal.LeaseResult{}, errors.Join(f, a.Leases.StartTrouble(ctx, d.ID, f))
	}
	release, err := a.Alone(ctx, d.ID) // nobody begins anew between the row and the removal
	if err != nil {
		return temporal.LeaseResult{}, err
	}
	defer release()
	again, err := a.Leases.StartFailed(ctx, d.ID, a.HostID, f, a.Policy)
	if errors.Is(err, deployment.ErrSuperseded) { // what stands here is another attempt's, or goes with what took its place
		return temporal.LeaseResult{}, nil
	}
	if err != nil {
		return temporal.LeaseResult{}, err
	}
	next := "it is not tried again until somebody asks for it"
	if again > 0 {
		next = fmt.Sprintf("it is tried again in %s", again.Round(time.Second))
	}
	a.appLog(d.ID).say("it did not come up: %s; %s", f.Message, next)
	return temporal.LeaseResult{Done: true, Failure: f}, a.removeThings(ctx, d.ID, atOnce)
}

// startAgain makes a preview live again. What is not to run answers deployment.ErrSuperseded, and nothing of it is left here.
func (a *Preview) startAgain(ctx context.Context, d deployment.Deployment, p deployment.Project) error {
	spec, err := a.spec(ctx, d, p, fmt.Sprintf("%s/%s@%s", a.PullHost, d.Image, d.ImageDigest))
	if err != nil {
		return err
	}
	preview, err := a.beginStart(ctx, deployment.Preview{
		DeploymentID: d.ID, Host: a.HostID, Container: spec.Name, Network: a.Engine.NetworkName(d.ID),
	})
	if err != nil || preview.State == deployment.PreviewLive {
		return err
	}
	spec.Name = preview.Container
	resumed, err := a.resume(ctx, preview, p.ResourcesIn(d.Environment))
	if err != nil {
		return err
	}
	if !resumed {
		if preview, err = a.anew(ctx, spec); err != nil {
			return err
		}
	}
	if preview.Address, err = a.await(ctx, d, p, preview); err != nil {
		return err
	}
	if err := a.Engine.KeepAlive(ctx, preview.Container, p.ResourcesIn(d.Environment)); err != nil {
		return err
	}
	err = a.Leases.Started(ctx, preview)
	if errors.Is(err, deployment.ErrSuperseded) {
		err = errors.Join(err, a.removeThings(context.WithoutCancel(ctx), d.ID, a.StopGrace))
	}
	return err
}

// beginStart notes that a preview is about to be started, once nobody on this host stops it.
func (a *Preview) beginStart(ctx context.Context, where deployment.Preview) (deployment.Preview, error) {
	release, err := a.Alone(ctx, where.DeploymentID)
	if err != nil {
		return deployment.Preview{}, err
	}
	defer release()
	return a.Leases.BeginStart(ctx, where)
}

// resume starts the container where it stands, and reports whether it does. One that cannot be, as when its network is gone, is made
// anew; so is one that only has its name, which an attempt before this one has made: its address may be another.
func (a *Preview) resume(ctx context.Context, p deployment.Preview, r deployment.Resources) (bool, error) {
	if p.Address == "" {
		return false, nil
	}
	there, err := a.Engine.Wake(ctx, p.ContainerID, r)
	if err == nil || ctx.Err() != nil || deployment.AsFailure(err).Class == deployment.ClassTransient {
		return there, err
	}
	logOf(ctx, a.Logs).say("container %s is made anew: %v", p.Container, err)
	return false, nil
}

// anew makes the container from the image, with the environment's variables as they are now.
func (a *Preview) anew(ctx context.Context, spec RunSpec) (deployment.Preview, error) {
	if err := a.pull(ctx, spec); err != nil {
		return deployment.Preview{}, err
	}
	return a.start(ctx, spec)
}

// await waits until the app answers and returns where it does.
func (a *Preview) await(ctx context.Context, d deployment.Deployment, p deployment.Project, preview deployment.Preview) (string, error) {
	refused := p.Build.Refused([]deployment.Warning{otherPort(preview.Address, "")})
	spec := ProbeSpec{Check: p.HealthCheck, Interval: wakeInterval, Host: d.PreviewHost, OtherPort: len(refused) == 0}
	log := logOf(ctx, a.Logs)
	return a.Engine.Probe(ctx, preview, spec, func(text string) { log.say("%s", text) })
}
