package postgres

import "context"

// RequestWake asks for the preview of an environment to be woken. It changes nothing when that is not asleep, was asked for
// already, or is to stay as it is: it was stopped, or its time is over.
func (s *Store) RequestWake(ctx context.Context, environmentID string) error {
	return at(s.q.RequestWake(ctx, environmentID), "ask for the preview of environment %s to be woken", environmentID)
}
