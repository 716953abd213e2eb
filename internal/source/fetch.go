package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Fetch checks commit (40 hex digits) out into dir, which does not exist or is empty, and leaves nothing else there: no
// .git folder, no submodules. Files are byte for byte what was committed, with their executable bits; symbolic links stay
// links and are never followed. ref tells where to look on servers that hand out no commit by its id alone. line, which
// may be nil, receives what happens in words, and is not called after Fetch has returned; neither is dir written to. When
// Fetch fails, dir is empty again.
//
// User failures are source.commit_not_found, source.too_large, source.tree_invalid and those of Resolve. A canceled
// context's cause is returned as it is.
func (c *Client) Fetch(ctx context.Context, repoURL, commit string, ref deployment.Ref, dir string, line func(string)) (err error) {
	what := fmt.Sprintf("fetch commit %.12s of %s", commit, display(repoURL))
	if fault := deployment.ValidateRef(deployment.Ref{Kind: deployment.RefCommit, Name: commit}); fault != nil || len(commit) != 40 {
		return deployment.UserFailure("source.commit_not_found", "give all 40 digits of the commit id", "%s: not a full commit id", what)
	}
	if line == nil {
		line = func(string) {}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	if err := prepare(dir); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := c.fetch(ctx, repoURL, commit, ref, dir, line); err != nil {
		return fmt.Errorf("%s: %w", what, errors.Join(err, empty(dir)))
	}
	return nil
}

func (c *Client) fetch(ctx context.Context, repoURL, commit string, ref deployment.Ref, dir string, line func(string)) error {
	started := time.Now()
	line(fmt.Sprintf("fetching commit %.12s of %s", commit, display(repoURL)))
	pack, err := c.findPack(ctx, repoURL, commit, ref, dir, line)
	if err != nil {
		return err
	}
	defer pack.close()
	line(fmt.Sprintf("received %s in %.1f s", size(pack.bytes), time.Since(started).Seconds()))
	done, err := pack.checkOut(ctx, commit, dir, c.maxBytes)
	if err != nil {
		return c.classifyCheckout(ctx, err)
	}
	line(fmt.Sprintf("checked out %d files, %s", done.files, size(done.bytes)))
	if done.submodules > 0 {
		line("the repository has submodules: they are not fetched, their folders are empty")
	}
	return nil
}

// findPack fetches in the cheapest way that brings the commit.
func (c *Client) findPack(ctx context.Context, repoURL, commit string, ref deployment.Ref, dir string, line func(string)) (*pack, error) {
	for attempt := 0; ; attempt++ {
		remote, err := c.open(ctx, repoURL)
		if err != nil {
			return nil, err
		}
		requests := remote.requests(commit, ref)
		if attempt >= len(requests) {
			remote.close()
			return nil, commitNotFound(commit)
		}
		if attempt > 0 {
			line("the server hands out no single commits; fetching " + requests[attempt].label)
		}
		pack, err := c.receive(ctx, remote, requests[attempt], dir, line)
		remote.close()
		switch {
		case errors.Is(err, errNotOurRef):
			return nil, commitNotFound(commit)
		case err != nil:
			return nil, c.classify(ctx, err, remote.budget)
		case pack.has(commit):
			return pack, nil
		}
		pack.close()
	}
}

// classifyCheckout says whose failure an error of the checkout is; the network has no part in it any more.
func (c *Client) classifyCheckout(ctx context.Context, err error) error {
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

func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "make folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "read folder: %w", err)
	}
	if len(entries) > 0 {
		return deployment.PlatformFailure("source.checkout_failed", "", "folder %s is not empty", filepath.Base(dir))
	}
	return nil
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
