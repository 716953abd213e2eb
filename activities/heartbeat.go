package activities

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Beat is what a heartbeat carries: small, and enough for the next attempt to find what this one began.
type Beat struct {
	Step deployment.StepName `json:"step,omitempty"`
	deployment.Progress
	Builder string `json:"builder,omitempty"` // address of the BuildKit that solves
	Ref     string `json:"ref,omitempty"`     // of the solve
	Image   string `json:"image,omitempty"`   // the tag that it pushes
	Input   string `json:"input,omitempty"`   // what that is built from
}

// Heartbeats sends heartbeats for activities on a clock of its own, never driven by output: a silent `npm ci` still
// beats. The SDK's heartbeat gives up, and cancels the activity, when the server is away for one throttle interval; this
// loop outlives a server's restart and stops the work only on the server's own word.
type Heartbeats struct {
	Client   HeartbeatClient
	Interval time.Duration // between beats; 1 s in production
	Limit    time.Duration // of one call; 2 s in production
}

// HeartbeatClient is the part of the SDK's client that sends a heartbeat.
type HeartbeatClient interface {
	RecordActivityHeartbeat(ctx context.Context, taskToken []byte, details ...any) error
}

// pulse is the heart of one running activity.
type pulse struct {
	mu    sync.Mutex
	beat  Beat
	moved func(deployment.Progress) // told of every change, may be nil
}

// newPulse begins with what the last attempt said of itself, so that a second death does not lose it.
func newPulse(ctx context.Context, step deployment.StepName, phase deployment.Phase) *pulse {
	p := &pulse{}
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &p.beat) != nil {
		p.beat = Beat{}
	}
	p.beat.Step, p.beat.Progress = step, deployment.Progress{Phase: phase}
	return p
}

func (p *pulse) change(f func(*Beat)) {
	p.mu.Lock()
	f(&p.beat)
	now := p.beat.Progress
	p.mu.Unlock()
	if p.moved != nil {
		p.moved(now)
	}
}

func (p *pulse) now() Beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.beat
}

type pulseKey struct{}

// pulseOf returns the pulse of the running activity; outside of one (unit tests) a pulse that nobody listens to.
func pulseOf(ctx context.Context) *pulse {
	if p, ok := ctx.Value(pulseKey{}).(*pulse); ok {
		return p
	}
	return &pulse{}
}

// run beats until ctx ends, the returned stop is called, or the server says that the activity is to end.
func (h *Heartbeats) run(ctx context.Context, p *pulse) (stop func()) {
	info := activity.GetInfo(ctx)
	if info.HeartbeatTimeout == 0 || h == nil {
		return func() {}
	}
	loop, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(h.Interval)
		defer ticker.Stop()
		for h.send(loop, ctx, info.TaskToken, p) {
			select {
			case <-ticker.C:
			case <-loop.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// send sends one beat and reports whether to go on.
func (h *Heartbeats) send(loop, work context.Context, token []byte, p *pulse) bool {
	call, cancel := context.WithTimeout(loop, h.Limit)
	defer cancel()
	err := h.Client.RecordActivityHeartbeat(call, token, p.now())
	if !serverSaysStop(err) {
		return true
	}
	// The SDK marks an activity as canceled only when it heard so itself; this one call of its own makes it ask, and it
	// cancels the activity's context with the right cause.
	activity.RecordHeartbeat(work, p.now())
	return false
}

func serverSaysStop(err error) bool {
	var notFound *serviceerror.NotFound
	return sdktemporal.IsCanceledError(err) || errors.As(err, &notFound) ||
		errors.Is(err, activity.ErrActivityPaused) || errors.Is(err, activity.ErrActivityReset)
}
