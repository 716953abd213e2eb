package postgres

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// AddTraffic adds to what the gateways have seen, in one statement for all environments. A batch whose answer is lost on the way
// counts twice when it is sent again; when the last request was does not suffer from it.
func (s *Store) AddTraffic(ctx context.Context, seen []deployment.Traffic) error {
	if len(seen) == 0 {
		return nil
	}
	var add db.AddTrafficParams
	now := time.Now()
	for _, t := range seen {
		if !isID(t.EnvironmentID) {
			continue
		}
		add.Ids = append(add.Ids, t.EnvironmentID)
		add.Ago = append(add.Ago, max(0, now.Sub(t.LastRequestAt).Seconds()))
		for i, class := range []*[]int64{&add.Of1xx, &add.Of2xx, &add.Of3xx, &add.Of4xx, &add.Of5xx} {
			*class = append(*class, t.Answered[i])
		}
	}
	return at(s.q.AddTraffic(ctx, add), "add traffic of %d environments", len(add.Ids))
}

// VisitedNames returns the host names of environments that had a visitor within a time, and their domains.
func (s *Store) VisitedNames(ctx context.Context, within time.Duration) ([]string, error) {
	names, err := s.q.VisitedNames(ctx, within)
	return names, at(err, "list visited names")
}
