package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Fetch checks commit (40 hex digits) out into dir, which does not exist or is empty, and leaves nothing else there: no
// .git folder. Files are byte for byte what was committed, with their executable bits; symbolic links stay links and are
// never followed. Submodules are checked out at their recorded commits, and pointers to Git LFS objects are replaced by
// the objects. ref tells where to look on servers that hand out no commit by its id alone. line, which
// may be nil, receives what happens in words, and is not called after Fetch has returned; neither is dir written to. When
// Fetch fails, dir is empty again.
//
// User failures are source.commit_not_found, source.too_large, source.too_many_files, source.tree_invalid and those of Resolve. A canceled
// context's cause is returned as it is.
func (c *Client) Fetch(ctx context.Context, repo deployment.Repository, commit string, ref deployment.Ref, dir string, line func(string)) (err error) {
	what := fmt.Sprintf("fetch commit %.12s of %s", commit, display(repo.URL))
	if fault := deployment.ValidateRef(deployment.Ref{Kind: deployment.RefCommit, Name: commit}); fault != nil || len(commit) != 40 {
		return deployment.UserFailure("source.commit_not_found", "give all 40 digits of the commit id", "%s: not a full commit id", what)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	t, err := c.newTrip(repo, line)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	root, err := prepare(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { _ = root.Close() }() // holds no data
	if err := t.fetch(ctx, t.url, commit, ref, target{root: root, packs: dir}); err != nil {
		return fmt.Errorf("%s: %w", what, errors.Join(err, empty(dir)))
	}
	return nil
}

// target is where a repository is checked out to.
type target struct {
	root  *os.Root
	packs string // folder on the same disk for packs, whose files have no names
	depth int    // of submodules in submodules
}

// fetch brings one repository with its Git LFS objects and its submodules.
func (t *trip) fetch(ctx context.Context, u *url.URL, commit string, ref deployment.Ref, to target) error {
	done, err := t.checkOut(ctx, u, commit, ref, to)
	if err != nil {
		return err
	}
	if done.usesLFS && len(done.pointers) > 0 {
		if err := t.fetchObjects(ctx, u, to.root, done.pointers); err != nil {
			return err
		}
	}
	if err := t.fetchSubmodules(ctx, u, done.links, to); err != nil {
		return err
	}
	return to.root.Chtimes(".", done.committed, done.committed)
}

// checkOutFrom fetches with a mirror, which may be nil, and keeps there what is new once all of it was read.
func (t *trip) checkOutFrom(ctx context.Context, u *url.URL, commit string, ref deployment.Ref, to target, m *mirror) (*checkout, error) {
	started := time.Now()
	found, err := t.find(ctx, u, commit, ref, to.packs, m)
	if err != nil {
		return nil, err
	}
	defer found.close()
	if found.received == nil {
		t.line("received nothing: the commit is in this host's mirror")
	} else {
		t.line(fmt.Sprintf("received %d objects, %s in %.1f s%s", found.received.count, size(found.received.bytes), time.Since(started).Seconds(), found.besides()))
	}
	done, err := found.checkOut(ctx, commit, to.root, &t.left, limits{bytes: t.maxBytes, entries: t.maxFiles})
	if err != nil {
		return nil, t.classifyCheckout(ctx, err)
	}
	t.line(fmt.Sprintf("checked out %d files, %s", done.files, size(done.bytes)))
	if m != nil && found.mirrored {
		t.keep(m, mirrorCommit{Hash: plumbing.NewHash(commit), Root: done.root}, found.received)
	}
	return done, nil
}

// found is what a commit is checked out from.
type found struct {
	*objects
	received *pack // nil when nothing was asked for
	mirrored bool  // what was received consists of what a mirror does
}

func (f *found) close() {
	if f.received != nil {
		f.received.close()
	}
}

// besides says where the objects are that were not received.
func (f *found) besides() string {
	if len(f.packs) < 2 {
		return ""
	}
	return "; the others are in this host's mirror"
}

// find gets a commit's objects in the cheapest way that brings it.
func (t *trip) find(ctx context.Context, u *url.URL, commit string, ref deployment.Ref, dir string, m *mirror) (*found, error) {
	for attempt := 0; ; attempt++ {
		remote, err := t.open(ctx, u)
		if err != nil {
			return nil, err
		}
		if m.stands(remote, plumbing.NewHash(commit)) {
			remote.close()
			return &found{objects: newObjects(m.packs, t.maxBytes)}, nil
		}
		requests := remote.requests(commit, ref)
		if attempt >= len(requests) {
			remote.close()
			return nil, commitNotFound(commit)
		}
		if attempt > 0 {
			t.line("the server hands out no single commits; fetching " + requests[attempt].label)
		}
		got, err := t.receive(ctx, remote, requests[attempt], dir, m)
		remote.close()
		switch {
		case errors.Is(err, errNotOurRef):
			return nil, commitNotFound(commit)
		case err != nil:
			return nil, t.classify(ctx, u, err)
		case got.has(plumbing.NewHash(commit)):
			return got, nil
		}
		got.close()
	}
}

// classifyCheckout says whose failure an error of the checkout is; the network has no part in it any more.
func (t *trip) classifyCheckout(ctx context.Context, err error) error {
	var known *deployment.Failure
	switch cause := context.Cause(ctx); {
	case errors.As(err, &known):
		return err
	case errors.Is(cause, errTimeout):
		return deployment.TransientFailure("source.timeout", "try again; the host may be busy", "check out: %w", errTimeout)
	case cause != nil:
		return cause
	}
	return deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "check out: %w", err)
}

// prepare makes dir, or finds it empty, and opens it.
func prepare(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "make folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "read folder: %w", err)
	}
	if len(entries) > 0 {
		return nil, deployment.PlatformFailure("source.checkout_failed", "", "folder %s is not empty", filepath.Base(dir))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "open folder: %w", err)
	}
	return root, nil
}

// empty removes what a failed Fetch left in dir.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	faults := []error{err}
	for _, entry := range entries {
		faults = append(faults, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return errors.Join(faults...)
}

func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
