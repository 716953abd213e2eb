package activities

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// releaseCommand runs what is to be run once in the new image before the app is started, such as a migration, with the app's
// variables, limits and network. Once means once in a run of the deployment: the store knows of one that has ended well, the
// engine of one that runs or has failed. It runs again where neither does, as after the loss of its host.
func (a *Preview) releaseCommand(ctx context.Context, d deployment.Deployment, p deployment.Project, spec RunSpec) error {
	enter(ctx, deployment.PhaseReleaseCommand)
	log := logOf(ctx, a.Logs)
	if back, err := a.goesBack(ctx, d); err != nil || back {
		if back {
			log.say("the release command is not run: it was run when this image went live in %s before", d.Environment)
		}
		return err
	}
	if done, err := a.commandDone(ctx, spec); err != nil || done {
		if done {
			log.say("the release command has ended well in an earlier attempt")
		}
		return err
	}
	spec.Name, spec.Command = commandContainer(spec), d.Plan.ReleaseArgs()
	if err := a.own(ctx, deployment.ResourceContainer, spec.Name); err != nil {
		return err
	}
	log.say("running the release command of the %s: %s", d.Plan.ReleaseFrom, d.Plan.ReleaseCommand)
	err := a.Engine.RunOnce(ctx, spec, deployment.Once{
		Limit: time.Duration(p.ReleaseTimeoutSeconds) * time.Second, Grace: a.StopGrace, Begin: a.commandBegins(spec, log),
		Line: func(l deployment.OutputLine) { log.printed(spec.Name, l) },
	})
	if err != nil {
		if done, _ := a.commandDone(ctx, spec); done { // another attempt at the same time has seen its end and went on
			return nil
		}
		return err
	}
	log.say("the release command has ended well")
	return a.Store.EndReleaseCommand(ctx, d.ID, spec.RunID)
}

// goesBack reports whether the deployment brings back what was live in its environment before, as a rollback does: its release
// command has had its effect there, and may not stand being run over what came later.
func (a *Preview) goesBack(ctx context.Context, d deployment.Deployment) (bool, error) {
	if d.ReusedFrom == "" {
		return false, nil
	}
	source, err := a.Store.Deployment(ctx, d.ReusedFrom)
	return source.EnvironmentID == d.EnvironmentID, err
}

func (a *Preview) commandDone(ctx context.Context, spec RunSpec) (bool, error) {
	state, err := a.Store.ReleaseCommand(ctx, spec.DeploymentID, spec.RunID)
	return state == deployment.CommandDone, err
}

// errCommandDone keeps a command from running that has ended well by now.
var errCommandDone = deployment.TransientFailure("release.command_done", "nothing: the next attempt goes on without it",
	"the release command has ended well in another attempt")

// commandBegins has the store note that the command is about to be started, and refuse that.
func (a *Preview) commandBegins(spec RunSpec, log stepLog) func(context.Context) error {
	begun := false // by this attempt
	return func(ctx context.Context) error {
		before, err := a.Store.BeginReleaseCommand(ctx, spec.DeploymentID, spec.RunID)
		switch {
		case err != nil:
			return err
		case before == deployment.CommandDone:
			return errCommandDone
		case before == deployment.CommandBegun && !begun:
			log.say("the release command was begun before, and nothing tells how it ended: it is run again")
		}
		begun = true
		return nil
	}
}

// commandContainer is the name of the container that runs the release command of what spec runs.
func commandContainer(spec RunSpec) string { return spec.Name + "-release" }

// discardCommand removes the container of the release command. It is done when the app's own stands, since the image goes with the
// last container that has it.
func (a *Preview) discardCommand(ctx context.Context, spec RunSpec) error {
	owned, err := a.Ledger.Owned(ctx, spec.DeploymentID, a.HostID, deployment.ResourceContainer)
	if err != nil {
		return err
	}
	for _, r := range owned {
		if r.Name == commandContainer(spec) {
			return a.undo(ctx, r, atOnce)
		}
	}
	return nil
}
