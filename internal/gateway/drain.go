package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// errDrained ends what is under way to a preview that is about to be stopped.
var errDrained = errors.New("the preview was replaced")

// flight is a request under way to a preview.
type flight struct {
	deployment string
	place      deployment.Place
	since      time.Time // after its route was looked up
	end        func(error)
	timer      *time.Timer // ends it; nil while its preview is live
}

// flights are all requests under way.
type flights struct {
	mu  sync.Mutex
	all map[*flight]struct{}
}

// takeOff lets a request be ended when its preview is drained, besides when its visitor leaves or the gateway stops. An upgraded
// connection is ended at the visitor's end first: the proxy only knows how to break it off.
func (g *Gateway) takeOff(r *http.Request, v *visit, seen *watched) (_ *http.Request, landed func()) {
	parent := r.Context()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	f := &flight{end: func(why error) {
		if c := seen.upgraded.Load(); c != nil {
			c.goAway()
		}
		cancel(why)
	}}
	unwatch := context.AfterFunc(parent, func() { f.end(context.Cause(parent)) })
	g.flights.add(f, v.route)
	v.flight = f
	return r.WithContext(ctx), func() {
		unwatch()
		g.flights.remove(f)
		cancel(nil)
	}
}

// add has f be one to the preview that a route, looked up before, leads to.
func (fs *flights) add(f *flight, to deployment.Route) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.deployment, f.place, f.since = to.DeploymentID, deployment.Place{Project: to.Project, Environment: to.Environment}, time.Now()
	fs.all[f] = struct{}{}
}

func (fs *flights) remove(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.all, f)
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
}

// drain gives requests whose preview is not live any more what is left of the drain time, since the preview that is live instead
// became it. Where nothing is live instead, the container is about to go, and they end at once; of one that falls asleep just then they
// go on until it has ended. routes are as they stood after asked; a request that began later may be to a preview that is live only now.
func (fs *flights) drain(routes []deployment.Route, asked time.Time, after time.Duration) {
	standing, instead := map[string]bool{}, map[deployment.Place]time.Duration{}
	for _, r := range routes {
		standing[r.DeploymentID] = r.State == deployment.PreviewLive || r.State == deployment.PreviewAsleep || r.State == deployment.PreviewStarting
		if r.State == deployment.PreviewLive {
			instead[deployment.Place{Project: r.Project, Environment: r.Environment}] = r.LiveFor
		}
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for f := range fs.all {
		if f.timer != nil || standing[f.deployment] || !f.since.Before(asked) {
			continue
		}
		left := time.Duration(0)
		if since, ok := instead[f.place]; ok {
			left = max(0, after-since)
		}
		f.timer = time.AfterFunc(left, func() { f.end(errDrained) })
	}
}
