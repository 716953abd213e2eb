package activities

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// cacheSuffix ends the tag that the steps of a deployment's build are kept under.
const cacheSuffix = "-cache"

// exports reports whether the steps of a build that has ended are to be kept in the registry: production's alone, since every build of
// the project begins with them, and a branch of somebody's must not say what production is made of; and no steps that were all in the
// builder's cache already, unless nothing is kept of the project.
func (b *Build) exports(ctx context.Context, d deployment.Deployment, outcome BuildOutcome) (bool, error) {
	if !b.RegistryCache || d.Environment != string(deployment.KindProduction) {
		return false, nil
	}
	kept, err := b.kept(ctx, d.ProjectID)
	return outcome.Cached < outcome.Steps || len(kept) == 0, err
}

// kept lists the tags that the steps of a project's builds are kept under, those of the newest deployment first.
func (b *Build) kept(ctx context.Context, projectID string) ([]deployment.Resource, error) {
	tags, err := b.Ledger.OwnedIn(ctx, deployment.Scope{ProjectID: projectID}, "", deployment.ResourceCacheTag)
	slices.SortFunc(tags, func(a, b deployment.Resource) int { return cmp.Compare(b.DeploymentID, a.DeploymentID) }) // ids begin with the time
	return tags, err
}

// cacheFrom names the newest steps of the project that the registry keeps, none when it has none or does not answer: a build needs no
// cache. A second attempt goes without: a layer that is lost below a cache fails the step that needs it.
func (b *Build) cacheFrom(ctx context.Context, d deployment.Deployment) []string {
	if !b.RegistryCache || d.Force || activity.GetInfo(ctx).Attempt > 1 {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, asideTime)
	defer cancel()
	kept, err := b.kept(asking, d.ProjectID)
	for n := 0; n < len(kept) && err == nil; n++ {
		var digest string
		if digest, err = b.Images.Digest(asking, kept[n].Name); digest != "" {
			return []string{kept[n].Name[:strings.LastIndex(kept[n].Name, ":")] + "@" + digest} // where it is: projects are renamed
		}
	}
	if err != nil {
		logOf(ctx, b.Logs).say("the registry's cache is not used: %v", err)
	}
	return nil
}

// ExportCache keeps the steps of the deployment's build in the registry, and removes those that were kept of earlier ones. The builder
// has them in its cache, so it runs none; one export at a time leaves the host to those who build. What it finds changed since the
// build it leaves alone: a later build is kept.
func (b *Build) ExportCache(ctx context.Context, in temporal.ExportInput) (temporal.ExportResult, error) {
	if !b.exporting.TryLock() {
		return temporal.ExportResult{Skipped: "the steps of another build are being kept"}, nil
	}
	defer b.exporting.Unlock()
	d, p, err := load(ctx, b.Store, in.DeploymentID)
	if err != nil {
		return temporal.ExportResult{}, err
	}
	input, err := b.input(ctx, d, p)
	if err != nil {
		return temporal.ExportResult{}, err
	}
	if input != d.ImageInput {
		return temporal.ExportResult{Skipped: "settings or variables have changed since the build"}, nil
	}
	tag := deployment.Resource{Kind: deployment.ResourceCacheTag, Name: b.PushHost + "/" + p.Name + ":" + d.ID + cacheSuffix, DeploymentID: d.ID}
	if err := b.export(ctx, in, d, p, tag); err != nil {
		return temporal.ExportResult{}, err
	}
	return temporal.ExportResult{Tag: tag.Name}, b.removeOlder(ctx, p, tag)
}

// export solves again, with no image as its result.
func (b *Build) export(ctx context.Context, in temporal.ExportInput, d deployment.Deployment, p deployment.Project, tag deployment.Resource) error {
	checkout, err := b.Workspaces.Open(d.ID, in.Commit)
	if err != nil {
		return err
	}
	request, err := b.request(ctx, d, p, checkout)
	if err != nil {
		return err
	}
	request.Output.Kind, request.CacheTo = deployment.OutputNone, tag.Name
	request.CacheFrom, request.NoCache = nil, false
	request.Provenance, request.SBOMScanner = deployment.ProvenanceOff, ""
	if err := b.Ledger.Own(ctx, tag); err != nil {
		return err
	}
	_, err = b.Builder.Solve(ctx, in.Builder, request, silence{})
	if f, ok := errors.AsType[*deployment.Failure](err); ok {
		// Its lines and its message may say what a step has printed: nobody redacts what is no step of a deploy.
		return deployment.PlatformFailure("build.cache_not_kept", f.Fix, "keep the steps of the build in the registry: %s", f.Code)
	}
	return err
}

// removeOlder deletes what was kept of earlier deployments of the project. A project that was deleted meanwhile keeps nothing.
func (b *Build) removeOlder(ctx context.Context, p deployment.Project, tag deployment.Resource) error {
	if _, err := b.Store.Project(ctx, p.ID); errors.Is(err, deployment.ErrNotFound) {
		return removeTag(ctx, b.Images, b.Ledger, tag)
	} else if err != nil {
		return err
	}
	kept, err := b.kept(ctx, p.ID)
	for _, older := range kept {
		if older.DeploymentID < tag.DeploymentID && err == nil {
			err = removeTag(ctx, b.Images, b.Ledger, older)
		}
	}
	return err
}

// silence hears what a solve says and keeps nothing of it.
type silence struct{}

func (silence) Line(string, string)           {}
func (silence) Progress(deployment.Progress)  {}
func (silence) Vertex(deployment.BuildVertex) {}
