package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Preview runs previews on one host.
type Preview struct {
	Store         Store
	Steps         StepRecorder
	Ledger        Ledger
	Logs          LogWriter
	Engine        Engine
	HostID        string
	PullHost      string             // the registry as the Docker engine reaches it
	ProbeInterval time.Duration      // between two tries
	Drain         time.Duration      // from the switch until a preview that lost its route is stopped
	StopGrace     time.Duration      // from SIGTERM to SIGKILL
	Gateway       deployment.Gateway // makes the addresses that apps are told
	WentLive      func()             // tells the host that there is output to follow; may be nil
	Turns         *Turns
	Leases        PreviewLeases
	Policy        deployment.LeasePolicy
	Hold          func(deploymentID string) (release func()) // of the Recorder that writes with the same Logs
	Alone         Alone                                      // nobody begins to start a preview while it is being stopped
}

// ReleasePreview brings an image live: pull → run the release command → start → wait until healthy → switch the route. After the
// switch nothing can take it back, so a cancel that comes then is too late.
func (a *Preview) ReleasePreview(ctx context.Context, in temporal.ReleaseInput) (temporal.ReleaseResult, error) {
	d, p, err := load(ctx, a.Store, in.DeploymentID)
	if err != nil {
		return temporal.ReleaseResult{}, err
	}
	if d.Status == deployment.StatusReady { // an attempt before this one switched and died before it could say so
		return a.released(ctx, d)
	}
	spec, err := a.spec(ctx, d, p, fmt.Sprintf("%s/%s@%s", a.PullHost, in.Image, in.Digest))
	if err != nil {
		return temporal.ReleaseResult{}, err
	}
	if err := a.pull(ctx, spec); err != nil {
		return temporal.ReleaseResult{}, err
	}
	preview, err := a.run(ctx, d, p, spec)
	if err != nil {
		return temporal.ReleaseResult{}, err
	}
	if err := a.judgeDisk(ctx, p, spec, preview); err != nil {
		return temporal.ReleaseResult{}, err
	}
	if preview.Address, err = a.probe(ctx, p, preview, d); err != nil {
		return temporal.ReleaseResult{}, err
	}
	enter(ctx, deployment.PhaseSwitch)
	// The last lines come before the switch: whoever follows the log stops reading when the deployment is ready.
	logOf(ctx, a.Logs).say("healthy, switching %s and %s to it", a.Gateway.Preview(d), a.Gateway.Environment(d))
	if err := a.Logs.Flush(ctx, d.ID); err != nil {
		return temporal.ReleaseResult{}, deployment.PlatformFailure("log.unwritable", "look at Postgres", "%w", err)
	}
	if _, err := a.Store.SwitchRoute(ctx, attemptOf(ctx).RunID, preview); err != nil {
		return temporal.ReleaseResult{}, err
	}
	if a.WentLive != nil {
		a.WentLive()
	}
	a.Turns.Next(ctx, d.ID)
	return a.released(context.WithoutCancel(ctx), d)
}

// pull pulls the image, and has the network made meanwhile, which needs none. The ledger knows of the network before it exists.
func (a *Preview) pull(ctx context.Context, spec RunSpec) error {
	enter(ctx, deployment.PhasePull)
	logOf(ctx, a.Logs).say("pulling %s", spec.Image)
	if err := a.own(ctx, deployment.ResourceNetwork, a.Engine.NetworkName(spec.DeploymentID)); err != nil {
		return err
	}
	made := make(chan struct{})
	go func() {
		defer close(made)
		a.Engine.Prepare(ctx, spec)
	}()
	defer func() { <-made }()
	return a.Engine.Pull(ctx, spec.Image, func(p deployment.Progress) {
		p.Phase = deployment.PhasePull
		pulseOf(ctx).change(func(b *Beat) { b.Progress = p })
	})
}

// own writes into the ledger what is about to be made.
func (a *Preview) own(ctx context.Context, kind deployment.ResourceKind, name string) error {
	d := attemptOf(ctx)
	return a.Ledger.Own(ctx, deployment.Resource{Kind: kind, Name: name, Host: a.HostID, DeploymentID: d.DeploymentID, RunID: d.RunID})
}

// run runs the release command, if there is one, and starts the app.
func (a *Preview) run(ctx context.Context, d deployment.Deployment, p deployment.Project, spec RunSpec) (deployment.Preview, error) {
	if d.Plan == nil || d.Plan.ReleaseCommand == "" {
		return a.start(ctx, spec)
	}
	if err := a.releaseCommand(ctx, d, p, spec); err != nil {
		return deployment.Preview{}, err
	}
	preview, err := a.start(ctx, spec)
	if err != nil {
		return preview, err
	}
	return preview, a.discardCommand(ctx, spec)
}

