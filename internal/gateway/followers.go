package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// progressPath tells how far a deploy has come, on the host names that lead to nothing live yet. Once something is live, the path
// is the app's.
const progressPath = "/.slipway/progress"

const (
	progressRest = 250 * time.Millisecond // at least, however much changes
	progressPing = 15 * time.Second       // between two signs of life
	maxFollowers = 1024
)

// progressing are those who follow a deploy.
type progressing struct {
	look    time.Duration
	mu      sync.Mutex
	all     map[*follower]struct{}
	leaving chan struct{} // closed when the gateway stops
	once    sync.Once     // closes it
}

type follower struct {
	deployment string        // guarded by progressing.mu
	changed    chan struct{} // one word is enough
}

// Progressed has those looked for who follow a deployment that has changed; an empty id means any.
func (g *Gateway) Progressed(deploymentID string) {
	s := &g.progress
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.all {
		if deploymentID != "" && f.deployment != deploymentID {
			continue
		}
		select {
		case f.changed <- struct{}{}:
		default:
		}
	}
}

func (s *progressing) leave() { s.once.Do(func() { close(s.leaving) }) }

func (s *progressing) follow(deploymentID string) (f *follower, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= maxFollowers {
		return nil, false
	}
	f = &follower{deployment: deploymentID, changed: make(chan struct{}, 1)}
	s.all[f] = struct{}{}
	return f, true
}

func (s *progressing) forget(f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, f)
}

func (s *progressing) turnTo(f *follower, deploymentID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.deployment = deploymentID
}

// serveProgress answers with how far a deploy has come: as it stands, or as server-sent events until something else is to be said
// under the host name.
func (g *Gateway) serveProgress(w http.ResponseWriter, r *http.Request, v *visit) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(requestIDHeader, v.requestID)
	if !accepts(r, "text/event-stream") {
		h.Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_ = json.NewEncoder(w).Encode(progressOf(v.route)) // a client that went away is no news
		return
	}
	f, ok := g.progress.follow(v.route.DeploymentID)
	if !ok {
		h.Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer g.progress.forget(f)
	h.Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	g.stream(r.Context(), &events{w: w, flush: http.NewResponseController(w).Flush}, v, f)
}

// stream writes what changes until the deploy has ended or somebody leaves.
func (g *Gateway) stream(ctx context.Context, to *events, v *visit, f *follower) {
	for {
		route, err := g.route(ctx, v.hostname)
		if err != nil || isLive(route) || notLive(route).code != notReady {
			to.say("event: over\ndata: {}\n\n")
			return
		}
		g.progress.turnTo(f, route.DeploymentID)
		if !to.tell(progressOf(route)) {
			return
		}
		if !g.rest(ctx, nil, progressRest) || !g.rest(ctx, f.changed, g.progress.look) {
			return
		}
	}
}

// rest waits for a word, or so long; it reports whether there is still somebody to write to.
func (g *Gateway) rest(ctx context.Context, word <-chan struct{}, most time.Duration) bool {
	select {
	case <-word:
	case <-time.After(most):
	case <-g.progress.leaving:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

// events is a stream of server-sent events.
type events struct {
	w     http.ResponseWriter
	flush func() error
	last  string
	at    time.Time
}

// tell writes how far a deploy has come if that has changed.
func (e *events) tell(p progress) bool {
	data, err := json.Marshal(p)
	switch {
	case err != nil:
		return false
	case string(data) != e.last:
		e.last = string(data)
		return e.say("data: " + e.last + "\n\n")
	case time.Since(e.at) > progressPing:
		return e.say(": there\n\n")
	}
	return true
}

func (e *events) say(text string) bool {
	e.at = time.Now()
	if _, err := e.w.Write([]byte(text)); err != nil {
		return false
	}
	return e.flush() == nil
}
