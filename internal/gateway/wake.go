package gateway

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Waker has previews woken.
type Waker interface {
	// RequestWake asks for what is live in an environment to be woken, or tried again now when it did not come up. One for which there is
	// nothing to do, or that was asked for, is left as it is.
	RequestWake(ctx context.Context, environmentID string) error
}

// Waking says how requests to previews that are asleep are held.
type Waking struct {
	Waker    Waker         // nil: none is woken
	Wait     time.Duration // that a request is held at most; 0 for half a minute
	Patience time.Duration // of who looks at a browser; 0 for five seconds
	Look     time.Duration // between two looks at a route although nobody said that it has changed; 0 for a second
	Most     int           // requests to one environment; 0 for 256
}

// wakes are the previews that are being woken.
type wakes struct {
	Waking
	mu  sync.Mutex
	all map[string]*wake // by environment
}

// wake is a preview that is being woken, and how many wait for it.
type wake struct {
	host string        // by which it is looked for
	held int           // guarded by wakes.mu
	told chan struct{} // its route may have changed
	over chan struct{} // closed when it is worth asking for the route again
	end  context.CancelFunc
}

func newWakes(w Waking) *wakes {
	w.Wait, w.Patience = cmp.Or(w.Wait, 30*time.Second), cmp.Or(w.Patience, 5*time.Second)
	w.Look, w.Most = cmp.Or(w.Look, time.Second), cmp.Or(w.Most, 256)
	return &wakes{Waking: w, all: map[string]*wake{}}
}

// canWake reports whether what a route leads to may come up once somebody asks for it: it is asleep, is started again, or did not come
// up and is to be tried again. What was stopped or whose time is over stays as it is.
func (s *wakes) canWake(r deployment.Route) bool {
	return s.Waker != nil && r.EnvironmentID != "" && r.Status == deployment.StatusReady && r.ReplacedBy == 0 &&
		(r.State == deployment.PreviewAsleep || r.State == deployment.PreviewStarting || r.NextStartAt != nil) &&
		r.Wanted != deployment.WantedStopped && r.ExpiredAt == nil
}

// inVain reports whether a preview was tried between two looks at its route, and did not come up.
func inVain(before, now deployment.Route) bool {
	return now.State == deployment.PreviewFailed && (before.State != deployment.PreviewFailed || !now.Since.Equal(before.Since))
}

// hold keeps a request, its body unread, until the preview that it is for is awake, and answers what its route has become; or
// what is to be said instead, because that takes too long.
func (g *Gateway) hold(r *http.Request, v *visit) (deployment.Route, *answer, error) {
	ended := g.traffic.began(v.route.EnvironmentID) // whoever waits for a preview uses it
	defer ended(statusLeft)
	limit := g.wakes.Wait
	if r.Method == http.MethodGet && wantsHTML(r) {
		limit = min(limit, g.wakes.Patience)
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	for route := v.route; ; {
		w, ok := g.join(r.Context(), v.hostname, route)
		if !ok {
			return route, crowded(route), nil
		}
		var instead *answer
		var err error
		select {
		case <-w.over:
		case <-late.C:
			instead = waking(route)
		case <-r.Context().Done():
			err = context.Cause(r.Context())
		}
		g.wakes.leave(route.EnvironmentID, w)
		if instead != nil || err != nil {
			return route, instead, err
		}
		before := route
		if route, err = g.route(r.Context(), v.hostname); err != nil || !g.wakes.canWake(route) || inVain(before, route) {
			return route, nil, err
		}
	}
}

// join waits with all others for the preview of an environment; the first of them has it woken.
func (g *Gateway) join(ctx context.Context, host string, route deployment.Route) (*wake, bool) {
	s := g.wakes
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.all[route.EnvironmentID]
	if !ok {
		ctx, end := context.WithCancel(context.WithoutCancel(ctx)) // others wait when the first has left
		w = &wake{host: host, told: make(chan struct{}, 1), over: make(chan struct{}), end: end}
		s.all[route.EnvironmentID] = w
		go g.wake(ctx, w, route)
	}
	if w.held >= s.Most {
		return nil, false
	}
	w.held++
	return w, true
}

func (s *wakes) leave(environmentID string, w *wake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.held--; w.held > 0 {
		return
	}
	w.end()
	s.forget(environmentID, w)
}

// forget has the next request begin anew; s.mu is held.
func (s *wakes) forget(environmentID string, w *wake) {
	if s.all[environmentID] == w {
		delete(s.all, environmentID)
	}
}

// wake has a preview woken and looks at its route until it is, or will not be, or was tried in vain, or nobody waits for it any more.
func (g *Gateway) wake(ctx context.Context, w *wake, route deployment.Route) {
	for {
		if route.State != deployment.PreviewStarting {
			if err := g.wakes.Waker.RequestWake(ctx, route.EnvironmentID); err != nil && ctx.Err() == nil {
				g.log.WarnContext(ctx, "cannot have a preview woken; trying again", "host", w.host, "error", err)
			}
		}
		select {
		case <-w.told:
		case <-time.After(g.wakes.Look):
		case <-ctx.Done():
			return
		}
		now, err := g.route(ctx, w.host)
		switch {
		case err != nil && !errors.Is(err, deployment.ErrNotFound): // the store is away
		case err == nil && g.wakes.canWake(now) && !inVain(route, now):
			route = now
		default:
			g.wakes.mu.Lock()
			defer g.wakes.mu.Unlock()
			g.wakes.forget(route.EnvironmentID, w)
			close(w.over)
			return
		}
	}
}

// tell has the routes of a host name looked at that are waited for; an empty one means all.
func (s *wakes) tell(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.all {
		if host != "" && w.host != host {
			continue
		}
		select {
		case w.told <- struct{}{}:
		default:
		}
	}
}
