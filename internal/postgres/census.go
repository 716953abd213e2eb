package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Census counts deployments by status, previews by state and the build slots of hosts, as of one moment.
func (s *Store) Census(ctx context.Context) (deployment.Census, error) {
	c := deployment.Census{Deployments: map[deployment.Status]int{}, Previews: map[deployment.PreviewState]int{}}
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, snapshot, func(tx pgx.Tx) error { return count(ctx, db.New(tx), &c) })
	return c, at(err, "take the census")
}

func count(ctx context.Context, q *db.Queries, c *deployment.Census) error {
	deployments, err := q.CountDeployments(ctx)
	if err != nil {
		return err
	}
	for _, row := range deployments {
		c.Deployments[deployment.Status(row.Status)] = int(row.N)
	}
	previews, err := q.CountPreviews(ctx)
	if err != nil {
		return err
	}
	for _, row := range previews {
		c.Previews[deployment.PreviewState(row.State)] = int(row.N)
	}
	hosts, err := q.HostSlots(ctx, hostTimeout)
	if err != nil {
		return err
	}
	for _, row := range hosts {
		c.Slots = append(c.Slots, deployment.HostSlots{Host: row.ID, Slots: int(row.Slots), Used: int(row.Used), Closed: row.SlotsClosed != ""})
	}
	seconds, err := q.OldestQueued(ctx)
	c.OldestQueued = time.Duration(seconds * float64(time.Second))
	return err
}
