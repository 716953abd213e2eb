package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// LeftOvers is what the store knows of what hosts hold.
type LeftOvers interface {
	// LeftOver lists what a host still holds although nobody needs it any more.
	LeftOver(ctx context.Context, host string, age, settled time.Duration) ([]deployment.Resource, error)
	// OwnedAs lists the rows of things with these names, on whichever hosts.
	OwnedAs(ctx context.Context, names []string) ([]deployment.Resource, error)
	// NeededAs lists the containers and networks with these names that belong to previews which are to run.
	NeededAs(ctx context.Context, names []string) ([]deployment.Resource, error)
	// EndedAmong returns those of the deployments that have ended longer ago than the given age.
	EndedAmong(ctx context.Context, ids []string, age time.Duration) ([]string, error)
	// PulledInVain returns those of the digests that are of images of deployments which have ended longer ago than the given
	// age, and whose previews are not to run.
	PulledInVain(ctx context.Context, digests []string, age time.Duration) ([]string, error)
}

// Sweeper compares one host with the ledger, and removes what nobody needs: what a cancel, a failure or a drain could not
// remove because the host, its engine or Postgres was away, and what no row knows of. It runs on the host itself, again and
// again, since only the host can remove it.
type Sweeper struct {
	LeftOvers  LeftOvers
	Ledger     Ledger
	Engine     Engine
	Workspaces Workspaces
	Mirrors    Mirrors
	Projects   Projects
	HostID     string
	Alone      Alone         // nobody begins to start a preview while something of it is removed
	Age        time.Duration // how long after a deployment became ready its own workflow has to drain and clean up; of what has no row
	Settled    time.Duration // after the end of one that did not, in which an activity of a terminated workflow stops
	StopGrace  time.Duration // from SIGTERM to SIGKILL
	Swept      func(n int)   // told of what a pass put right; may be nil
}

// Sweep makes one pass and returns how many things it put right.
func (s *Sweeper) Sweep(ctx context.Context) (int, error) {
	result, err := s.CompareHost(ctx, temporal.ReconcileInput{})
	return result.Swept, err
}

// CompareHost makes one pass. What cannot be removed does not keep the rest from it.
func (s *Sweeper) CompareHost(ctx context.Context, in temporal.ReconcileInput) (temporal.ReconcileResult, error) {
	p := passFor(in)
	err := errors.Join(s.sweepLeftOvers(ctx, p), s.sweepStrays(ctx, p), s.sweepImages(ctx, p), s.sweepBases(ctx, p), s.sweepMirrors(ctx, p))
	if s.Swept != nil {
		s.Swept(p.result.Swept)
	}
	return p.result, err
}

// sweepLeftOvers removes what has a row and is not needed. Containers come before the networks that they are in, as the list
// is sorted by kind.
func (s *Sweeper) sweepLeftOvers(ctx context.Context, p *pass) error {
	left, err := s.LeftOvers.LeftOver(ctx, s.HostID, s.Age, s.Settled)
	errs := []error{err}
	for _, r := range left {
		errs = append(errs, p.mend(&p.result.Swept, s.difference(r, "nobody needs it any more", "removed"), func() error {
			return s.removeLeft(ctx, r)
		}))
	}
	return errors.Join(errs...)
}

// removeLeft removes a thing and gives it up. A preview that is to run again waits with its start until that is done, or has begun
// before and keeps what it needs.
func (s *Sweeper) removeLeft(ctx context.Context, r deployment.Resource) error {
	begun := time.Now()
	release, err := s.Alone(ctx, r.DeploymentID)
	if err != nil {
		return err
	}
	defer release()
	if err := s.stillLeft(ctx, r); err != nil {
		return err
	}
	if err := s.remove(ctx, r); err != nil {
		return err
	}
	return s.Ledger.Gone(ctx, r, time.Since(begun))
}

// stillLeft looks again before something is removed: what was removed before it took its time, and in that a retry or a start may have
// taken the thing over. Then it answers deployment.ErrConflict.
func (s *Sweeper) stillLeft(ctx context.Context, r deployment.Resource) error {
	left, err := s.LeftOvers.LeftOver(ctx, s.HostID, s.Age, s.Settled)
	if err == nil && !slices.ContainsFunc(left, func(l deployment.Resource) bool { return named(r)(l) && l.RunID == r.RunID }) {
		err = deployment.ErrConflict
	}
	return err
}

