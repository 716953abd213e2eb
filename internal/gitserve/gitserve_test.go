package gitserve_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

func clone(t *testing.T, url string) (dir, output string, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "clone")
	cmd := exec.CommandContext(t.Context(), "git", "clone", "--quiet", url, dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0"}
	out, err := cmd.CombinedOutput()
	return dir, string(out), err
}

func TestHandlerServesAClone(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	repo := server.Repo(t, "app")
	gitservetest.Commit(t, repo, "main", map[string]string{"a.txt": "hello\n"}, gitservetest.Executable("run", "#!/bin/sh\n"))

	dir, out, err := clone(t, repo.URL)
	require.NoError(t, err, out)
	content, err := os.ReadFile(filepath.Join(dir, "a.txt"))
	require.NoError(t, err)
	require.Equal(t, "hello\n", string(content))
	info, err := os.Stat(filepath.Join(dir, "run"))
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100)
}

func TestHandlerIsReadOnly(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	repo := server.Repo(t, "app")
	gitservetest.Commit(t, repo, "main", map[string]string{"a.txt": "hello\n"})

	for _, request := range []struct{ method, path string }{
		{http.MethodGet, "/app.git/info/refs?service=git-receive-pack"},
		{http.MethodPost, "/app.git/git-receive-pack"},
		{http.MethodGet, "/app.git/info/refs"},
		{http.MethodGet, "/app.git/HEAD"},
		{http.MethodGet, "/app.git/config"},
		{http.MethodGet, "/../app.git/info/refs?service=git-upload-pack"},
		{http.MethodGet, "/other.git/info/refs?service=git-upload-pack"},
		{http.MethodPut, "/app.git/git-upload-pack"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), request.method, server.URL+request.path, strings.NewReader(""))
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNotFound, resp.StatusCode, "%s %s", request.method, request.path)
	}
}

func TestHandlerAsksForCredentials(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{Auth: func(user, pass string) bool { return user == "u" && pass == "p" }})
	repo := server.Repo(t, "app")
	gitservetest.Commit(t, repo, "main", map[string]string{"a.txt": "hello\n"})

	_, _, err := clone(t, repo.URL)
	require.Error(t, err)
	_, out, err := clone(t, strings.Replace(repo.URL, "http://", "http://u:p@", 1))
	require.NoError(t, err, out)
}

func tip(t *testing.T, root, name string) string {
	t.Helper()
	repo := gitserve.Repository{Dir: filepath.Join(root, name+".git")}
	out, err := repo.Git(t.Context(), nil, nil, "rev-parse", "refs/heads/main")
	require.NoError(t, err)
	return out
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
}

func TestSyncIsDeterministicAndIdempotent(t *testing.T) {
	t.Parallel()
	source := t.TempDir()
	write(t, filepath.Join(source, "node", "index.js"), "console.log(1)\r\n", 0o644)
	write(t, filepath.Join(source, "node", "run.sh"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(source, "node", ".gitignore"), "node_modules\n", 0o644)
	write(t, filepath.Join(source, "node", "node_modules", "x.js"), "x", 0o644)
	write(t, filepath.Join(source, "README.md"), "not a folder", 0o644)
	rootA, rootB := filepath.Join(t.TempDir(), "deep", "root"), t.TempDir()

	require.NoError(t, gitserve.Sync(t.Context(), source, rootA))
	require.NoError(t, gitserve.Sync(t.Context(), source, rootB))
	first := tip(t, rootA, "node")
	require.Equal(t, first, tip(t, rootB, "node"), "the same content is the same commit")

	require.NoError(t, gitserve.Sync(t.Context(), source, rootA))
	require.Equal(t, first, tip(t, rootA, "node"))

	repo := gitserve.Repository{Dir: filepath.Join(rootA, "node.git")}
	files, err := repo.Git(t.Context(), nil, nil, "ls-tree", "-r", "--format=%(objectmode) %(path)", "refs/heads/main")
	require.NoError(t, err)
	require.Equal(t, "100644 .gitignore\n100644 index.js\n100755 run.sh", files)
	_, err = os.Stat(filepath.Join(rootA, "README.md.git"))
	require.ErrorIs(t, err, os.ErrNotExist)

	require.NoError(t, os.Remove(filepath.Join(source, "node", "run.sh")))
	require.NoError(t, gitserve.Sync(t.Context(), source, rootA))
	second := tip(t, rootA, "node")
	require.NotEqual(t, first, second)
	parent, err := repo.Git(t.Context(), nil, nil, "rev-parse", second+"^")
	require.NoError(t, err)
	require.Equal(t, first, parent, "a change is a further commit on top")
}
