package source_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

func TestFetchBringsExactlyTheCommit(t *testing.T) {
	t.Parallel()
	for kind, options := range serverKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			server := gitservetest.New(t, options)
			h := newHistory(t, server)
			client := newClient(t, server.URL)
			for name, test := range map[string]struct {
				commit string
				ref    deployment.Ref
				n      string
			}{
				"tip":                          {h.third, deployment.Ref{Kind: deployment.RefBranch, Name: "main"}, "3"},
				"tip, ref gone":                {h.third, deployment.Ref{Kind: deployment.RefBranch, Name: "gone"}, "3"},
				"annotated tag":                {h.second, deployment.Ref{Kind: deployment.RefTag, Name: "v2"}, "2"},
				"light tag":                    {h.other, deployment.Ref{Kind: deployment.RefTag, Name: "light"}, "other"},
				"old, by its branch":           {h.first, deployment.Ref{Kind: deployment.RefBranch, Name: "main"}, "1"},
				"old, by the default branch":   {h.first, deployment.Ref{}, "1"},
				"old, by its id":               {h.first, deployment.Ref{Kind: deployment.RefCommit, Name: h.first}, "1"},
				"old, the hint is another one": {h.first, deployment.Ref{Kind: deployment.RefBranch, Name: "feature/x"}, "1"},
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					dir := filepath.Join(t.TempDir(), "new", "checkout")
					require.NoError(t, client.Fetch(t.Context(), at(h.repo.URL), test.commit, test.ref, dir, nil))
					require.Equal(t, map[string]string{"n": "-rw-r--r-- " + test.n}, listing(t, dir))
					info, err := os.Stat(dir)
					require.NoError(t, err)
					require.Equal(t, time.Unix(1_700_000_000, 0).UTC(), info.ModTime().UTC())
				})
			}
		})
	}
}

func TestFetchFindsACommitDeepInTheHistory(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	repo := server.Repo(t, "app")
	first := gitservetest.Commit(t, repo, "main", map[string]string{"n": "0"})
	_, err := repo.Git(t.Context(), manyCommits(120), nil, "fast-import", "--quiet")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, newClient(t, server.URL).Fetch(t.Context(), at(repo.URL), first, deployment.Ref{Kind: deployment.RefBranch, Name: "main"}, dir, nil))
	require.Equal(t, map[string]string{"n": "-rw-r--r-- 0"}, listing(t, dir))
}

func manyCommits(n int) *strings.Reader {
	var stream strings.Builder
	for i := range n {
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter T <t@localhost> %d +0000\ndata 0\n", 1700000000+i)
		if i == 0 {
			stream.WriteString("from refs/heads/main^0\n")
		}
		fmt.Fprintf(&stream, "M 100644 inline n\ndata <<E\n%d\nE\n\n", i+1)
	}
	return strings.NewReader(stream.String())
}

func TestFetchKeepsBytesBitsAndLinks(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	repo := server.Repo(t, "app")
	binary := "\x00\xff\r\n\x1a"
	files := map[string]string{"crlf.txt": "a\r\nb\r\n", "bin": binary, "empty": "", "a/b/c/ü ber.txt": "deep\n", ".gitattributes": "* text=auto eol=crlf\n", "lf.txt": "a\nb\n"}
	commit := gitservetest.Commit(t, repo, "main", files,
		gitservetest.Executable("a/run.sh", "#!/bin/sh\n"), gitservetest.Symlink("abs", "/etc/passwd"), gitservetest.Symlink("a/up", "../../../outside"))
	dir := t.TempDir()
	require.NoError(t, newClient(t, server.URL).Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, dir, nil))
	want := map[string]string{
		"a": "drwxr-xr-x ", "a/b": "drwxr-xr-x ", "a/b/c": "drwxr-xr-x ",
		"a/run.sh": "-rwxr-xr-x #!/bin/sh\n", "abs": "link /etc/passwd", "a/up": "link ../../../outside",
	}
	for name, content := range files {
		want[name] = "-rw-r--r-- " + content
	}
	require.Equal(t, want, listing(t, dir))
}

