package activities

import (
	"context"
	"sync"
)

// oneByOne lets one at a time be at work on a thing. Its zero value is ready.
type oneByOne struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when its work is done
}

// take waits until nobody is at work on the thing of that name, or for the end of ctx; nobody else is until release is called.
func (o *oneByOne) take(ctx context.Context, name string) (release func(), err error) {
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

func (o *oneByOne) try(name string) (done chan struct{}, free bool) {
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

func (o *oneByOne) leave(name string, done chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, name)
	close(done)
}
