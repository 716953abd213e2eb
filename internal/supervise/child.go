package supervise

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// State of a child.
type State string

// The states a child goes through.
const (
	Starting State = "starting" // the process runs, Ready has not agreed yet
	Running  State = "running"
	Waiting  State = "waiting" // exited, to be started again
	Stopped  State = "stopped"
)

// Status is what a Supervisor knows of a child.
type Status struct {
	Name     string
	State    State
	PID      int       // 0 unless a process runs
	Since    time.Time // of State
	Restarts int
	LastExit string // how it last ended by itself, e.g. "signal: killed"; empty if it never did
}

// child keeps one program running.
type child struct {
	spec    Spec
	runDir  string
	backoff Backoff
	log     *slog.Logger
	output  *logFile

	stopping context.CancelFunc // ends keep
	hurry    context.CancelFunc // turns a polite stop into a kill
	endCtx   context.Context    // done once hurry was called
	done     chan struct{}      // closed when keep has returned
	endErr   error              // how the end went; read after done

	mu     sync.Mutex
	status Status
}

// run starts the program, waits until it is ready and keeps it from then on. On error nothing runs.
func (c *child) run(ctx context.Context) error {
	in, err := c.begin(ctx)
	if err != nil {
		return errors.Join(err, c.output.Close())
	}
	keepCtx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the child outlives its start
	c.stopping = cancel
	go func() {
		defer close(c.done)
		c.endErr = errors.Join(c.keep(keepCtx, in), c.output.Close())
	}()
	return nil
}

// begin launches one instance and waits until it is ready; an instance that does not get there is ended.
func (c *child) begin(ctx context.Context) (*instance, error) {
	in, err := launch(ctx, c.spec, c.runDir, c.output)
	if err != nil {
		return nil, err
	}
	c.set(Starting, in.owner.Process.PID)
	if err := in.waitReady(ctx, c.spec); err != nil {
		return nil, errors.Join(err, in.end(c.endCtx)) //nolint:contextcheck // ctx may be done: it says to stop, not to kill
	}
	c.set(Running, in.owner.Process.PID)
	c.log.InfoContext(ctx, "child is ready", "pid", in.owner.Process.PID)
	return in, nil
}

// keep restarts the program whenever it exits, until ctx is done; then it ends it.
func (c *child) keep(ctx context.Context, in *instance) error {
	defer c.set(Stopped, 0)
	var wait time.Duration
	for {
		since := time.Now()
		select {
		case <-ctx.Done():
			return in.end(c.endCtx) //nolint:contextcheck // ctx is done: it says to stop, not to kill
		case <-in.exited:
		}
		wait = c.backoff.next(wait, time.Since(since))
		c.exited(ctx, in.outcome(), wait)
		if err := in.end(ctx); err != nil { // its descendants may live
			c.log.ErrorContext(ctx, "cleaning up after a child", "error", err)
		}
		if in = c.restart(ctx, &wait); in == nil {
			return nil
		}
	}
}

// restart tries until the program is ready again; nil means that ctx is done.
func (c *child) restart(ctx context.Context, wait *time.Duration) *instance {
	for {
		timer := time.NewTimer(*wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		in, err := c.begin(ctx)
		if err == nil {
			c.mu.Lock()
			c.status.Restarts++
			c.mu.Unlock()
			return in
		}
		if ctx.Err() != nil {
			return nil
		}
		*wait = c.backoff.next(*wait, 0)
		c.exited(ctx, err.Error(), *wait)
	}
}

// exited records that the child is down and for how long.
func (c *child) exited(ctx context.Context, how string, wait time.Duration) {
	c.mu.Lock()
	c.status.LastExit = how
	c.mu.Unlock()
	c.set(Waiting, 0)
	c.log.ErrorContext(ctx, "child exited", "outcome", how, "restart_in", wait, "log", c.spec.LogFile)
}

func (c *child) set(s State, pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.State, c.status.PID, c.status.Since = s, pid, time.Now()
}

func (c *child) snapshot() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// stop ends the child; when ctx is done first it is killed. It returns when nothing of it runs.
func (c *child) stop(ctx context.Context) error {
	defer c.hurry()
	c.stopping()
	select {
	case <-c.done:
	case <-ctx.Done():
		c.hurry()
		<-c.done
	}
	return c.endErr
}
