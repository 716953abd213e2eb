package e2e_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

// Repositories that are made to harm the host end at once and clearly, and a deploy beside them does not notice.
func TestHostileRepositories(t *testing.T) {
	t.Parallel()
	serve, git := hostileServer(t)
	hostile := []struct {
		name, code, step string
		commit           func(repo *gitservetest.Repo)
	}{
		{"sparse", "source.too_large", "fetch", func(repo *gitservetest.Repo) {
			rawCommit(t, repo, rawTree(t, repo, "100644", gitservetest.Zeros(t, repo, gitservetest.TenGiB), 1))
		}},
		{"million", "source.too_many_files", "fetch", func(repo *gitservetest.Repo) {
			files := rawTree(t, repo, "100644", rawObject(t, repo, "blob", "x"), 1000)
			rawCommit(t, repo, rawTree(t, repo, "40000", files, 1000))
		}},
		{"circle", "source.too_many_submodules", "fetch", func(repo *gitservetest.Repo) {
			other := git.Repo(t, "circle-other")
			commit := gitservetest.Commit(t, repo, "main", map[string]string{"index.html": "x"})
			for i := range 10 {
				in, of := other, "circle"
				if i%2 == 1 {
					in, of = repo, "circle-other"
				}
				modules := fmt.Sprintf("[submodule \"in\"]\n\tpath = in\n\turl = ../%s.git\n", of)
				commit = gitservetest.Commit(t, in, "main", map[string]string{".gitmodules": modules}, gitservetest.Submodule("in", commit))
			}
		}},
		{"link", "plan.dockerfile_unreadable", "plan", func(repo *gitservetest.Repo) {
			gitservetest.Commit(t, repo, "main", nil, gitservetest.Symlink("Dockerfile", "/etc/passwd"), gitservetest.Symlink(".nixpacks", "/etc"))
		}},
		{"newline", "plan.unsafe_command", "plan", func(repo *gitservetest.Repo) {
			gitservetest.Commit(t, repo, "main", map[string]string{"nixpacks.toml": "[phases.build]\ncmds = [\"true\\nUSER root\"]\n[start]\ncmd = \"./x\"\n"},
				gitservetest.Symlink(".nixpacks", "/etc"))
		}},
	}
	for _, h := range hostile { // made before anything is measured
		h.commit(git.Repo(t, h.name))
	}
	begun := time.Now()
	ids := map[string]string{}
	for _, h := range hostile {
		ids[h.name] = deploy(t, createProject(t, "hostile-"+h.name, serve+"/"+h.name+".git", nil), nil)
	}
	beside := deploy(t, createProject(t, "hostile-beside", dev.repo("static"), nil), nil)
	for _, h := range hostile {
		d := waitEnd(t, ids[h.name], "failed")
		require.Equal(t, h.code, d.Failure.Code, explain(d))
		require.Equal(t, "user", string(d.Failure.Class))
		require.Equal(t, h.step, string(*d.Failure.Step))
		require.NotEmpty(t, d.Failure.Fix)
		for _, s := range stepsOf(t, ids[h.name]) {
			require.Equal(t, 1, s.Attempt, "it is not tried again")
		}
		t.Logf("%-8s %s: %s", h.name, d.Failure.Code, d.Failure.Message)
		requireNothingLeft(t, ids[h.name])
	}
	d := waitEnd(t, beside, "ready")
	status, _ := dev.get(t, d.PreviewURL)
	require.Equal(t, http.StatusOK, status)
	fetched := onDisk(t, filepath.Join(dev.data, "workspaces"))
	t.Logf("%.1f s, %d MB of disk, slipway-dev's peak of memory %d MB", time.Since(begun).Seconds(), fetched>>20, peak(t)>>20)
	require.Less(t, fetched, int64(1<<30), "with mirrors and what other tests fetch just now")
	require.Less(t, peak(t), uint64(2<<30), "of a program with the race detector, which takes several times what it would")
}

// hostileServer serves repositories from another address than the examples'.
func hostileServer(t *testing.T) (url string, git *gitservetest.Server) {
	t.Helper()
	git = gitservetest.New(t, gitserve.Options{})
	handler, err := gitserve.Handler(gitserve.Options{Root: git.Root})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.77.0.1:0")
	require.NoError(t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}} //nolint:gosec // serves this test alone
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, git
}

// rawTree stores a tree with so many names for one object.
func rawTree(t *testing.T, repo *gitservetest.Repo, mode, object string, names int) string {
	t.Helper()
	id, err := hex.DecodeString(object)
	require.NoError(t, err)
	var raw strings.Builder
	for i := range names {
		fmt.Fprintf(&raw, "%s %04d\x00%s", mode, i, id)
	}
	return rawObject(t, repo, "tree", raw.String())
}

func rawObject(t *testing.T, repo *gitservetest.Repo, kind, content string) string {
	t.Helper()
	id, err := repo.Git(t.Context(), strings.NewReader(content), nil, "hash-object", "-w", "-t", kind, "--stdin")
	require.NoError(t, err)
	return id
}

func rawCommit(t *testing.T, repo *gitservetest.Repo, tree string) {
	t.Helper()
	commit := rawObject(t, repo, "commit", "tree "+tree+"\nauthor T <t@localhost> 1 +0000\ncommitter T <t@localhost> 1 +0000\n\nx\n")
	_, err := repo.Git(t.Context(), nil, nil, "update-ref", "refs/heads/main", commit)
	require.NoError(t, err)
}

// onDisk is how much of the disk the files below a folder take, of which some may go meanwhile.
func onDisk(t *testing.T, dir string) (size int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				size += stat.Blocks * 512 //nolint:mnd // stat(2)
			}
		}
		return nil
	}))
	return size
}

// peak is the most memory that slipway-dev, its worker among it, has had.
func peak(t *testing.T) uint64 {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(dev.data, "slipway-dev.pid"))
	require.NoError(t, err)
	var n int
	_, err = fmt.Sscan(string(pid), &n)
	require.NoError(t, err)
	p, err := procfs.NewProc(n)
	require.NoError(t, err)
	s, err := p.NewStatus()
	require.NoError(t, err)
	return s.VmHWM
}
