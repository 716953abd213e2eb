package certificates

import "time"

// SetLease makes locks of a Storage lapse sooner.
func (s *Storage) SetLease(d time.Duration) { s.lease = d }

// Orders is what bounds orders.
type Orders = orders

// NewOrders returns orders with a clock of the test's.
func NewOrders(most int, now func() time.Time) *Orders {
	o := newOrders(most)
	o.now = now
	return o
}

// Begin and Ended are those of orders.
func (o *orders) Begin(name string, renewal bool) error { return o.begin(name, renewal) }

// Ended notes how an order ended.
func (o *orders) Ended(name string, failed bool) { o.ended(name, failed) }

// Logger is a logger as certmagic wants it.
var Logger = logger

// Remembered counts the names whose failures are known.
func (o *orders) Remembered() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.failed)
}
