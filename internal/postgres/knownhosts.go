package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Hosts lists every host that was seen, or that something is said to be on, by id.
func (s *Store) Hosts(ctx context.Context) ([]deployment.Host, error) {
	rows, err := s.q.KnownHosts(ctx, hostTimeout)
	hosts := make([]deployment.Host, len(rows))
	for i, r := range rows {
		hosts[i] = deployment.Host{
			ID: r.ID, Roles: r.Roles, Alive: r.Alive, LastSeenAt: r.LastSeenAt,
			Slots: int(r.Slots), SlotsUsed: int(r.SlotsUsed), Previews: int(r.Previews), Things: int(r.Things),
			SlotsClosed: r.SlotsClosed, FreeMemory: r.FreeMemory,
		}
	}
	return hosts, at(err, "list hosts")
}

// ForgetHost gives up all that a host which is gone for good is said to hold, and the host: its build slots, checkouts, networks
// and containers. What is live on it has failed from then on, and is returned. One that was seen lately answers
// deployment.ErrHostLives. Should it come back, it is a new host, which removes what the ledger knows no more.
func (s *Store) ForgetHost(ctx context.Context, id string) (forgotten deployment.ForgottenHost, err error) {
	err = s.inTx(ctx, func(q *db.Queries) error {
		forgotten = deployment.ForgottenHost{}
		alive, err := q.LockHost(ctx, db.LockHostParams{ID: id, Within: hostTimeout})
		if err != nil && !errors.Is(err, pgx.ErrNoRows) { // rows may name one that is in no table any more
			return err
		}
		if alive {
			return fmt.Errorf("it was seen within the last %s: %w", hostTimeout, deployment.ErrHostLives)
		}
		live, err := q.LiveOn(ctx, id)
		if err != nil {
			return err
		}
		things, err := q.DisownHost(ctx, id)
		if err != nil {
			return err
		}
		previews, err := q.LosePreviews(ctx, id)
		if err != nil {
			return err
		}
		if err := q.TellOfLoss(ctx, id); err != nil {
			return err
		}
		rows, err := q.ForgetHost(ctx, id)
		for _, d := range live {
			forgotten.Lost = append(forgotten.Lost, deployment.Deployment{
				ID: d.ID, Number: int(d.Number), ProjectName: d.Project, Environment: d.Environment,
				Commit: d.Commit, ImageDigest: d.ImageDigest, ImageRemovedAt: d.ImageRemovedAt,
			})
		}
		forgotten.Things, forgotten.Known = int(things), things+previews+rows > 0
		return err
	})
	return forgotten, at(err, "forget host %q", id)
}
