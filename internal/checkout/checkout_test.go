package checkout_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/checkout"
)

// TestMain keeps the configuration of whoever runs the tests out of them.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull, "GIT_CEILING_DIRECTORIES": os.TempDir(),
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
}

// cloned returns a clone, with one commit on main, of a repository beside it.
func cloned(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	git(t, top, "init", "-q", "--bare", "-b", "main", "hub.git")
	git(t, top, "clone", "-q", "hub.git", "work")
	work := filepath.Join(top, "work")
	git(t, work, "symbolic-ref", "HEAD", "refs/heads/main")
	git(t, work, "commit", "-q", "--allow-empty", "-m", "one")
	git(t, work, "push", "-q", "-u", "origin", "main")
	return work
}

func open(t *testing.T, dir string) *checkout.Checkout {
	t.Helper()
	c, err := checkout.Open(t.Context(), dir)
	require.NoError(t, err)
	return c
}

func on(t *testing.T, c *checkout.Checkout, remote string) checkout.At {
	t.Helper()
	at, err := c.On(t.Context(), remote)
	require.NoError(t, err)
	return at
}

func TestOpen_OutsideOfACheckout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := checkout.Open(t.Context(), dir)
	require.ErrorIs(t, err, checkout.ErrNone)
	git(t, dir, "init", "-q", "--bare")
	_, err = checkout.Open(t.Context(), dir)
	require.ErrorIs(t, err, checkout.ErrNone, "a bare repository")
}

func TestOpen_BeforeTheFirstCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	c := open(t, dir)
	require.Equal(t, "main", c.Branch)
	require.Empty(t, c.Commit)
	require.Empty(t, c.Remotes)
	require.Equal(t, checkout.At{Branch: "main"}, on(t, c, "origin"))
}

func TestOpen_FolderAndWorktree(t *testing.T) {
	t.Parallel()
	work := cloned(t)
	require.Equal(t, ".", open(t, work).Folder)
	inner := filepath.Join(work, "apps", "my web")
	require.NoError(t, os.MkdirAll(inner, 0o755))
	require.Equal(t, "apps/my web", open(t, inner).Folder)

	tree := filepath.Join(t.TempDir(), "tree")
	git(t, work, "worktree", "add", "-q", "-b", "side", tree)
	c := open(t, tree)
	require.Equal(t, "side", c.Branch)
	require.Equal(t, "origin", c.Remotes[0].Name)
}

// The branch's own remote comes first, whatever the names; and git's own rewriting of URLs is respected.
func TestOpen_OrderOfRemotes(t *testing.T) {
	t.Parallel()
	work := cloned(t)
	git(t, work, "remote", "set-url", "origin", "gh:team/shop.git")
	git(t, work, "config", "url.https://git.example.com/.insteadOf", "gh:")
	git(t, work, "remote", "add", "aaa", "https://git.example.com/aaa/shop.git")
	git(t, work, "remote", "add", "fork", "https://git.example.com/me/shop.git")
	git(t, work, "remote", "set-url", "--push", "fork", "https://git.example.com/elsewhere.git")
	git(t, work, "config", "remote.fork.promisor", "true")
	git(t, work, "config", "remote.fork.partialclonefilter", "blob:none")
	names := func() (all []string) {
		for _, r := range open(t, work).Remotes {
			all = append(all, r.Name+" "+r.URL)
		}
		return all
	}
	const origin, aaa, fork = "origin https://git.example.com/team/shop.git", "aaa https://git.example.com/aaa/shop.git", "fork https://git.example.com/me/shop.git"
	require.Equal(t, []string{origin, aaa, fork}, names())
	git(t, work, "config", "branch.main.remote", "fork")
	require.Equal(t, []string{fork, origin, aaa}, names())
}

func TestOn_UpstreamOfAnotherName(t *testing.T) {
	t.Parallel()
	work := cloned(t)
	git(t, work, "checkout", "-q", "-b", "mine")
	require.Equal(t, checkout.At{Branch: "mine"}, on(t, open(t, work), "origin"), "never pushed")
	git(t, work, "push", "-q", "-u", "origin", "mine:feature/cart")
	c := open(t, work)
	require.Equal(t, "mine", c.Branch)
	require.Equal(t, checkout.At{Branch: "feature/cart", Commit: c.Commit}, on(t, c, "origin"))
	require.Equal(t, checkout.At{Branch: "mine"}, on(t, c, "other"), "another remote knows nothing of that name")
}

// A branch that was pushed without -u is found by its own name.
func TestOn_PushedWithoutUpstream(t *testing.T) {
	t.Parallel()
	work := cloned(t)
	git(t, work, "checkout", "-q", "-b", "side")
	git(t, work, "push", "-q", "origin", "side")
	c := open(t, work)
	require.Equal(t, checkout.At{Branch: "side", Commit: c.Commit}, on(t, c, "origin"))
}

func TestOn_UnpushedCommitsAndChanges(t *testing.T) {
	t.Parallel()
	work := cloned(t)
	pushed := open(t, work).Commit
	git(t, work, "commit", "-q", "--allow-empty", "-m", "two")
	git(t, work, "commit", "-q", "--allow-empty", "-m", "three")
	c := open(t, work)
	require.Equal(t, checkout.At{Branch: "main", Commit: pushed, Ahead: 2}, on(t, c, "origin"))
	changes, err := c.Changes(t.Context())
	require.NoError(t, err)
	require.Zero(t, changes)
	require.NoError(t, os.WriteFile(filepath.Join(work, "new file"), nil, 0o600))
	changes, err = c.Changes(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, changes)
}

func TestOpen_DetachedHead(t *testing.T) {
	t.Parallel()
	work := cloned(t)
	git(t, work, "checkout", "-q", "--detach")
	c := open(t, work)
	require.Empty(t, c.Branch)
	require.Len(t, c.Commit, 40)
}

// What git itself refuses is said, not taken for "no checkout".
func TestOpen_BrokenConfiguration(t *testing.T) {
	t.Parallel()
	work := cloned(t)
	require.NoError(t, os.WriteFile(filepath.Join(work, ".git", "config"), []byte("[broken\n"), 0o600))
	_, err := checkout.Open(t.Context(), work)
	require.ErrorContains(t, err, "bad config")
	require.NotErrorIs(t, err, checkout.ErrNone)
}
