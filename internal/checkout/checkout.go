package checkout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// ErrNone is the answer outside of a checkout, and on a machine without git.
var ErrNone = errors.New("not in a git checkout")

// Remote is a repository that a checkout fetches from.
type Remote struct{ Name, URL string }

// Checkout is a git working tree as it was when it was opened.
type Checkout struct {
	Folder  string   // the folder that was asked about, inside the repository: "." or "apps/web"
	Remotes []Remote // the branch's own first, then origin, then the others by name
	Branch  string   // the local branch; empty when HEAD is detached
	Commit  string   // what HEAD points to; empty before the first commit

	dir            string
	upstreamRemote string
	upstreamBranch string
}

// Open reads the checkout that dir lies in; ErrNone when it lies in none.
func Open(ctx context.Context, dir string) (*Checkout, error) {
	c := &Checkout{dir: dir}
	inside, err := c.git(ctx, "rev-parse", "--is-inside-work-tree", "--show-prefix")
	if err != nil {
		return nil, err
	}
	state, prefix, _ := strings.Cut(inside, "\n")
	if state != "true" { // a bare repository, or the folder .git itself
		return nil, ErrNone
	}
	if c.Folder = strings.Trim(prefix, "/\n"); c.Folder == "" {
		c.Folder = "."
	}
	if c.Branch, err = c.maybe(ctx, "symbolic-ref", "--quiet", "--short", "HEAD"); err != nil {
		return nil, err
	}
	if c.Commit, err = c.tip(ctx, "HEAD"); err != nil {
		return nil, err
	}
	if err := c.readUpstream(ctx); err != nil {
		return nil, err
	}
	return c, c.readRemotes(ctx)
}

// readUpstream finds the remote branch that the local one follows.
func (c *Checkout) readUpstream(ctx context.Context) error {
	if c.Branch == "" {
		return nil
	}
	line, err := c.git(ctx, "for-each-ref", "--format=%(upstream:remotename) %(upstream:remoteref)", "refs/heads/"+c.Branch)
	remote, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok && remote != "." { // "." is a branch of this very repository
		c.upstreamRemote, c.upstreamBranch = remote, branch
	}
	return err
}

// readRemotes lists the remotes as git fetches from them: url.<base>.insteadOf is applied.
func (c *Checkout) readRemotes(ctx context.Context) error {
	out, err := c.git(ctx, "remote", "-v")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		// Behind the URL stands "(fetch)", and in a partial clone the filter in brackets.
		if url, _, fetches := strings.Cut(rest, " (fetch)"); fetches {
			c.Remotes = append(c.Remotes, Remote{Name: name, URL: url})
		}
	}
	rank := func(r Remote) int { return slices.Index([]string{"origin", c.upstreamRemote}, r.Name) }
	slices.SortStableFunc(c.Remotes, func(a, b Remote) int { return rank(b) - rank(a) })
	return nil
}

// At is the checkout's branch as a remote has it.
type At struct {
	Branch string // its name there
	Commit string // what it pointed to when the remote was last fetched from or pushed to; empty when it was never seen there
	Ahead  int    // how many commits of HEAD it lacks
}

// On returns what the current branch is called at a remote, and how that differs from HEAD as far as this checkout knows.
func (c *Checkout) On(ctx context.Context, remote string) (At, error) {
	at := At{Branch: c.Branch}
	if c.upstreamRemote == remote {
		at.Branch = c.upstreamBranch
	}
	var err error
	tracking := "refs/remotes/" + remote + "/" + at.Branch
	if at.Commit, err = c.tip(ctx, tracking); err != nil || at.Commit == "" || c.Commit == "" {
		return at, err
	}
	count, err := c.git(ctx, "rev-list", "--count", tracking+"..HEAD")
	if err != nil {
		return at, err
	}
	at.Ahead, err = strconv.Atoi(strings.TrimSpace(count))
	return at, err
}

// Changes returns how many files differ from HEAD or are new.
func (c *Checkout) Changes(ctx context.Context) (int, error) {
	out, err := c.git(ctx, "status", "--porcelain")
	return strings.Count(out, "\n"), err
}

// Files lists what a clone would hold below the folder that was asked about if all changes were committed: what git tracks
// and what is new, but nothing that is ignored. The paths are relative to that folder; a tracked file may be gone from disk,
// and a submodule is listed as its folder.
func (c *Checkout) Files(ctx context.Context) ([]string, error) {
	out, err := c.git(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Split(out, "\x00"), func(name string) bool {
		return name == "" || strings.HasSuffix(name, "/") // a repository of its own that is no submodule
	}), nil
}

// tip returns the commit that ref points to, "" when there is no such ref.
func (c *Checkout) tip(ctx context.Context, ref string) (string, error) {
	return c.maybe(ctx, "rev-parse", "--quiet", "--verify", ref+"^{commit}")
}

// maybe runs a git command that ends with 1, and no word, for "there is none".
func (c *Checkout) maybe(ctx context.Context, args ...string) (string, error) {
	out, err := c.git(ctx, args...)
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == 1 {
		return "", nil
	}
	return strings.TrimSpace(out), err
}

// git runs one command in the checkout and returns what it prints. Locks are left alone: a look must not disturb a command
// that works in the same tree.
func (c *Checkout) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound), err != nil && strings.Contains(stderr.String(), "not a git repository"):
		return "", ErrNone
	case err != nil:
		said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, said)
	}
	return stdout.String(), nil
}
