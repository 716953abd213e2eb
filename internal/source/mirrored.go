package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// WithMirrors returns a Client that fetches with mirrors, those repositories that are fetched for a project.
func (c *Client) WithMirrors(m *Mirrors) *Client {
	mirrored := *c
	mirrored.mirrors = m
	return &mirrored
}

// checkOut fetches a commit of one repository and writes its files. A mirror never makes a fetch fail: what is wrong with it is
// said, and the fetch does without.
func (t *trip) checkOut(ctx context.Context, u *url.URL, commit string, ref deployment.Ref, to target) (*checkout, error) {
	t.line(fmt.Sprintf("fetching commit %.12s of %s", commit, shown(u)))
	m := t.openMirror(u)
	defer m.close()
	left := t.left
	done, err := t.checkOutFrom(ctx, u, commit, ref, to, m)
	if !m.inUse() || !errors.Is(err, errDamaged) || ctx.Err() != nil {
		return done, err
	}
	t.line(fmt.Sprintf("this host's mirror of the repository is thrown away and made anew: %v", err))
	m.begins()
	t.left = left
	if err := clearOut(to.root); err != nil {
		return nil, t.classifyCheckout(ctx, err)
	}
	return t.checkOutFrom(ctx, u, commit, ref, to, m)
}

// openMirror opens the mirror of a repository, nil when there is to be none.
func (t *trip) openMirror(u *url.URL) *mirror {
	if t.mirrors == nil || t.project == "" {
		return nil
	}
	m, fault, err := t.mirrors.open(t.project, u)
	if err != nil {
		t.line(fmt.Sprintf("fetching without a mirror: %v", err))
		return nil
	}
	switch {
	case fault != nil:
		t.line(fmt.Sprintf("this host's mirror of the repository is thrown away and made anew: %v", fault))
	case m.anew:
		t.line("this host's mirror of the repository has grown much and is made anew")
	}
	return m
}

// keep puts what was fetched into the mirror. At worst the next fetch moves it again.
func (t *trip) keep(m *mirror, commit mirrorCommit, p *pack) {
	if err := m.keep(commit, p); err != nil {
		t.line(fmt.Sprintf("not kept in this host's mirror: %v", err))
	}
}

// tell adds to a request what the mirror has, for the server to leave out. Parents of those commits are not here.
func (m *mirror) tell(req *packp.UploadPackRequest, thin bool) {
	for _, commit := range m.list.Commits {
		if !commit.Root {
			req.Shallows = append(req.Shallows, commit.Hash)
		}
	}
	for _, commit := range m.list.Commits {
		// go-git sends no request for what it is told is there, unless something is shallow.
		if len(req.Shallows) > 0 || commit.Hash != req.Wants[0] {
			req.Haves = append(req.Haves, commit.Hash)
		}
	}
	// A delta of a pack that is thin is made from an object of ours. go-git's own packs never are, so it hides that a server can.
	// Without it a server looks for what is ours among the parents alone, which are cut off.
	if thin {
		_ = req.Capabilities.Set(capability.ThinPack) // takes no argument, so there is nothing to be wrong
	}
}

// mirrors tells whether what a request brings is what a mirror consists of: one commit without its parents.
func (q request) mirrors(r *remote) bool {
	return q.depth == 1 && r.refs.Capabilities.Supports(capability.Shallow)
}

// stands tells whether a commit is in the mirror that some ref of the server points to.
func (m *mirror) stands(r *remote, commit plumbing.Hash) bool {
	_, tip := r.tipOf(commit)
	return m != nil && tip && m.list.has(commit)
}

// clearOut removes everything below root.
func clearOut(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	errs := []error{err}
	for _, entry := range entries {
		errs = append(errs, root.RemoveAll(entry.Name()))
	}
	return errors.Join(errs...)
}