// start starts the container. The ledger knows of it before it exists.
func (a *Preview) start(ctx context.Context, spec RunSpec) (deployment.Preview, error) {
	enter(ctx, deployment.PhaseStart)
	if err := a.own(ctx, deployment.ResourceContainer, spec.Name); err != nil {
		return deployment.Preview{}, err
	}
	logOf(ctx, a.Logs).say("starting container %s with PORT=%d", spec.Name, spec.Port)
	preview, err := a.Engine.Start(ctx, spec)
	if err != nil {
		return preview, err
	}
	err = a.Store.SetPreview(ctx, spec.RunID, preview)
	if errors.Is(err, deployment.ErrStaleRun) { // the run that took over may have swept before there was anything to sweep
		err = errors.Join(err, a.Engine.Stop(context.WithoutCancel(ctx), spec.Name, a.StopGrace))
	}
	return preview, err
}

// spec says what to run: the plan's defaults, the environment's runtime env vars over them, and slipway's own over both.
func (a *Preview) spec(ctx context.Context, d deployment.Deployment, p deployment.Project, image string) (RunSpec, error) {
	vars, err := a.Store.EnvVars(ctx, d.Scope())
	if err != nil {
		return RunSpec{}, err
	}
	env, port := map[string]string{}, deployment.DefaultPort
	if d.Plan != nil {
		port = d.Plan.Port
		maps.Copy(env, d.Plan.Variables)
	}
	var secret []string
	for _, v := range vars {
		if v.Target.At(deployment.TargetRuntime) {
			env[v.Name] = v.Value
			secret = append(secret, v.Name)
		}
	}
	maps.Copy(env, systemVariables(d, a.Gateway.Environment(d)))
	env["PORT"] = fmt.Sprint(port)
	list := make([]string, 0, len(env))
	for _, name := range names(env) {
		list = append(list, name+"="+env[name])
	}
	spec := RunSpec{
		DeploymentID: d.ID, ProjectID: d.ProjectID, EnvironmentID: d.EnvironmentID, RunID: attemptOf(ctx).RunID,
		Name: containerName(d, attemptOf(ctx).RunID, a.HostID), Image: image, Env: list, SecretEnv: secret, Port: port, Resources: p.ResourcesIn(d.Environment),
	}
	if deployment.EnvironmentKindOf(d.Environment) == deployment.KindProduction || a.Policy.Idle == 0 { // it never sleeps
		spec.PreviewHost, spec.EnvironmentHost, spec.Number = d.PreviewHost, d.EnvHost, d.Number
	}
	return spec, nil
}

// containerName is the same for every attempt of a run on a host, so that two attempts end with one container. Each host has
// another: what a host that was lost still holds is not taken for what is live elsewhere, even where both share an engine.
func containerName(d deployment.Deployment, runID, hostID string) string {
	return fmt.Sprintf("slipway-%s-%s", d.ID, deployment.Mark(runID, hostID))
}

// probe waits until the app answers and returns where it does; meanwhile what it prints goes to the deployment's log. What it prints
// later is for the host to follow (Outputs), from where this ends.
func (a *Preview) probe(ctx context.Context, p deployment.Project, preview deployment.Preview, d deployment.Deployment) (address string, err error) {
	enter(ctx, deployment.PhaseProbe)
	log := logOf(ctx, a.Logs)
	follow, stop := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		err := a.Engine.Logs(follow, preview.Container, nil, func(l deployment.OutputLine) { log.printed(preview.Container, l) })
		if err != nil && follow.Err() == nil {
			log.say("output of the container is not to be had: %v", err)
		}
	}()
	defer func() { stop(); <-followed }()
	refused := p.Build.Refused([]deployment.Warning{otherPort(preview.Address, "")})
	spec := ProbeSpec{Check: p.HealthCheck, Interval: a.ProbeInterval, Host: d.PreviewHost, OtherPort: len(refused) == 0}
	address, err = a.Engine.Probe(ctx, preview, spec, func(text string) { log.say("%s", text) })
	if err != nil {
		return "", err
	}
	if address != preview.Address {
		if err := a.warn(ctx, preview.DeploymentID, otherPort(preview.Address, address)); err != nil {
			return "", err
		}
	}
	return address, a.Engine.KeepAlive(ctx, preview.Container, p.ResourcesIn(d.Environment))
}

