package activities

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Deleted is what a teardown asks the store for.
type Deleted interface {
	// Deletions lists what is deleted and whose rows still stand.
	Deletions(ctx context.Context) ([]deployment.Deletion, error)
	// UnderWayIn lists the deployments of a scope that have not ended.
	UnderWayIn(ctx context.Context, scope deployment.Scope) ([]deployment.Deployment, error)
	// HostsOf lists the hosts that may hold something of a scope.
	HostsOf(ctx context.Context, scope deployment.Scope) (previews, builds []string, err error)
	// Purge deletes the rows of a deleted scope once nothing is owned any more; deployment.ErrNotFound when they are gone
	// already.
	Purge(ctx context.Context, scope deployment.Scope) error
}

// endInterval is how often EndDeployments looks whether what it canceled has ended.
const endInterval = 500 * time.Millisecond

// EndDeployments cancels what is under way in a deleted scope and returns when all of it has ended. A cancel is repeated
// each time, since a start that was under way at the deletion may come after the first one.
func (r *Reconciler) EndDeployments(ctx context.Context, in temporal.TeardownInput) error {
	tick := time.NewTicker(endInterval)
	defer tick.Stop()
	for {
		left, err := r.Deleted.UnderWayIn(ctx, in.Scope())
		if err != nil || len(left) == 0 {
			return err
		}
		for _, d := range left {
			// A run that began after the list was read is met at the next look.
			if err := r.cancel(ctx, d); err != nil && !errors.Is(err, deployment.ErrStaleRun) {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ListTeardown lists the hosts that a deleted scope is to be removed from.
func (r *Reconciler) ListTeardown(ctx context.Context, in temporal.TeardownInput) (temporal.TeardownPlan, error) {
	previews, builds, err := r.Deleted.HostsOf(ctx, in.Scope())
	var plan temporal.TeardownPlan
	for _, host := range previews {
		plan.Previews = append(plan.Previews, temporal.QueuePreviewHost(host))
	}
	for _, host := range builds {
		plan.Builds = append(plan.Builds, temporal.QueueBuildHost(host))
	}
	return plan, err
}

// RemoveImages deletes the images of a deleted scope from the registry, but for those that were promoted out of it, and what is kept of
// its builds. Each row stays until the registry was asked again.
func (r *Reconciler) RemoveImages(ctx context.Context, in temporal.TeardownInput) error {
	if err := r.Retention.PassTagsOn(ctx, in.Scope()); err != nil {
		return err
	}
	tags, err := r.Ledger.OwnedIn(ctx, in.Scope(), "", deployment.ResourceImageTag, deployment.ResourceCacheTag)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if err := removeTag(ctx, r.Images, r.Ledger, tag); err != nil {
			return err
		}
	}
	return nil
}

// PurgeDeleted deletes the rows of a deleted scope, the last of what is left of it. A lease is a row and nothing else: one
// that a host could not give back goes here.
func (r *Reconciler) PurgeDeleted(ctx context.Context, in temporal.TeardownInput) error {
	leases, err := r.Ledger.OwnedIn(ctx, in.Scope(), "", deployment.ResourceLease)
	if err != nil {
		return err
	}
	for _, lease := range leases {
		if err := r.Ledger.Disown(ctx, lease); err != nil {
			return err
		}
	}
	if err := r.Deleted.Purge(ctx, in.Scope()); !errors.Is(err, deployment.ErrNotFound) {
		return err
	}
	return nil
}

// stillThere is what was removed and is seen all the same: the next try removes it.
func stillThere(what string) error {
	return deployment.PlatformFailure("teardown.still_there", "", "%s is there again after it was removed", what)
}
