package activities

import (
	"context"
	"sync"
)

// Alone waits until nobody on this host is at work on the preview of a deployment, or for the end of ctx; nobody else is until release
// is called. OneByOne.Take is one.
type Alone func(ctx context.Context, deploymentID string) (release func(), err error)

// OneByOne lets one at a time be at work on a thing. Its zero value is ready.
type OneByOne struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when its work is done
}

// Take waits until nobody is at work on the thing of that name, or for the end of ctx; nobody else is until release is called.
func (o *OneByOne) Take(ctx context.Context, name string) (release func(), err error) {
	for {
		done, free := o.try(name)
		if free {
			return func() { o.leave(name, done) }, nil
		}
		select {
		case <-done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (o *OneByOne) try(name string) (done chan struct{}, free bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if done, busy := o.busy[name]; busy {
		return done, false
	}
	if o.busy == nil {
		o.busy = map[string]chan struct{}{}
	}
	done = make(chan struct{})
	o.busy[name] = done
	return done, true
}

func (o *OneByOne) leave(name string, done chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, name)
	close(done)
}
