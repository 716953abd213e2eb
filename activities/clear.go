package activities

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// stopsAtOnce bounds how many containers are stopped at the same time: each may take the whole grace period.
const stopsAtOnce = 8

// ClearPreviews removes every container, network and base image that a deleted scope has on this host: what the ledger knows, and what
// the engine shows besides, such as what an attempt that was given up as dead made later. The rows go only after the
// engine was asked again.
func (a *Preview) ClearPreviews(ctx context.Context, in temporal.TeardownInput) error {
	ids, err := a.Ledger.DeploymentIDs(ctx, in.Scope())
	if err != nil {
		return err
	}
	owned, err := a.Ledger.OwnedIn(ctx, in.Scope(), a.HostID, onEngine...)
	if err != nil {
		return err
	}
	shown, err := a.shown(ctx, ids)
	if err != nil {
		return err
	}
	if err := a.removeAll(ctx, append(shown, owned...)); err != nil {
		return err
	}
	if shown, err = a.shown(ctx, ids); err != nil {
		return err
	}
	if len(shown) > 0 {
		return stillThere(string(shown[0].Kind) + " " + shown[0].Name)
	}
	for _, r := range owned {
		if err := a.Ledger.Disown(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// shown lists what the engine has of the deployments with those ids, by its labels.
func (a *Preview) shown(ctx context.Context, ids []string) ([]deployment.Resource, error) {
	all, err := a.Engine.Owned(ctx)
	return slices.DeleteFunc(all, func(r deployment.Resource) bool { return !slices.Contains(ids, r.DeploymentID) }), err
}

// removeAll removes containers, many at once, and then the rest.
func (a *Preview) removeAll(ctx context.Context, things []deployment.Resource) error {
	slices.SortFunc(things, func(a, b deployment.Resource) int { return cmp.Compare(a.Name, b.Name) })
	things = slices.CompactFunc(things, func(a, b deployment.Resource) bool { return a.Kind == b.Kind && a.Name == b.Name })
	for _, kind := range onEngine {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(stopsAtOnce)
		for _, r := range things {
			if r.Kind == kind {
				group.Go(func() error { return removeOne(ctx, a.Engine, r, a.StopGrace) })
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// ClearWorkspaces removes the checkouts of a deleted scope from this host's disk, whether the ledger knows of them or not, and a
// deleted project's mirrors, and gives its build slots back.
func (s *Slots) ClearWorkspaces(ctx context.Context, in temporal.TeardownInput) error {
	ids, err := s.Ledger.DeploymentIDs(ctx, in.Scope())
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.Workspaces.Remove(id); err != nil {
			return err
		}
	}
	there, err := s.Workspaces.List()
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(there, func(id string) bool { return slices.Contains(ids, id) }); i >= 0 {
		return stillThere("workspace " + there[i])
	}
	if in.Scope().EnvironmentID == "" {
		if err := s.Mirrors.Remove(in.Scope().ProjectID); err != nil {
			return workspaceFailure("remove git mirrors", err)
		}
	}
	owned, err := s.Ledger.OwnedIn(ctx, in.Scope(), s.HostID, deployment.ResourceLease, deployment.ResourceWorkspace)
	if err != nil {
		return err
	}
	for _, r := range owned {
		if err := s.Ledger.Disown(ctx, r); err != nil {
			return err
		}
	}
	if s.Freed != nil {
		s.Freed()
	}
	return nil
}
