package gateway

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	lookupTimeout = 3 * time.Second
	errorPause    = 2 * time.Second        // how long an old route is used before the Router is asked again after an error
	patience      = 250 * time.Millisecond // that a request has with a look-up when there is an old route
	maxRoutes     = 10_000
)

// cache keeps the live routes, so that a busy preview costs a look-up a second, and goes on with an old one while the
// Router fails. Other routes are asked for every time: they change soon, and their pages are cheap. Requests for the same
// host name at the same time share one look-up.
type cache struct {
	router Router
	keep   time.Duration
	flight singleflight.Group

	mu      sync.Mutex // guards what follows
	entries map[string]entry
	epoch   uint64 // rises with every invalidation: a look-up that began before one is not kept
}

type entry struct {
	route deployment.Route
	until time.Time // fresh until then; kept beyond for when the Router fails
}

func newCache(r Router, keep time.Duration) *cache {
	return &cache{router: r, keep: keep, entries: map[string]entry{}}
}

func (c *cache) route(ctx context.Context, host string) (deployment.Route, error) {
	c.mu.Lock()
	kept, found := c.entries[host]
	epoch := c.epoch
	c.mu.Unlock()
	if found && time.Now().Before(kept.until) {
		return kept.route, nil
	}
	answer := c.flight.DoChan(strconv.FormatUint(epoch, 10)+" "+host, func() (any, error) {
		// Others wait for this look-up too: it must not end because the first client went away.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		return c.lookup(ctx, host, epoch)
	})
	var impatient <-chan time.Time
	if found {
		impatient = time.After(patience)
	}
	select {
	case <-impatient:
		c.useUntilLater(host, kept, epoch)
		return kept.route, nil
	case <-ctx.Done():
		return deployment.Route{}, context.Cause(ctx)
	case result := <-answer:
		route, _ := result.Val.(deployment.Route)
		return route, result.Err
	}
}

func (c *cache) lookup(ctx context.Context, host string, epoch uint64) (deployment.Route, error) {
	route, err := c.router.Route(ctx, host)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, deployment.ErrNotFound):
		delete(c.entries, host)
		return deployment.Route{}, err
	case err != nil:
		kept, found := c.entries[host]
		if !found {
			return deployment.Route{}, err
		}
		c.useAgain(host, kept, epoch)
		return kept.route, nil
	case route.State != deployment.PreviewLive:
		delete(c.entries, host)
	case c.epoch == epoch:
		c.makeRoom()
		c.entries[host] = entry{route: route, until: time.Now().Add(c.keep)}
	}
	return route, nil
}

// useUntilLater uses an old route for a while, since the Router is slow: who asks next does not wait again.
func (c *cache) useUntilLater(host string, old entry, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, found := c.entries[host]; found && now.until.Equal(old.until) { // else the look-up is done by now
		c.useAgain(host, old, epoch)
	}
}

func (c *cache) useAgain(host string, old entry, epoch uint64) {
	if c.epoch == epoch {
		c.entries[host] = entry{route: old.route, until: time.Now().Add(errorPause)}
	}
}

// age returns what learn has to be told of when its routes were asked for.
func (c *cache) age() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// learn keeps every live route of an installation, so that they are known when the Router fails before anybody visits them. What
// changed while it was asked for is only kept where nothing better is known.
func (c *cache) learn(routes []deployment.Route, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.entries
	if c.epoch == epoch {
		c.entries = make(map[string]entry, len(routes))
	}
	for _, r := range routes {
		if r.State != deployment.PreviewLive || len(c.entries) >= maxRoutes {
			continue
		}
		old, found := known[r.Hostname]
		if c.epoch == epoch || !found || old.until.IsZero() {
			c.entries[r.Hostname] = entry{route: r, until: old.until}
		}
	}
}

// makeRoom drops any one entry when there are too many: the names that are still asked for come back by themselves.
func (c *cache) makeRoom() {
	if len(c.entries) < maxRoutes {
		return
	}
	for host := range c.entries {
		delete(c.entries, host)
		return
	}
}

// invalidate ages the entry rather than dropping it: should the Router fail now, the old route is the best there is.
func (c *cache) invalidate(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	if kept, found := c.entries[host]; found {
		c.entries[host] = entry{route: kept.route}
	}
}

func (c *cache) invalidateAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for host, kept := range c.entries {
		c.entries[host] = entry{route: kept.route}
	}
}
