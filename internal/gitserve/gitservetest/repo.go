package gitservetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gitserve"
)

// Repo is a repository of a Server.
type Repo struct {
	*gitserve.Repository
	URL string // what a client fetches from
}

// Entry is something other than a regular file in a commit.
type Entry struct {
	Path    string
	mode    string
	content string
}

// Executable is a file with the executable bit.
func Executable(path, content string) Entry {
	return Entry{Path: path, mode: "100755", content: content}
}

// Symlink is a symbolic link to target, which is not checked.
func Symlink(path, target string) Entry { return Entry{Path: path, mode: "120000", content: target} }

// Submodule is a link to a commit of another repository.
func Submodule(path, commit string) Entry { return Entry{Path: path, mode: "160000", content: commit} }

// Commit adds a commit to branch, which is made when it is new, and returns its id. files (path → content) and entries are
// written over what the branch holds; nothing is deleted.
func Commit(tb testing.TB, repo *Repo, branch string, files map[string]string, entries ...Entry) string {
	tb.Helper()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		entries = append(entries, Entry{Path: path, mode: "100644", content: files[path]})
	}
	ref := "refs/heads/" + branch
	parent := repo.run(tb, "for-each-ref", "--format=%(objectname)", ref)
	_, err := repo.Git(tb.Context(), commitStream(ref, parent, entries), nil, "fast-import", "--quiet", "--date-format=raw")
	require.NoError(tb, err)
	return repo.run(tb, "rev-parse", ref)
}

func commitStream(ref, parent string, entries []Entry) *bytes.Buffer {
	var stream bytes.Buffer
	message := "commit to " + strings.TrimPrefix(ref, "refs/heads/")
	fmt.Fprintf(&stream, "commit %s\ncommitter Test <test@localhost> 1700000000 +0000\ndata %d\n%s\n", ref, len(message), message)
	if parent != "" {
		fmt.Fprintf(&stream, "from %s\n", parent)
	}
	for _, e := range entries {
		if e.mode == "160000" {
			fmt.Fprintf(&stream, "M %s %s %s\n", e.mode, e.content, e.Path)
			continue
		}
		fmt.Fprintf(&stream, "M %s inline %s\ndata %d\n%s\n", e.mode, e.Path, len(e.content), e.content)
	}
	return &stream
}

// Tag makes an annotated tag of a commit.
func Tag(tb testing.TB, repo *Repo, name, commit string) {
	tb.Helper()
	_, err := repo.Git(tb.Context(), nil, []string{
		"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@localhost", "GIT_COMMITTER_DATE=1700000000 +0000",
	}, "tag", "--annotate", "--message", name, name, commit)
	require.NoError(tb, err)
}

// LightTag makes a tag that is only a name for a commit.
func LightTag(tb testing.TB, repo *Repo, name, commit string) {
	tb.Helper()
	repo.run(tb, "tag", name, commit)
}

func (r *Repo) run(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := r.Git(tb.Context(), nil, nil, args...)
	require.NoError(tb, err)
	return out
}