// sweepStrays looks for things that no row knows of. A row is written before its thing is made, and rows are read here after the
// things were listed: so nobody is about to need it. It was made late by an attempt that was given up as dead, or stands on a
// host that was forgotten and has come back, or is newer than the backup that the database was restored from. What belongs to a
// preview that is to run is needed all the same, and gets its row back.
func (s *Sweeper) sweepStrays(ctx context.Context, p *pass) error {
	things, lookErr := s.things(ctx)
	strays, needed, err := s.strays(ctx, things)
	errs := []error{lookErr, err}
	for _, thing := range strays {
		row := slices.IndexFunc(needed, named(thing))
		switch {
		case row < 0:
			errs = append(errs, p.mend(&p.result.Swept, s.difference(thing, "no row knows of it", "removed"), func() error {
				return s.removeStray(ctx, thing)
			}))
		case needed[row].Host == s.HostID: // else it is another's, on the same engine
			errs = append(errs, p.mend(&p.result.Swept, s.difference(thing, "it is needed, and has no row", "written into the ledger"), func() error {
				return s.Ledger.Own(ctx, needed[row])
			}))
		}
	}
	return errors.Join(errs...)
}

// removeStray removes a thing, if no row knows of it still and no preview that was begun to be started meanwhile needs it.
func (s *Sweeper) removeStray(ctx context.Context, thing deployment.Resource) error {
	release, err := s.Alone(ctx, thing.DeploymentID)
	if err != nil {
		return err
	}
	defer release()
	strays, needed, err := s.strays(ctx, []deployment.Resource{thing})
	if err == nil && (len(strays) == 0 || len(needed) > 0) {
		err = deployment.ErrConflict
	}
	if err != nil {
		return err
	}
	return s.remove(ctx, thing)
}

// sweepImages removes images that were pulled for a preview which was not made, or is no more: of a deploy that was canceled, or
// failed, after its pull. An image has no row, since many deployments may share one; one that is of no known deployment stays.
func (s *Sweeper) sweepImages(ctx context.Context, p *pass) error {
	unused, err := s.Engine.UnusedImages(ctx)
	if err != nil || len(unused) == 0 {
		return err
	}
	digests := make([]string, len(unused))
	for i, image := range unused {
		_, digests[i], _ = strings.Cut(image, "@")
	}
	inVain, err := s.LeftOvers.PulledInVain(ctx, digests, s.Age)
	errs := []error{err}
	for i, image := range unused {
		if slices.Contains(inVain, digests[i]) {
			found := deployment.Difference{Kind: "image", Thing: image, Host: s.HostID, Found: "nothing runs it", Repair: "removed"}
			errs = append(errs, p.mend(&p.result.Swept, found, func() error {
				still, err := s.LeftOvers.PulledInVain(ctx, digests[i:i+1], s.Age)
				if err == nil && len(still) == 0 {
					err = deployment.ErrConflict
				}
				if err != nil {
					return err
				}
				return s.Engine.RemoveImage(ctx, image)
			}))
		}
	}
	return errors.Join(errs...)
}

// strays returns those of things that have stood for a while and have no row, and which things are needed.
func (s *Sweeper) strays(ctx context.Context, things []deployment.Resource) (strays, needed []deployment.Resource, err error) {
	var names []string
	for _, thing := range things {
		if time.Since(thing.Made) >= s.Age {
			strays, names = append(strays, thing), append(names, thing.Name)
		}
	}
	if len(strays) == 0 {
		return nil, nil, nil
	}
	rows, err := s.LeftOvers.OwnedAs(ctx, names)
	if err != nil {
		return nil, nil, err
	}
	strays = slices.DeleteFunc(strays, func(thing deployment.Resource) bool { return slices.ContainsFunc(rows, named(thing)) })
	if len(strays) > 0 {
		needed, err = s.LeftOvers.NeededAs(ctx, names)
	}
	if err != nil {
		return nil, nil, err
	}
	return strays, needed, nil
}

// named tells whether a resource is that thing.
func named(thing deployment.Resource) func(deployment.Resource) bool {
	return func(r deployment.Resource) bool { return r.Kind == thing.Kind && r.Name == thing.Name }
}

// things lists what stands on this host: containers, then networks, then workspaces. An engine that does not answer keeps
// nobody from looking at the disk.
func (s *Sweeper) things(ctx context.Context) ([]deployment.Resource, error) {
	things, engineErr := s.Engine.Owned(ctx)
	workspaces, diskErr := s.Workspaces.Held(s.HostID)
	return append(things, workspaces...), errors.Join(engineErr, diskErr)
}

func (s *Sweeper) difference(r deployment.Resource, found, repair string) deployment.Difference {
	return deployment.Difference{Kind: string(r.Kind), Thing: r.Name, Host: s.HostID, Found: found, Repair: repair}
}

func (s *Sweeper) remove(ctx context.Context, r deployment.Resource) error {
	switch r.Kind {
	case deployment.ResourceLease: // its row and nothing else
		return nil
	case deployment.ResourceWorkspace:
		return s.Workspaces.Remove(r.Name)
	default:
		return removeAndLook(ctx, s.Engine, r, s.StopGrace)
	}
}
