package certificates

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// orders bounds what is asked of the CA: so many new certificates an hour, and after a failure nothing for the same name for a while.
// CAs have limits of their own, and who runs into those has to wait for hours.
type orders struct {
	most int // an hour; 0 for no bound
	now  func() time.Time

	mu     sync.Mutex
	begun  []time.Time // of the last hour
	failed map[string]failure
}

type failure struct {
	times int
	until time.Time // not again before
}

// waits are those after the first failure, the second and so on; the last one stands for all that follow.
var waits = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// maxFailures bounds the names that are remembered.
const maxFailures = 10_000

func newOrders(most int) *orders {
	return &orders{most: most, now: time.Now, failed: map[string]failure{}}
}

// begin says whether a certificate may be ordered now. Renewals do not count: there are no more of them than certificates.
func (o *orders) begin(name string, free bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	if last := o.failed[name]; now.Before(last.until) {
		return fmt.Errorf("an order for %s failed %d times; the next is at %s", name, last.times, last.until.UTC().Format(time.TimeOnly))
	}
	if free {
		return nil
	}
	o.begun = slices.DeleteFunc(o.begun, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	if o.most > 0 && len(o.begun) >= o.most {
		return fmt.Errorf("%d certificates were ordered within an hour, as many as SLIPWAY_TLS_MAX_ORDERS allows", len(o.begun))
	}
	o.begun = append(o.begun, now)
	return nil
}

// pause returns how long nothing is ordered for a name.
func (o *orders) pause(name string) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(0, o.failed[name].until.Sub(o.now()))
}

// ended notes how an order ended.
func (o *orders) ended(name string, failed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !failed {
		delete(o.failed, name)
		return
	}
	now := o.now()
	if len(o.failed) >= maxFailures {
		for other, f := range o.failed {
			if now.After(f.until) || len(o.failed) >= maxFailures {
				delete(o.failed, other)
			}
		}
	}
	times := o.failed[name].times + 1
	o.failed[name] = failure{times: times, until: now.Add(waits[min(times, len(waits))-1])}
}
