package gateway

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// TrafficStore keeps what was answered for each environment, and when it was used last.
type TrafficStore interface {
	// AddTraffic adds what was seen since the last call that succeeded.
	AddTraffic(ctx context.Context, seen []deployment.Traffic) error
}

const (
	trafficInterval = 10 * time.Second
	trafficRetry    = time.Second     // after a write that failed: whoever puts idle previews to sleep may be back first
	trafficTimeout  = 5 * time.Second // of one write
	trafficLast     = 2 * time.Second // of tries when the gateway stops: the first ones may meet connections that were broken long ago
)

// traffic adds requests up by environment until they are written. The first request of an environment that was quiet is written
// at once, so that nobody takes it for idle.
type traffic struct {
	store TrafficStore
	every time.Duration // between two batches; an environment without a request for that long was quiet
	first chan struct{} // wakes write

	mu     sync.Mutex // guards what follows
	all    map[string]*usage
	urgent []string // environments that were quiet
}

// usage is what was seen of an environment and is not written yet.
type usage struct {
	underWay int       // requests
	last     time.Time // that one began, ended or was under way
	fresh    bool      // last and answered are not written
	told     time.Time // last, as of the newest batch
	urgent   bool      // it was quiet until last
	answered [5]int64
}

func newTraffic(store TrafficStore, every time.Duration) *traffic {
	return &traffic{store: store, every: every, first: make(chan struct{}, 1), all: map[string]*usage{}}
}

// began counts a request to an environment as under way until ended is called with the status of its answer.
func (t *traffic) began(environmentID string) (ended func(status int)) {
	if t.store == nil || environmentID == "" {
		return func(int) {}
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.of(environmentID)
	u.underWay++
	u.last, u.fresh = now, true
	if !u.urgent && now.Sub(u.told) > t.every {
		u.urgent = true
		t.urgent = append(t.urgent, environmentID)
		select {
		case t.first <- struct{}{}:
		default:
		}
	}
	return func(status int) { t.ended(environmentID, status) }
}

func (t *traffic) ended(environmentID string, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.of(environmentID)
	u.underWay--
	u.last, u.fresh = time.Now(), true
	if class := status/100 - 1; class >= 0 && class < len(u.answered) && status != statusLeft {
		u.answered[class]++
	}
}

func (t *traffic) of(environmentID string) *usage {
	u, ok := t.all[environmentID]
	if !ok {
		u = &usage{}
		t.all[environmentID] = u
	}
	return u
}

// write writes what was seen until ctx ends, and then the rest.
func (t *traffic) write(ctx context.Context, log *slog.Logger) {
	tick := time.NewTimer(t.every)
	defer tick.Stop()
	first, after := t.first, context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		var err error
		select {
		case <-first:
			err = t.add(after, t.takeUrgent())
		case <-tick.C:
			tick.Reset(t.every)
			err = t.add(after, t.takeAll())
		case <-ctx.Done():
			continue
		}
		if err != nil && first != nil {
			log.WarnContext(ctx, "cannot write what was visited; it is kept until that can be done", "error", err)
		}
		if first = t.first; err != nil {
			first = nil // the next try is for all
			tick.Reset(trafficRetry)
		}
	}
	for end := time.Now().Add(trafficLast); ; {
		err := t.add(after, t.takeAll())
		if err == nil {
			return
		}
		if time.Now().After(end) {
			log.WarnContext(ctx, "cannot write what was visited; it is lost", "error", err)
			return
		}
		<-time.After(trafficLast / 20)
	}
}

// add writes a batch, and keeps it when that fails. It is not interrupted: nobody would know whether it was written.
func (t *traffic) add(ctx context.Context, seen []deployment.Traffic) error {
	if len(seen) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, trafficTimeout)
	defer cancel()
	err := t.store.AddTraffic(ctx, seen)
	if err != nil {
		t.giveBack(seen)
	}
	return err
}

// takeAll takes what is not written. Environments of which nothing was seen for a while are forgotten.
func (t *traffic) takeAll() (seen []deployment.Traffic) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, u := range t.all {
		if u.underWay > 0 {
			u.last, u.fresh = now, true
		}
		if u.fresh {
			seen = append(seen, u.take(id))
		} else if now.Sub(u.last) > t.every {
			delete(t.all, id)
		}
	}
	t.urgent = nil
	return seen
}

func (t *traffic) takeUrgent() (seen []deployment.Traffic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range t.urgent {
		seen = append(seen, t.all[id].take(id))
	}
	t.urgent = nil
	return seen
}

func (u *usage) take(environmentID string) deployment.Traffic {
	seen := deployment.Traffic{EnvironmentID: environmentID, LastRequestAt: u.last, Answered: u.answered}
	u.told, u.fresh, u.urgent, u.answered = u.last, false, false, [5]int64{}
	return seen
}

func (t *traffic) giveBack(seen []deployment.Traffic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range seen {
		u := t.of(s.EnvironmentID)
		u.fresh = true
		if s.LastRequestAt.After(u.last) {
			u.last = s.LastRequestAt
		}
		for i, n := range s.Answered {
			u.answered[i] += n
		}
	}
}

// WriteTraffic writes what was visited to Options.Traffic until ctx ends, and then what is left: ctx has to outlive the requests.
func (g *Gateway) WriteTraffic(ctx context.Context) {
	if g.traffic.store != nil {
		g.traffic.write(ctx, g.log)
	}
}
