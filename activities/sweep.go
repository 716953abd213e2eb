package activities

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// LeftOvers lists what a host still holds although nobody needs it any more.
type LeftOvers interface {
	LeftOver(ctx context.Context, host string, age, settled time.Duration) ([]deployment.Resource, error)
}

// Sweeper removes what deployments left on one host: what a cancel, a failure or a drain could not remove because the
// host, its engine or Postgres was away. It runs on the host itself, again and again, since only the host can remove it.
type Sweeper struct {
	LeftOvers  LeftOvers
	Ledger     Ledger
	Engine     Engine
	Workspaces Workspaces
	HostID     string
	Age        time.Duration // how long after a deployment became ready its own workflow has to drain and clean up
	Settled    time.Duration // after the end of one that did not, in which an activity of a terminated workflow stops
	StopGrace  time.Duration // from SIGTERM to SIGKILL
}

// Sweep makes one pass and returns how many things it removed. Containers come before the networks that they are in, as
// the list is sorted by kind; what cannot be removed does not keep the rest from it.
func (s *Sweeper) Sweep(ctx context.Context) (int, error) {
	left, err := s.LeftOvers.LeftOver(ctx, s.HostID, s.Age, s.Settled)
	if err != nil {
		return 0, err
	}
	removed := 0
	var errs []error
	for _, r := range left {
		begun := time.Now()
		err := s.remove(ctx, r)
		if err == nil {
			err = s.Ledger.Gone(ctx, r, time.Since(begun))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	return removed, errors.Join(errs...)
}

func (s *Sweeper) remove(ctx context.Context, r deployment.Resource) error {
	if r.Kind == deployment.ResourceWorkspace {
		return s.Workspaces.Remove(r.DeploymentID)
	}
	return removeAndLook(ctx, s.Engine, r, s.StopGrace)
}
