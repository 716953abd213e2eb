package docker

import (
	"context"
	"slices"
	"sync"
	"time"
)

// lastLinesLimit is how long the removal of a container waits for those who follow its output: they may be waiting too, for whoever
// keeps it.
const lastLinesLimit = 2 * time.Second

// followers are those who copy the output of containers, by container. What an app says while it ends is gone with its container: whoever
// removes one lets them read it first.
type followers struct {
	mu  sync.Mutex
	all map[string][]chan struct{} // each closed when all was read
}

// join is called before a container's output is read, done when all of it was.
func (f *followers) join(name string) (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[string][]chan struct{}{}
	}
	one := make(chan struct{})
	f.all[name] = append(f.all[name], one)
	return func() {
		f.leave(name, one)
		close(one)
	}
}

func (f *followers) leave(name string, one chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all[name] = slices.DeleteFunc(f.all[name], func(other chan struct{}) bool { return other == one })
	if len(f.all[name]) == 0 {
		delete(f.all, name)
	}
}

// await returns when those who follow the output of a container that has ended have read all of it, or take too long.
func (f *followers) await(ctx context.Context, name string) {
	f.mu.Lock()
	reading := slices.Clone(f.all[name])
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lastLinesLimit)
	defer cancel()
	for _, done := range reading {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}
