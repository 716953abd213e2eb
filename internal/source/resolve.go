package source

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Resolve turns a ref into a full commit id. branch is the branch that was meant, the remote's HEAD for RefDefault, and
// empty for a tag or a commit. A full commit id is returned as it is once the repository has answered; whether it is in
// there is for Fetch to find out, as most servers tell only then. What is wrong with the request is a user failure
// (source.repository_not_found, source.ref_not_found, ...), what may pass is a transient one.
func (c *Client) Resolve(ctx context.Context, repo deployment.Repository, ref deployment.Ref) (commit, branch string, err error) {
	what := fmt.Sprintf("resolve %s of %s", ref, display(repo.URL))
	if fault := deployment.ValidateRef(ref); fault != nil {
		return "", "", deployment.UserFailure("source.ref_invalid", fault.Fix, "%s: %s", what, fault.Fault)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, min(c.timeout, resolveTimeout), errTimeout)
	defer cancel()
	remote, err := c.openOnce(ctx, repo)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", what, err)
	}
	defer remote.close()
	if commit, branch, err = remote.resolve(ref); err != nil {
		return "", "", fmt.Errorf("%s: %w", what, err)
	}
	return commit, branch, nil
}

// DefaultBranch returns the branch that the remote's HEAD names. It answers within five seconds; its errors are Resolve's.
func (c *Client) DefaultBranch(ctx context.Context, repo deployment.Repository) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, checkTimeout, errTimeout)
	defer cancel()
	_, branch, err := c.Resolve(ctx, repo, deployment.Ref{})
	return branch, err
}

func (c *Client) openOnce(ctx context.Context, repo deployment.Repository) (*remote, error) {
	t, err := c.newTrip(repo, nil)
	if err != nil {
		return nil, err
	}
	return t.open(ctx, t.url)
}

func (r *remote) resolve(ref deployment.Ref) (commit, branch string, err error) {
	switch ref.Kind {
	case deployment.RefCommit:
		commit, err = r.resolveCommit(ref.Name)
		return commit, "", err
	case deployment.RefTag:
		hash, ok := r.commitOf("refs/tags/" + ref.Name)
		if !ok {
			return "", "", deployment.UserFailure("source.ref_not_found", "push the tag, or name one that is there", "the repository has no tag %s", ref.Name)
		}
		return hash.String(), "", nil
	case deployment.RefBranch:
		branch = ref.Name
	case deployment.RefDefault:
		if branch = r.headBranch(); branch == "" {
			return "", "", deployment.UserFailure("source.ref_not_found", "name a branch, or set the project's production_branch",
				"the repository's HEAD names no branch")
		}
	}
	hash, ok := r.commitOf("refs/heads/" + branch)
	if !ok {
		return "", "", deployment.UserFailure("source.ref_not_found", "push the branch, or name one that is there", "the repository has no branch %s", branch)
	}
	return hash.String(), branch, nil
}

// resolveCommit completes a prefix among the commits that refs point to: a server tells of no others.
func (r *remote) resolveCommit(prefix string) (string, error) {
	if len(prefix) == 40 {
		return prefix, nil
	}
	found := map[string]bool{}
	for ref := range r.refs.References {
		if hash, _ := r.commitOf(ref); strings.HasPrefix(hash.String(), prefix) {
			found[hash.String()] = true
		}
	}
	const fix = "give all 40 digits of the commit id"
	switch len(found) {
	case 0:
		return "", deployment.UserFailure("source.commit_not_found", fix, "no branch or tag points to a commit that starts with %s", prefix)
	case 1:
		for commit := range found {
			return commit, nil
		}
	}
	return "", deployment.UserFailure("source.commit_ambiguous", fix, "%d commits start with %s", len(found), prefix)
}
