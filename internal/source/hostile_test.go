package source_test

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
)

// commitOf makes a commit of a tree that only plumbing can make.
func commitOf(t *testing.T, repo *gitservetest.Repo, tree string) string {
	t.Helper()
	commit := store(t, repo, "commit", "tree "+tree+"\nauthor T <t@localhost> 1 +0000\ncommitter T <t@localhost> 1 +0000\n\nx\n")
	_, err := repo.Git(t.Context(), nil, nil, "update-ref", "refs/heads/main", commit)
	require.NoError(t, err)
	return commit
}

// requireRefused fetches with everyone's limits onto a disk of 64 MiB and 50 inodes, within 30 seconds and 200 MiB of memory.
func requireRefused(t *testing.T, server *gitservetest.Server, repo *gitservetest.Repo, commit, code string) *deployment.Failure {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m,nr_inodes=50"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	err := newClient(t, server.URL).Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, dir, nil)
	took := time.Since(begun)
	runtime.ReadMemStats(&after)
	failure := requireFailure(t, err, deployment.ClassUser, code)
	t.Logf("%s: %s, in %.1f s", failure.Code, failure.Message, took.Seconds())
	require.Less(t, took, 30*time.Second)
	require.Less(t, after.Sys-min(before.Sys, after.Sys), uint64(200<<20))
	requireEmpty(t, dir)
	return failure
}

// Not parallel: what they take is measured.
func TestHostileRepositoriesAreRefusedWithinBounds(t *testing.T) {
	server := gitservetest.New(t, gitserve.Options{})
	t.Run("a file of 10 GiB", func(t *testing.T) {
		repo := server.Repo(t, "sparse")
		tree := rawTree(t, repo, treeEntry{"100644", "sparse.img", gitservetest.Zeros(t, repo, gitservetest.TenGiB)})
		failure := requireRefused(t, server, repo, commitOf(t, repo, tree), "source.too_large")
		require.Contains(t, failure.Message, "a file of more than 256 MB")
	})
	t.Run("a million files", func(t *testing.T) {
		repo := server.Repo(t, "many")
		id, mode := store(t, repo, "blob", "x"), "100644"
		for range 2 {
			var entries []treeEntry
			for i := range 1000 {
				entries = append(entries, treeEntry{mode, fmt.Sprintf("%03d", i), id})
			}
			id, mode = rawTree(t, repo, entries...), "40000"
		}
		failure := requireRefused(t, server, repo, commitOf(t, repo, id), "source.too_many_files")
		require.Contains(t, failure.Message, "more than 300000 files")
		require.Contains(t, failure.Fix, "SLIPWAY_GIT_MAX_FILES")
	})
	t.Run("submodules in a circle", func(t *testing.T) {
		a, b := server.Repo(t, "a"), server.Repo(t, "b")
		commit := gitservetest.Commit(t, a, "main", map[string]string{"n": "0"})
		for i := range 10 { // a commit cannot name itself, so a circle is one of names: a in b in a
			repo, other := b, "../a.git"
			if i%2 == 1 {
				repo, other = a, "../b.git"
			}
			commit = gitservetest.Commit(t, repo, "main", modules("in", other), gitservetest.Submodule("in", commit))
		}
		failure := requireRefused(t, server, a, commit, "source.too_many_submodules")
		require.Contains(t, failure.Message, "nested deeper than 8")
	})
}

// Each object is small enough, and so is what is received: together they are not.
func TestAPackThatInflatesWithoutEndIsRefused(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	repo := server.Repo(t, "bomb")
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprint(i)] = strings.Repeat(fmt.Sprintf("%03d\n", i), 1<<16-1)
	}
	commit := gitservetest.Commit(t, repo, "main", files)
	dir := t.TempDir()
	err := limited(t, server.URL, 1<<18).Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, dir, nil)
	require.Contains(t, requireFailure(t, err, deployment.ClassUser, "source.too_large").Message, "larger than 8 MB when they are unpacked")
	requireEmpty(t, dir)
}

// The files of a repository and those of its submodules share one bound.
func TestFilesAreCounted(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	lib, app := server.Repo(t, "lib"), server.Repo(t, "app")
	libAt := gitservetest.Commit(t, lib, "main", map[string]string{"d/a": "", "d/b": ""})
	commit := gitservetest.Commit(t, app, "main", modules("lib", "../lib.git"), gitservetest.Submodule("lib", libAt), gitservetest.Symlink("link", "lib"))
	for most, fits := range map[int]bool{6: true, 5: false, 2: false} { // .gitmodules, link, lib; d, d/a, d/b
		client, err := source.New(source.Options{TrustedOrigins: []string{server.URL}, MaxFiles: most})
		require.NoError(t, err)
		dir := t.TempDir()
		err = client.Fetch(t.Context(), at(app.URL), commit, deployment.Ref{}, dir, nil)
		if fits {
			require.NoError(t, err)
			continue
		}
		requireFailure(t, err, deployment.ClassUser, "source.too_many_files")
		requireEmpty(t, dir)
	}
}