// otherPort is the warning about an app that listens elsewhere than where PORT says.
func otherPort(meant, found string) deployment.Warning {
	_, port, _ := net.SplitHostPort(meant)
	_, other, _ := net.SplitHostPort(found)
	w := deployment.NewWarning("release.other_port", "", 0, "the app listens on %s, not on PORT %s: requests go to %s", other, port, other)
	return w.Fixed("make the app listen on the port in PORT, or set port to %s on the project", other)
}

// warn adds a warning to the deployment and its log.
func (a *Preview) warn(ctx context.Context, deploymentID string, w deployment.Warning) error {
	logOf(ctx, a.Logs).warn(w)
	return a.Store.AddWarning(ctx, deploymentID, attemptOf(ctx).RunID, w)
}

// released says where the preview is and what it replaced, as the store has it: an attempt that repeats says the same.
func (a *Preview) released(ctx context.Context, d deployment.Deployment) (temporal.ReleaseResult, error) {
	replaced, err := replacedBy(ctx, a.Store, d.ID)
	return temporal.ReleaseResult{PreviewURL: a.Gateway.Preview(d), Replaced: replaced}, err
}

// replacedBy lists the previews that a ready deployment's environment still runs besides it.
func replacedBy(ctx context.Context, store Store, deploymentID string) ([]temporal.Replaced, error) {
	previews, err := store.ReplacedPreviews(ctx, deploymentID)
	if err != nil {
		return nil, err
	}
	var list []temporal.Replaced
	for _, p := range previews {
		list = append(list, temporal.Replaced{DeploymentID: p.DeploymentID, Queue: temporal.QueuePreviewHost(p.Host)})
	}
	return list, nil
}

// RemovePreview removes a deployment's containers and networks from this host, unless it is live: a cancel that lost
// against the switch must not take down what people look at.
func (a *Preview) RemovePreview(ctx context.Context, in temporal.CleanUpInput) error {
	if in.Canceled {
		if err := a.Steps.Canceling(ctx, in.DeploymentID, activity.GetInfo(ctx).WorkflowExecution.RunID); err != nil {
			return err
		}
	}
	d, err := a.Store.Deployment(ctx, in.DeploymentID)
	if err != nil || d.Status == deployment.StatusReady {
		return err
	}
	return a.remove(ctx, in.DeploymentID, deployment.PreviewFailed, atOnce)
}

// drainMargin is how long gateways, which count the drain time too, have to say goodbye before the app is told to end.
const drainMargin = time.Second

// DrainPreview stops a preview that lost its route, within the grace period, and removes it. Requests that were under way at the
// switch have until then: the time is counted from the switch, so an attempt that repeats does not begin anew.
func (a *Preview) DrainPreview(ctx context.Context, in temporal.StepInput) error {
	since, err := a.Store.ReplacedFor(ctx, in.DeploymentID)
	if err != nil {
		return err
	}
	select {
	case <-time.After(a.Drain + drainMargin - since):
	case <-activity.GetWorkerStopChannel(ctx): // the next attempt goes on from here
		return deployment.TransientFailure("preview.drain_interrupted", "", "the worker stops while the preview is drained")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return a.remove(ctx, in.DeploymentID, deployment.PreviewStopped, a.StopGrace)
}

// atOnce is the grace of an app that never was live: it serves nobody, and one that ignores SIGTERM must not hold up a cancel.
const atOnce time.Duration = 0

// onEngine are the kinds of what a deployment has on an engine: containers first, since a network with one in it cannot go.
var onEngine = []deployment.ResourceKind{deployment.ResourceContainer, deployment.ResourceNetwork, deployment.ResourceBaseImage}

// remove removes what a deployment has here, whose preview is in another state then.
func (a *Preview) remove(ctx context.Context, deploymentID string, state deployment.PreviewState, grace time.Duration) error {
	if err := a.removeThings(ctx, deploymentID, grace); err != nil {
		return err
	}
	return a.Store.SetPreviewState(ctx, deploymentID, state)
}

// removeThings works from the ledger.
func (a *Preview) removeThings(ctx context.Context, deploymentID string, grace time.Duration) error {
	for _, kind := range onEngine {
		owned, err := a.Ledger.Owned(ctx, deploymentID, a.HostID, kind)
		if err != nil {
			return err
		}
		for _, r := range owned {
			if err := a.undo(ctx, r, grace); err != nil {
				return err
			}
		}
	}
	return nil
}

// undo removes a thing and gives it up once it is not there any more.
func (a *Preview) undo(ctx context.Context, r deployment.Resource, grace time.Duration) error {
	begun := time.Now()
	if err := removeAndLook(ctx, a.Engine, r, grace); err != nil {
		return err
	}
	return a.Ledger.Gone(ctx, r, time.Since(begun))
}