func TestFetchOfACommitThatIsNotThere(t *testing.T) {
	t.Parallel()
	for kind, options := range serverKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			server := gitservetest.New(t, options)
			h := newHistory(t, server)
			client := newClient(t, server.URL)
			for _, commit := range []string{strings.Repeat("1", 40), h.first[:10]} {
				dir := t.TempDir()
				err := client.Fetch(t.Context(), at(h.repo.URL), commit, deployment.Ref{Kind: deployment.RefBranch, Name: "main"}, dir, nil)
				failure := requireFailure(t, err, deployment.ClassUser, "source.commit_not_found")
				require.Contains(t, failure.Message, "fetch commit ")
				requireEmpty(t, dir)
			}
		})
	}
}

func TestFetchRefusesAFolderThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, server)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	require.Error(t, newClient(t, server.URL).Fetch(t.Context(), at(h.repo.URL), h.third, deployment.Ref{}, dir, nil))
	require.FileExists(t, filepath.Join(dir, "mine"))
}

// noise returns bytes that do not compress.
func noise(n int) string {
	source := rand.NewChaCha8([32]byte{1})
	data := make([]byte, n)
	_, _ = source.Read(data)
	return string(data)
}

func TestFetchHasSizeLimits(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	zeros := strings.Repeat("\x00", 600<<10)
	many := map[string]string{}
	for i := range 4 {
		many[fmt.Sprint(i)] = zeros + fmt.Sprint(i)
	}
	for name, files := range map[string]map[string]string{
		"pack":     {"noise": noise(2 << 20)},
		"object":   {"zeros": strings.Repeat("\x00", 2<<20)},
		"checkout": many,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := server.Repo(t, name)
			commit := gitservetest.Commit(t, repo, "main", files)
			client := limited(t, server.URL, 1<<20)
			dir := t.TempDir()
			err := client.Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, dir, nil)
			requireFailure(t, err, deployment.ClassUser, "source.too_large")
			requireEmpty(t, dir)
		})
	}
}

func TestFetchStopsWhenItsContextDoes(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	repo := server.Repo(t, "app")
	commit := gitservetest.Commit(t, repo, "main", map[string]string{"noise": noise(8 << 20), "b": "b"})
	client := newClient(t, server.URL)
	stopped := errors.New("stopped by the test")

	t.Run("before the checkout", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		dir := t.TempDir()
		err := client.Fetch(ctx, at(repo.URL), commit, deployment.Ref{}, dir, func(line string) {
			if strings.HasPrefix(line, "received") {
				cancel(stopped)
			}
		})
		require.ErrorIs(t, err, stopped)
		requireEmpty(t, dir)
	})

	t.Run("while the pack arrives", func(t *testing.T) {
		t.Parallel()
		front, halfway := stalling(t, server, 1<<20)
		ctx, cancel := context.WithCancelCause(t.Context())
		dir := t.TempDir()
		client, ended := newClient(t, front.URL), make(chan error, 1)
		go func() {
			ended <- client.Fetch(ctx, at(front.URL+"/app.git"), commit, deployment.Ref{}, dir, nil)
		}()
		<-halfway
		cancel(stopped)
		select {
		case err := <-ended:
			require.ErrorIs(t, err, stopped)
		case <-time.After(time.Minute):
			require.Fail(t, "fetch goes on after its context has ended")
		}
		requireEmpty(t, dir)
	})
}

// stalling serves what server does, but stops for ever after that many bytes of a pack, and says so.
func stalling(t *testing.T, server *gitservetest.Server, after int) (front *httptest.Server, halfway <-chan struct{}) {
	t.Helper()
	handler, err := gitserve.Handler(gitserve.Options{Root: server.Root})
	require.NoError(t, err)
	reached := make(chan struct{})
	front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w = &stallingWriter{ResponseWriter: w, left: after, reached: reached, gone: r.Context().Done()}
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front, reached
}

type stallingWriter struct {
	http.ResponseWriter
	left    int
	reached chan struct{}
	gone    <-chan struct{}
}

func (w *stallingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		close(w.reached)
		<-w.gone
		return 0, errors.New("client is gone")
	}
	return w.ResponseWriter.Write(p)
}
