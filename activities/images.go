package activities

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Retention is what the reconciler asks the store for about images.
type Retention interface {
	// ExpireImages gives up the images that nothing needs any more: no deployment begins with one from then on. Their tags are
	// to be deleted.
	ExpireImages(ctx context.Context, keep int, age time.Duration) (tags int, err error)
	// ExpiredImages lists the deployments whose images ExpireImages would give up, with their ids alone.
	ExpiredImages(ctx context.Context, keep int, age time.Duration) ([]deployment.Deployment, error)
	// GivenUpTags lists tags that are to be deleted.
	GivenUpTags(ctx context.Context, limit int) ([]deployment.Resource, error)
	// PassTagsOn gives tags of a deleted scope to deployments outside it that run the same images.
	PassTagsOn(ctx context.Context, scope deployment.Scope) error
}

// Keep says what is kept of what has been.
type Keep struct {
	Images int           // per environment, the newest that were live
	Unused time.Duration // images of deployments that ended without becoming ready, for a retry

	Logs        time.Duration // of deployments that are over; 0 for ever, likewise below
	Deployments time.Duration
}

// tagsAPass bounds how many tags a pass deletes, so that it ends in time; the next one goes on.
const tagsAPass = 100

// removeExpiredImages deletes the tags of images that nothing needs. What lies below a tag is freed by the registry itself, once
// no other tag leads to it.
func (r *Reconciler) removeExpiredImages(ctx context.Context, p *pass) error {
	if err := r.expireImages(ctx, p); err != nil {
		return err
	}
	tags, err := r.Retention.GivenUpTags(ctx, tagsAPass)
	if err != nil {
		return err
	}
	var errs []error
	for _, tag := range tags {
		found := deployment.Difference{Kind: string(tag.Kind), Thing: tag.Name, Found: "nothing needs it", Repair: "deleted from the registry"}
		errs = append(errs, p.mend(&p.result.Images, found, func() error { return removeTag(ctx, r.Images, r.Ledger, tag) }))
	}
	return errors.Join(errs...)
}

// expireImages gives images up. Giving up is no repair that counts: the deletion of the tags is.
func (r *Reconciler) expireImages(ctx context.Context, p *pass) error {
	if p.names {
		expired, err := r.Retention.ExpiredImages(ctx, r.Keep.Images, r.Keep.Unused)
		if err != nil {
			return err
		}
		for _, d := range expired {
			p.name(deployment.Difference{Kind: "image", Thing: "of deployment " + d.ID, Found: "nothing needs it", Repair: "given up"})
		}
	}
	if p.dry {
		return nil
	}
	_, err := r.Retention.ExpireImages(ctx, r.Keep.Images, r.Keep.Unused)
	return err
}

// removeTag deletes a tag and gives its row up once the registry has it no more.
func removeTag(ctx context.Context, images ImageStore, ledger Ledger, tag deployment.Resource) error {
	err := images.Delete(ctx, tag.Name)
	if err != nil {
		return deployment.AwayFailure(deployment.ComponentRegistry, "registry.delete", "check that the registry runs and lets images be deleted", "%w", err)
	}
	digest, err := images.Digest(ctx, tag.Name)
	if err != nil {
		return deployment.AwayFailure(deployment.ComponentRegistry, "registry.unreachable", "check that the registry runs", "%w", err)
	}
	if digest != "" {
		return stillThere(tag.Name)
	}
	return ledger.Disown(ctx, tag)
}
