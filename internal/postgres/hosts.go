package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// hostTimeout is how long after its last word a host still counts as there. Hosts speak every few seconds.
const hostTimeout = 30 * time.Second

// SeenHost notes that a host is there, with its roles ("build", "preview") and its number of build slots.
func (s *Store) SeenHost(ctx context.Context, hostID string, roles []string, slots int) error {
	return at(s.q.SeenHost(ctx, db.SeenHostParams{ID: hostID, Roles: roles, Slots: int32(slots), Within: hostTimeout}), "note host %q", hostID)
}

// LimitProjects notes how many build slots of the installation a host lets one project hold at a time, 0 for any number.
func (s *Store) LimitProjects(ctx context.Context, hostID string, most int) error {
	return at(s.q.LimitProjects(ctx, db.LimitProjectsParams{ID: hostID, ProjectSlots: int32(most)}), "note the slots of a project on host %q", hostID)
}

// HasPlanner notes the fingerprint of a host's planner; empty when it is not known.
func (s *Store) HasPlanner(ctx context.Context, hostID, fingerprint string) error {
	return at(s.q.HasPlanner(ctx, db.HasPlannerParams{ID: hostID, Planner: fingerprint}), "note the planner of host %q", hostID)
}

// CloseSlots notes why a host gives none of its free build slots away, in words for those who wait; empty: it does.
func (s *Store) CloseSlots(ctx context.Context, hostID, reason string) error {
	return at(s.q.CloseSlots(ctx, db.CloseSlotsParams{ID: hostID, SlotsClosed: reason}), "note whether host %q gives build slots away", hostID)
}

// HasMemory notes how many bytes of memory a host could give.
func (s *Store) HasMemory(ctx context.Context, hostID string, free int64) error {
	return at(s.q.HasMemory(ctx, db.HasMemoryParams{ID: hostID, FreeMemory: free}), "note the memory of host %q", hostID)
}

// PreviewHost returns the id of a preview host that was seen lately and has most memory free, what was started since it said so
// taken off; of equals, the one with the fewest previews. While there is none, a transient failure.
func (s *Store) PreviewHost(ctx context.Context) (string, error) {
	id, err := s.q.PreviewHost(ctx, hostTimeout)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", deployment.TransientFailure("release.no_host", "start a worker with the role preview",
			"no preview host was seen in the last %s", hostTimeout)
	}
	return id, at(err, "choose a preview host")
}
