package activities

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// outputBatch is how many lines of an app are read before it is waited until they are stored: what cannot be stored stays
// with the engine, not in memory.
const outputBatch = 500

// Outputs follows what the live previews of one host print into the logs of their deployments. Like Sweeper it belongs to
// the host rather than to a workflow: an app prints for weeks. No line is lost or doubled by a restart of anything,
// because the log knows how far it has come.
type Outputs struct {
	Engine Engine
	Logs   LogWriter
	Hold   func(deploymentID string) (release func()) // of the Recorder that writes with the same Logs
	Log    *slog.Logger

	mu        sync.Mutex
	following map[string]bool // by container
	under     sync.WaitGroup
}

// Follow begins to follow those previews that are not followed yet, until their containers or ctx end. It is called again
// and again: a container that was stopped and runs again, or an engine that was away, is taken up by the next call.
func (o *Outputs) Follow(ctx context.Context, previews []deployment.Preview) {
	for _, p := range previews {
		if !o.take(p.Container) {
			continue
		}
		o.under.Go(func() {
			defer o.leave(p.Container)
			if err := o.follow(ctx, p); err != nil && ctx.Err() == nil {
				o.Log.Warn("follow the output of a preview", "deployment", p.DeploymentID, "container", p.Container, "error", err)
			}
		})
	}
}

// Wait returns when nothing is followed any more.
func (o *Outputs) Wait() { o.under.Wait() }

func (o *Outputs) take(container string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.following[container] {
		return false
	}
	if o.following == nil {
		o.following = map[string]bool{}
	}
	o.following[container] = true
	return true
}

func (o *Outputs) leave(container string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.following, container)
}

func (o *Outputs) follow(ctx context.Context, p deployment.Preview) error {
	defer o.Hold(p.DeploymentID)()
	secrets, err := o.Engine.Secrets(ctx, p.Container)
	if err != nil {
		return err
	}
	o.Logs.SetSecrets(p.DeploymentID, secrets)
	cursor, err := o.Logs.Cursor(ctx, p.DeploymentID, p.Container)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	unstored := 0
	err = o.Engine.Logs(ctx, p.Container, cursor, func(l deployment.OutputLine) {
		o.Logs.Append(p.DeploymentID, deployment.LogLine{
			Time: l.At, Step: deployment.StepApp, Stream: l.Stream, Text: l.Text, Container: p.Container,
		})
		if unstored++; unstored == outputBatch {
			unstored = 0
			if err := o.Logs.Flush(ctx, p.DeploymentID); err != nil {
				stop(err)
			}
		}
	})
	if ctx.Err() == nil {
		err = errors.Join(err, o.Logs.Flush(ctx, p.DeploymentID))
	}
	return err
}
