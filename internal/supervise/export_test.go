package supervise

import "time"

// Next opens the door to the backoff's arithmetic, which would take minutes to watch.
func (b Backoff) Next(prev, ready time.Duration) time.Duration { return b.next(prev, ready) }
