package postgres

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// wakePause is how long what did not come up is let be by visitors.
const wakePause = 5 * time.Second

// RequestWake asks for the preview of an environment to be woken, or to be tried again at once when it did not come up and would be later.
// It changes nothing when there is nothing to wake, it was asked for already, has been tried just now, or is to stay as it is: it was
// stopped, given up, or its time is over.
func (s *Store) RequestWake(ctx context.Context, environmentID string) error {
	return at(s.q.RequestWake(ctx, db.RequestWakeParams{EnvironmentID: environmentID, Pause: wakePause}), "ask for the preview of environment %s to be woken", environmentID)
}
