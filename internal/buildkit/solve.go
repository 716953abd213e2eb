package buildkit

import (
	"context"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
)

const (
	// lookTime is how long the daemon's word on a solve that was canceled is waited for.
	lookTime = 5 * time.Second
	// lastWords is how long a canceled solve's last messages are waited for once the daemon has ended it.
	lastWords = 500 * time.Millisecond
)

// account is a solve's narrator until the account is closed.
type account struct {
	mu     sync.Mutex
	tale   *narrator
	closed bool
}

// solve has the daemon do opt and tells what happens. When ctx ends it returns once the daemon's history says that the
// solve has ended, and not with the client: the daemon waits for a job that it does not know any more when it is asked for
// that job's status, and the client gives up on the status after 5 s without a message (statusInactivityTimeout of
// BuildKit's client/solve.go, v0.34).
func (b *Builder) solve(ctx context.Context, opt client.SolveOpt, tale *narrator) (*client.SolveResponse, error) {
	told := &account{tale: tale}
	defer told.close()
	ended := make(chan struct{})
	defer context.AfterFunc(ctx, func() { b.awaitEnd(context.WithoutCancel(ctx), opt.Ref, ended) })()
	type result struct {
		res *client.SolveResponse
		err error
	}
	done := make(chan result, 1)
	go func() {
		res, err := b.follow(ctx, opt, told)
		done <- result{res, err}
	}()
	select {
	case r := <-done:
		return r.res, r.err
	case <-ended:
		return nil, ctx.Err()
	}
}

// follow has the client solve and hands what it says to told, to the end.
func (b *Builder) follow(ctx context.Context, opt client.SolveOpt, told *account) (*client.SolveResponse, error) {
	status, heard := make(chan *client.SolveStatus), make(chan struct{})
	go func() {
		defer close(heard)
		for s := range status { // whatever ctx says: the client blocks on a status that nobody takes
			told.take(s)
		}
	}()
	res, err := b.client.Solve(ctx, nil, opt, status)
	<-heard
	return res, err
}

// awaitEnd closes ended a moment after the daemon said that it does not run ref; never when the daemon does not answer.
func (b *Builder) awaitEnd(ctx context.Context, ref string, ended chan<- struct{}) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if _, err := b.Lookup(ctx, ref); err == nil {
		time.AfterFunc(lastWords, func() { close(ended) })
	}
}

func (a *account) take(s *client.SolveStatus) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.tale.take(s)
	}
}

// close tells what was printed without a line end, and nothing from then on.
func (a *account) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tale.flush()
	a.closed = true
}
