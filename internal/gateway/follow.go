package gateway

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Between two looks of Follow at all environments: although nobody said that something has changed, and at least, however much
// does.
const (
	reviewInterval = time.Minute
	reviewPause    = time.Second
)

// Follow keeps up with what Invalidate says has changed, until ctx ends: all live routes are known, also when the Router goes away;
// requests to previews that were replaced are drained, and what is counted of environments that are gone is forgotten.
func (g *Gateway) Follow(ctx context.Context) {
	defer g.progress.leave() // whoever looks on at a deploy comes back to another gateway
	for {
		select {
		case <-g.changed:
		case <-time.After(reviewInterval):
		case <-ctx.Done():
			return
		}
		g.review(ctx)
		select {
		case <-time.After(reviewPause):
		case <-ctx.Done():
			return
		}
	}
}

// review asks for all environments.
func (g *Gateway) review(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	asked, age := time.Now(), g.routes.age()
	routes, err := g.router.Routes(ctx)
	if err != nil {
		if ctx.Err() == nil {
			g.log.WarnContext(ctx, "cannot look at the routes", "error", err)
		}
		return
	}
	g.routes.learn(routes, age)
	g.flights.drain(routes, asked, g.drain)
	var places []deployment.Place
	for _, r := range routes {
		if r.Stable {
			places = append(places, deployment.Place{Project: r.Project, Environment: r.Environment})
		}
	}
	g.counter.Keep(places)
}

// note wakes Follow; one word is enough.
func (g *Gateway) note() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}
