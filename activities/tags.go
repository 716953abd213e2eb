package activities

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Tags is what the reconciler asks the store for about the tags of a registry.
type Tags interface {
	// Repositories lists repositories that the installation may have images in: at most limit of them, each time others; all of
	// them when that is 0.
	Repositories(ctx context.Context, limit int) ([]string, error)
	// StrayTags returns those of tags that no row knows of although their deployment is known, and has ended longer ago than the
	// given age.
	StrayTags(ctx context.Context, tags []deployment.Resource, age time.Duration) ([]deployment.Resource, error)
	// LostTags lists the rows of image tags with names that begin with prefix and are not among there, of such deployments too. A cache is
	// pushed long after the end of its deployment, and its row does no harm.
	LostTags(ctx context.Context, prefix string, there []string, age time.Duration) ([]deployment.Resource, error)
}

// repositoriesAPass bounds how many repositories a pass looks at, so that it ends in time; the next one looks at others.
const repositoriesAPass = 20

// CompareTags compares what the registry has with the ledger. A tag that no row knows of was pushed late by an attempt that was
// given up as dead: it gets its row, and goes with the other tags of its image when nothing needs that. A row whose tag is not
// there goes. Tags of deployments that are not known are left alone: they may be another installation's.
func (r *Reconciler) CompareTags(ctx context.Context, in temporal.ReconcileInput) (temporal.ReconcileResult, error) {
	p := passFor(in)
	limit := repositoriesAPass
	if p.names {
		limit = 0
	}
	repositories, err := r.Tags.Repositories(ctx, limit)
	errs := []error{err}
	failed := 0
	for _, repository := range repositories {
		err := r.compareTagsOf(ctx, repository, p)
		errs = append(errs, err)
		if err == nil {
			failed = 0
		} else if failed++; failed == registryIsAway {
			break // or the rows, which the next pass repairs, would wait for each of its time-outs
		}
	}
	r.count(p.result)
	return p.result, errors.Join(errs...)
}

// registryIsAway is how many repositories in a row cannot be compared when it is the registry's fault and not theirs.
const registryIsAway = 2

// registryAnswers is how long the registry may take to list a repository's tags.
const registryAnswers = 10 * time.Second

func (r *Reconciler) compareTagsOf(ctx context.Context, repository string, p *pass) error {
	asking, cancel := context.WithTimeout(ctx, registryAnswers)
	defer cancel()
	there, err := r.Images.Tags(asking, repository)
	if err != nil {
		return deployment.AwayFailure(deployment.ComponentRegistry, "registry.unreachable", "check that the registry runs", "%w", err)
	}
	prefix := r.PushHost + "/" + repository + ":"
	names, tags := make([]string, len(there)), make([]deployment.Resource, 0, len(there))
	for i, tag := range there {
		names[i] = prefix + tag
		if id := deploymentOf(tag); id != "" {
			tags = append(tags, deployment.Resource{Name: names[i], DeploymentID: id})
		}
	}
	strays, err1 := r.Tags.StrayTags(ctx, tags, r.Grace)
	lost, err2 := r.Tags.LostTags(ctx, prefix, names, r.Grace)
	errs := []error{err1, err2}
	for _, tag := range strays {
		if strings.HasSuffix(tag.Name, cacheSuffix) {
			tag.Kind = deployment.ResourceCacheTag
		}
		found := deployment.Difference{Kind: string(tag.Kind), Thing: tag.Name, Found: "it has no row", Repair: "written into the ledger"}
		errs = append(errs, p.mend(&p.result.Tags, found, func() error { return r.Ledger.Own(ctx, tag) }))
	}
	for _, tag := range lost {
		found := deployment.Difference{Kind: string(tag.Kind), Thing: tag.Name, Found: "the registry has it no more", Repair: "taken out of the ledger"}
		errs = append(errs, p.mend(&p.result.Tags, found, func() error { return r.Ledger.Disown(ctx, tag) }))
	}
	return errors.Join(errs...)
}

// deploymentOf returns the deployment that a tag is of, as Build names them, "" for a tag of somebody else's.
func deploymentOf(tag string) string {
	const length = len("00000000-0000-0000-0000-000000000000")
	if len(tag) <= length || tag[length] != '-' || uuid.Validate(tag[:length]) != nil {
		return ""
	}
	return tag[:length]
}
