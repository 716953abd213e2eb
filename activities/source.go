package activities

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Source resolves refs and fetches commits.
type Source struct {
	Store      Store
	Ledger     Ledger
	Logs       LogWriter
	Git        Git
	Workspaces Workspaces
	Images     ImageStore
	PushHost   string // the registry as this host reaches it
	HostID     string
}

// ResolveRef turns the ref that was asked for into a full commit, once: every retry builds the commit of the first run. Where
// there is an image already, another deployment's or an earlier run's, it answers with that.
func (s *Source) ResolveRef(ctx context.Context, in temporal.StepInput) (temporal.ResolveResult, error) {
	d, p, err := load(ctx, s.Store, in.DeploymentID)
	if err != nil {
		return temporal.ResolveResult{}, err
	}
	if d.ReusedFrom != "" {
		return s.reuse(ctx, d)
	}
	log := logOf(ctx, s.Logs)
	if d.Commit != "" {
		log.say("commit %s, resolved before", d.Commit)
		built, err := s.standing(ctx, d, p)
		if err == nil && built.Digest == "" {
			built, err = s.takeOver(ctx, d, p)
		}
		return temporal.ResolveResult{Commit: d.Commit, Branch: d.Branch, Reused: true, Built: built}, err
	}
	ref := meantRef(d, p)
	log.say("resolving %s of %s", ref, p.RepoURL)
	repo, err := s.repository(ctx, p)
	if err != nil {
		return temporal.ResolveResult{}, err
	}
	commit, branch, err := s.Git.Resolve(ctx, repo, ref)
	if err != nil {
		return temporal.ResolveResult{}, err
	}
	log.say("%s is commit %s", ref, commit)
	if ref.Kind == deployment.RefDefault && p.ProductionBranch == "" {
		if err := s.Store.SetProductionBranch(ctx, p.ID, branch); err != nil {
			return temporal.ResolveResult{}, err
		}
	}
	if err := s.Store.SetCommit(ctx, d.ID, attemptOf(ctx).RunID, commit, branch); err != nil {
		return temporal.ResolveResult{}, err
	}
	d, err = s.Store.Deployment(ctx, d.ID) // an attempt at the same time may have been first: all answer what is stored
	if err != nil {
		return temporal.ResolveResult{}, err
	}
	built, err := s.takeOver(ctx, d, p)
	return temporal.ResolveResult{Commit: d.Commit, Branch: d.Branch, Built: built}, err
}

// meantRef is what a deploy that names nothing means: the production branch once it is known, else the remote's HEAD.
func meantRef(d deployment.Deployment, p deployment.Project) deployment.Ref {
	if d.Ref.Kind == deployment.RefDefault && p.ProductionBranch != "" {
		return deployment.Ref{Kind: deployment.RefBranch, Name: p.ProductionBranch}
	}
	return d.Ref
}

// FetchSource checks the commit out into this host's workspace. The ledger knows of the workspace before it exists.
func (s *Source) FetchSource(ctx context.Context, in temporal.CommitInput) error {
	d, p, err := load(ctx, s.Store, in.DeploymentID)
	if err != nil {
		return err
	}
	log := logOf(ctx, s.Logs)
	// First the row, also of a checkout that is here: the sweeper removes what belongs to another run.
	if err := s.Ledger.Own(ctx, workspaceOf(d, attemptOf(ctx).RunID, s.HostID)); err != nil {
		return err
	}
	if _, err := s.Workspaces.Open(d.ID, in.Commit); err == nil {
		log.say("checkout of %s is here already", in.Commit)
		return nil
	}
	dir, err := s.Workspaces.Prepare(d.ID)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // gone already when it was published
	repo, err := s.repository(ctx, p)
	if err != nil {
		return err
	}
	log.say("fetching %s at %s", p.RepoURL, in.Commit)
	line := func(text string) { log.line(deployment.StreamStdout, text) }
	if err := s.Git.Fetch(ctx, repo, in.Commit, fetchRef(d, p), dir, line); err != nil {
		return err
	}
	return s.Workspaces.Publish(d.ID, in.Commit, dir)
}

// repository is a project's repository with its credential. It is read here, where it is used, and goes no further.
func (s *Source) repository(ctx context.Context, p deployment.Project) (deployment.Repository, error) {
	credential, err := s.Store.GitCredential(ctx, p.ID)
	return deployment.Repository{URL: p.RepoURL, Credential: credential, ProjectID: p.ID}, err
}

// fetchRef is the ref to look under on a server that hands out no bare commits.
func fetchRef(d deployment.Deployment, p deployment.Project) deployment.Ref {
	if d.Branch != "" {
		return deployment.Ref{Kind: deployment.RefBranch, Name: d.Branch}
	}
	return meantRef(d, p)
}

func workspaceOf(d deployment.Deployment, runID, host string) deployment.Resource {
	return deployment.Resource{Kind: deployment.ResourceWorkspace, Name: d.ID, Host: host, DeploymentID: d.ID, RunID: runID}
}

// load reads a deployment and its project.
func load(ctx context.Context, store Store, deploymentID string) (deployment.Deployment, deployment.Project, error) {
	d, err := store.Deployment(ctx, deploymentID)
	if err != nil {
		return d, deployment.Project{}, err
	}
	p, err := store.Project(ctx, d.ProjectID)
	if errors.Is(err, deployment.ErrNotFound) { // who deleted it canceled its deployments
		err = fmt.Errorf("%w: %w", deployment.ErrCancelRequested, err)
	}
	return d, p, err
}
