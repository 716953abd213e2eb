package source_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

type treeEntry struct{ mode, name, id string }

// rawTree stores a tree that git itself would refuse to make.
func rawTree(t *testing.T, repo *gitservetest.Repo, entries ...treeEntry) string {
	t.Helper()
	var raw strings.Builder
	for _, e := range entries {
		id, err := hex.DecodeString(e.id)
		require.NoError(t, err)
		fmt.Fprintf(&raw, "%s %s\x00%s", e.mode, e.name, id)
	}
	return store(t, repo, "tree", raw.String())
}

func store(t *testing.T, repo *gitservetest.Repo, kind, content string) string {
	t.Helper()
	id, err := repo.Git(t.Context(), strings.NewReader(content), nil, "hash-object", "-w", "--literally", "-t", kind, "--stdin")
	require.NoError(t, err)
	return id
}

// TestHostileTreesStayInside fetches trees that try to write outside the checkout.
func TestHostileTreesStayInside(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	client := newClient(t, server.URL)
	outside := t.TempDir()
	for name, build := range map[string]func(repo *gitservetest.Repo, blob, inner string) []treeEntry{
		"link and folder of one name": func(repo *gitservetest.Repo, _, inner string) []treeEntry {
			return []treeEntry{{"120000", "a", store(t, repo, "blob", outside)}, {"40000", "a", inner}}
		},
		"relative link and folder of one name": func(repo *gitservetest.Repo, _, inner string) []treeEntry {
			return []treeEntry{{"120000", "a", store(t, repo, "blob", "../..")}, {"40000", "a", inner}}
		},
		"link and file of one name": func(repo *gitservetest.Repo, blob, _ string) []treeEntry {
			return []treeEntry{{"120000", "a", store(t, repo, "blob", filepath.Join(outside, "passwd"))}, {"100644", "a", blob}}
		},
		"dot dot": func(_ *gitservetest.Repo, _, inner string) []treeEntry { return []treeEntry{{"40000", "..", inner}} },
		"dot":     func(_ *gitservetest.Repo, _, inner string) []treeEntry { return []treeEntry{{"40000", ".", inner}} },
		"slash": func(_ *gitservetest.Repo, blob, _ string) []treeEntry {
			return []treeEntry{{"100644", "../passwd", blob}}
		},
		"absolute": func(_ *gitservetest.Repo, blob, _ string) []treeEntry {
			return []treeEntry{{"100644", outside + "/passwd", blob}}
		},
		".git": func(_ *gitservetest.Repo, _, inner string) []treeEntry { return []treeEntry{{"40000", ".git", inner}} },
		".GIT": func(_ *gitservetest.Repo, _, inner string) []treeEntry { return []treeEntry{{"40000", ".GIT", inner}} },
		"link with NUL": func(repo *gitservetest.Repo, _, _ string) []treeEntry {
			return []treeEntry{{"120000", "a", store(t, repo, "blob", "x\x00y")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := server.Repo(t, hex.EncodeToString([]byte(name)))
			blob := store(t, repo, "blob", "owned\n")
			inner := rawTree(t, repo, treeEntry{"100644", "passwd", blob})
			tree := rawTree(t, repo, build(repo, blob, inner)...)
			commit := store(t, repo, "commit", "tree "+tree+"\nauthor T <t@localhost> 1 +0000\ncommitter T <t@localhost> 1 +0000\n\nx\n")
			_, err := repo.Git(t.Context(), nil, nil, "update-ref", "refs/heads/main", commit)
			require.NoError(t, err)

			parent := t.TempDir()
			dir := filepath.Join(parent, "checkout")
			err = client.Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, dir, nil)
			requireEmpty(t, outside)
			entries, readErr := os.ReadDir(parent)
			require.NoError(t, readErr)
			require.Len(t, entries, 1, "only the checkout itself")
			requireFailure(t, err, deployment.ClassUser, "source.tree_invalid")
			requireEmpty(t, dir)
		})
	}
}

// TestATreeBombIsRefused fetches a handful of objects that stand for ten thousand files of 1 MB.
func TestATreeBombIsRefused(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	repo := server.Repo(t, "bomb")
	id, mode := store(t, repo, "blob", strings.Repeat("x", 1<<20)), "100644"
	for range 4 {
		var entries []treeEntry
		for i := range 10 {
			entries = append(entries, treeEntry{mode, fmt.Sprintf("f%d", i), id})
		}
		id, mode = rawTree(t, repo, entries...), "40000"
	}
	commit := store(t, repo, "commit", "tree "+id+"\nauthor T <t@localhost> 1 +0000\ncommitter T <t@localhost> 1 +0000\n\nx\n")
	_, err := repo.Git(t.Context(), nil, nil, "update-ref", "refs/heads/main", commit)
	require.NoError(t, err)
	dir := t.TempDir()
	client := limited(t, server.URL, 20<<20)
	requireFailure(t, client.Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, dir, nil), deployment.ClassUser, "source.too_large")
	requireEmpty(t, dir)
}
