package source_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
)

// counted serves what a server does, and counts the bytes of packs that it sends.
type counted struct {
	*httptest.Server
	bytes  atomic.Int64
	closed atomic.Bool // nobody is let in any more
}

func newCounted(t *testing.T, o gitserve.Options) *counted {
	t.Helper()
	handler, err := gitserve.Handler(o)
	require.NoError(t, err)
	c := &counted{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.closed.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPost {
			w = &countingWriter{w, &c.bytes}
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p)))
	return w.ResponseWriter.Write(p)
}

// moved returns what was sent since it was asked last.
func (c *counted) moved() int64 { return c.bytes.Swap(0) }

// host is a build host with mirrors, in front of a server that counts.
type host struct {
	t       *testing.T
	root    string // of the server's repositories
	server  *counted
	mirrors *source.Mirrors
	dir     string // of the mirrors
	client  *source.Client
	lines   []string // of the last fetch
}

func newHost(t *testing.T, o gitserve.Options, maxBytes int64) *host {
	t.Helper()
	h := &host{t: t, root: t.TempDir(), dir: filepath.Join(t.TempDir(), "mirrors")}
	o.Root = h.root
	h.server = newCounted(t, o)
	h.mirrors = source.NewMirrors(h.dir, maxBytes)
	h.client = newClient(t, h.server.URL).WithMirrors(h.mirrors)
	return h
}

func (h *host) repo(name string) *gitservetest.Repo {
	h.t.Helper()
	repo, err := gitserve.Init(h.t.Context(), filepath.Join(h.root, name+".git"))
	require.NoError(h.t, err)
	return &gitservetest.Repo{Repository: repo, URL: h.server.URL + "/" + name + ".git"}
}

// try fetches a commit for a project and returns the checkout.
func (h *host) try(project string, repo *gitservetest.Repo, commit string) (map[string]string, error) {
	h.t.Helper()
	h.lines = nil
	dir := h.t.TempDir()
	err := h.client.Fetch(h.t.Context(), deployment.Repository{URL: repo.URL, ProjectID: project}, commit,
		deployment.Ref{Kind: deployment.RefBranch, Name: "main"}, dir, func(line string) { h.lines = append(h.lines, line) })
	if err != nil {
		requireEmpty(h.t, dir)
	}
	return listing(h.t, dir), err
}

func (h *host) fetch(project string, repo *gitservetest.Repo, commit string) map[string]string {
	h.t.Helper()
	files, err := h.try(project, repo, commit)
	require.NoError(h.t, err)
	return files
}

func (h *host) said(part string) {
	h.t.Helper()
	require.Contains(h.t, strings.Join(h.lines, "\n"), part)
}

func (h *host) projects() []string {
	h.t.Helper()
	projects, err := h.mirrors.Projects()
	require.NoError(h.t, err)
	return projects
}

// files lists the files of all mirrors that have a suffix.
func (h *host) files(suffix string) (found []string) {
	h.t.Helper()
	require.NoError(h.t, filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
		return err
	}))
	return found
}

const project, otherProject = "0198a0c2-0000-7000-8000-000000000001", "0198a0c2-0000-7000-8000-000000000002"

// large is a commit's files of which each takes about that many bytes in a pack.
func large(files, bytes int) map[string]string {
	all := noise(files * bytes)
	named := map[string]string{"n": "1"}
	for i := range files {
		named[fmt.Sprintf("folder%d/file%d", i%7, i)] = all[i*bytes : (i+1)*bytes]
	}
	return named
}

func TestASecondFetchMovesOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	for kind, options := range serverKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, options, 1<<30)
			repo := h.repo("app")
			files := large(100, 10<<10)
			first := gitservetest.Commit(t, repo, "main", files)
			one := h.fetch(project, repo, first)
			require.Greater(t, h.server.moved(), int64(1_000_000))
			h.said("received 1")

			second := gitservetest.Commit(t, repo, "main", map[string]string{"n": "2", "folder3/file3": files["folder3/file3"] + "!"})
			two := h.fetch(project, repo, second)
			require.Less(t, h.server.moved(), int64(3<<10), "a file of 10 kB moves as what is different in it")
			h.said("received 5 objects") // a commit, two folders and two files
			h.said("the others are in this host's mirror")
			one["n"], one["folder3/file3"] = "-rw-r--r-- 2", "-rw-r--r-- "+files["folder3/file3"]+"!"
			require.Equal(t, one, two)

			require.Equal(t, two, h.fetch(project, repo, second), "the same again")
			require.Zero(t, h.server.moved())
			h.said("received nothing")

			_, err := repo.Git(t.Context(), nil, nil, "update-ref", "refs/heads/main", first)
			require.NoError(t, err)
			forced := gitservetest.Commit(t, repo, "main", map[string]string{"n": "forced"})
			require.Equal(t, "-rw-r--r-- forced", h.fetch(project, repo, forced)["n"])
			require.Less(t, h.server.moved(), int64(3<<10), "after a force-push")

			other := gitservetest.Commit(t, repo, "an/orphan", map[string]string{"folder3/file3": files["folder3/file3"]})
			require.Len(t, h.fetch(project, repo, other), 2)
			require.Less(t, h.server.moved(), int64(3<<10), "of a branch without common history")
		})
	}
}

func TestSubmodulesHaveMirrorsOfTheirOwn(t *testing.T) {
	t.Parallel()
	h := newHost(t, gitserve.Options{}, 1<<30)
	lib, app := h.repo("lib"), h.repo("app")
	libAt := gitservetest.Commit(t, lib, "main", large(50, 10<<10))
	h.fetch(project, app, gitservetest.Commit(t, app, "main", modules("lib", "../lib.git"), gitservetest.Submodule("lib", libAt)))
	require.Greater(t, h.server.moved(), int64(500_000))
	libAt = gitservetest.Commit(t, lib, "main", map[string]string{"n": "2"})
	got := h.fetch(project, app, gitservetest.Commit(t, app, "main", nil, gitservetest.Submodule("lib", libAt)))
	require.Less(t, h.server.moved(), int64(3<<10))
	require.Equal(t, "-rw-r--r-- 2", got["lib/n"])
	require.Contains(t, got, "lib/folder6/file6")
	require.Len(t, h.files(".pack"), 4, "two of each")
}

func TestObjectsOfGitLFSComeBesideAMirror(t *testing.T) {
	t.Parallel()
	lfs := newLFSHost(t, onlyWith("x-token-auth", goodToken))
	content := noise(20 << 10)
	lfs.put(content)
	app := lfs.Repo(t, "app")
	commit := gitservetest.Commit(t, app, "main", map[string]string{".gitattributes": lfsAttributes, "a.bin": pointerTo(content)})
	client := newClient(t, lfs.url, lfs.storage.URL).WithMirrors(source.NewMirrors(t.TempDir(), 1<<30))
	repo := withToken(t, client, lfs.url+"/app.git", "", goodToken)
	repo.ProjectID = project
	for range 2 {
		dir := t.TempDir()
		require.NoError(t, client.Fetch(t.Context(), repo, commit, deployment.Ref{}, dir, nil))
		require.Equal(t, "-rw-r--r-- "+content, listing(t, dir)["a.bin"])
	}
}

func TestMirrorsWorkOverSSH(t *testing.T) {
	t.Parallel()
	h := newHost(t, gitserve.Options{}, 1<<30)
	repo := h.repo("app")
	_, machine := newKey(t)
	key, user := newKey(t)
	addr := sshServer(t, h.root, machine, user.PublicKey())
	client, err := source.New(source.Options{AllowNets: loopback, SSHAgent: sshAgent(t, key), KnownHosts: []string{knownHostsFile(t, addr, machine.PublicKey())}})
	require.NoError(t, err)
	h.client, repo.URL = client.WithMirrors(h.mirrors), "ssh://git@"+addr+"/app.git"
	h.fetch(project, repo, gitservetest.Commit(t, repo, "main", large(50, 10<<10)))
	commit := gitservetest.Commit(t, repo, "main", map[string]string{"n": "2"})
	got := h.fetch(project, repo, commit)
	h.said("received 3 objects, 0.")
	require.Equal(t, "-rw-r--r-- 2", got["n"])
	require.Equal(t, got, h.fetch(project, repo, commit))
	h.said("received nothing")
}

func TestManyFetchesOneAfterAnother(t *testing.T) {
	t.Parallel()
	h := newHost(t, gitserve.Options{}, 1<<30)
	repo := h.repo("app")
	gitservetest.Commit(t, repo, "main", large(20, 1<<10))
	_, err := repo.Git(t.Context(), manyCommits(60), nil, "fast-import", "--quiet")
	require.NoError(t, err)
	list, err := repo.Git(t.Context(), nil, nil, "rev-list", "--reverse", "main")
	require.NoError(t, err)
	commits := strings.Fields(list)[1:]
	var refs strings.Builder
	for i, commit := range commits {
		fmt.Fprintf(&refs, "create refs/heads/b%d %s\n", i, commit)
	}
	_, err = repo.Git(t.Context(), strings.NewReader(refs.String()), nil, "update-ref", "--stdin")
	require.NoError(t, err)
	for i, commit := range commits {
		require.Equal(t, fmt.Sprintf("-rw-r--r-- %d\n", i+1), h.fetch(project, repo, commit)["n"])
		if i == 50 {
			h.said("has grown much and is made anew")
		}
		require.Len(t, h.files(".pack"), i%50+1)
	}
	require.Len(t, h.files(".idx"), 10)
}

func TestProjectsShareNoMirror(t *testing.T) {
	t.Parallel()
	for kind, options := range serverKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, options, 1<<30)
			repo := h.repo("app")
			commit := gitservetest.Commit(t, repo, "main", large(100, 10<<10))
			h.fetch(project, repo, commit)
			h.server.moved()
			h.fetch(otherProject, repo, commit)
			require.Greater(t, h.server.moved(), int64(1_000_000), "of the same repository")
			h.fetch("", repo, commit)
			require.Greater(t, h.server.moved(), int64(1_000_000), "for no project")
			require.ElementsMatch(t, []string{project, otherProject}, h.projects())

			moved := h.repo("moved")
			gitservetest.Commit(t, moved, "main", map[string]string{"n": "another"})
			_, err := h.try(project, moved, commit)
			requireFailure(t, err, deployment.ClassUser, "source.commit_not_found")
		})
	}
}

// TestTheServerDecidesWhatAFetchMayHave asks for commits that the mirror has and the server hands out no more.
func TestTheServerDecidesWhatAFetchMayHave(t *testing.T) {
	t.Parallel()
	h := newHost(t, gitserve.Options{}, 1<<30)
	repo := h.repo("app")
	first := gitservetest.Commit(t, repo, "main", map[string]string{"n": "1"})
	second := gitservetest.Commit(t, repo, "main", map[string]string{"n": "2"})
	require.NotEmpty(t, h.fetch(project, repo, second))
	require.NotEmpty(t, h.fetch(project, repo, first), "of the branch's history")
	_, err := repo.Git(t.Context(), nil, nil, "update-ref", "refs/heads/main", first)
	require.NoError(t, err)
	_, err = h.try(project, repo, second)
	requireFailure(t, err, deployment.ClassUser, "source.commit_not_found")

	h.server.closed.Store(true)
	_, err = h.try(project, repo, first)
	requireFailure(t, err, deployment.ClassUser, "source.auth_required")
}

func TestADamagedMirrorIsMadeAnew(t *testing.T) {
	t.Parallel()
	flip := func(t *testing.T, path string) {
		t.Helper()
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		for i := 100; i < len(content); i += 1000 {
			content[i] ^= 0xff
		}
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	for name, damage := range map[string]func(t *testing.T, h *host){
		"a pack that rots":    func(t *testing.T, h *host) { t.Helper(); flip(t, h.files(".pack")[0]) },
		"an index that rots":  func(t *testing.T, h *host) { t.Helper(); flip(t, h.files(".idx")[0]) },
		"a pack cut short":    func(t *testing.T, h *host) { t.Helper(); require.NoError(t, os.Truncate(h.files(".pack")[0], 5000)) },
		"a pack that is gone": func(t *testing.T, h *host) { t.Helper(); require.NoError(t, os.Remove(h.files(".pack")[0])) },
		"an empty list": func(t *testing.T, h *host) {
			t.Helper()
			require.NoError(t, os.Truncate(h.files("list.json")[0], 0))
		},
	} {
		for _, next := range []string{"the same commit", "another commit"} {
			t.Run(name+", "+next, func(t *testing.T) {
				t.Parallel()
				h := newHost(t, gitserve.Options{}, 1<<30)
				repo := h.repo("app")
				commit := gitservetest.Commit(t, repo, "main", large(20, 10<<10))
				want := h.fetch(project, repo, commit)
				damage(t, h)
				if next == "another commit" {
					commit = gitservetest.Commit(t, repo, "main", map[string]string{"n": "2"})
					want["n"] = "-rw-r--r-- 2"
				}
				require.Equal(t, want, h.fetch(project, repo, commit))
				h.said("this host's mirror of the repository is thrown away and made anew")
				h.server.moved()
				require.Equal(t, want, h.fetch(project, repo, commit))
				require.Zero(t, h.server.moved())
				require.Len(t, h.files(".pack"), 1)
			})
		}
	}
}

func TestTheLeastRecentlyUsedMirrorsGo(t *testing.T) {
	t.Parallel()
	h := newHost(t, gitserve.Options{}, 250<<10)
	var commits []string
	repos := []*gitservetest.Repo{h.repo("a"), h.repo("b"), h.repo("c"), h.repo("d")}
	sizes := []int{10, 10, 10, 30}
	for i, repo := range repos {
		commits = append(commits, gitservetest.Commit(t, repo, "main", large(sizes[i], 10<<10)))
	}
	fetch := func(i int) int64 {
		h.fetch(project, repos[i], commits[i])
		return h.server.moved()
	}
	require.NotZero(t, fetch(0))
	require.NotZero(t, fetch(1))
	require.Zero(t, fetch(0), "so the second is the least recently used")
	require.NotZero(t, fetch(2))
	require.Zero(t, fetch(0))
	require.Zero(t, fetch(2))
	require.NotZero(t, fetch(1))
	require.Len(t, h.files(".pack"), 2)

	require.NotZero(t, fetch(3))
	require.NotZero(t, fetch(3), "one that is larger than the bound is not kept")
	require.Empty(t, h.files(".pack"))
}

func TestARemovedProjectLeavesNoMirror(t *testing.T) {
	t.Parallel()
	h := newHost(t, gitserve.Options{}, 1<<30)
	require.Empty(t, h.projects())
	require.NoError(t, h.mirrors.Remove(project), "there is none")
	repo := h.repo("app")
	commit := gitservetest.Commit(t, repo, "main", map[string]string{"n": "1"})
	h.fetch(project, repo, commit)
	h.fetch(otherProject, repo, commit)
	require.NoError(t, h.mirrors.Remove(project))
	require.Equal(t, []string{otherProject}, h.projects())
	require.NoError(t, h.mirrors.RemoveAll())
	require.Empty(t, h.projects())
	h.server.moved()
	h.fetch(otherProject, repo, commit)
	require.NotZero(t, h.server.moved())
}

func TestManyFetchesAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, gitserve.Options{}, 300<<10) // so that mirrors go while others are read
	repo, second := h.repo("app"), h.repo("second")
	var all sync.WaitGroup
	for i := range 6 {
		commit := gitservetest.Commit(t, repo, fmt.Sprintf("b%d", i), large(10, 10<<10), gitservetest.Executable("own", fmt.Sprint(i)))
		also := gitservetest.Commit(t, second, fmt.Sprintf("b%d", i), large(15, 10<<10))
		// Another process has its own Mirrors and Client.
		client := newClient(t, h.server.URL).WithMirrors(source.NewMirrors(h.dir, 300<<10))
		all.Go(func() {
			for range 4 {
				dir := t.TempDir()
				if assertFetch(t, client, repo.URL, commit, dir) {
					own, err := os.ReadFile(filepath.Join(dir, "own"))
					if err != nil || string(own) != fmt.Sprint(i) {
						t.Errorf("checkout of %d holds %q: %v", i, own, err)
					}
				}
				assertFetch(t, client, second.URL, also, t.TempDir())
			}
		})
	}
	all.Wait()
	require.Empty(t, h.files(".new"))
	left, err := filepath.Glob(filepath.Join(h.dir, ".incoming-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func assertFetch(t *testing.T, client *source.Client, url, commit, dir string) bool {
	t.Helper()
	err := client.Fetch(t.Context(), deployment.Repository{URL: url, ProjectID: project}, commit, deployment.Ref{}, dir, nil)
	if err != nil {
		t.Errorf("fetch: %v", err)
	}
	return err == nil
}

// The test binary fetches and stays where a test says so in these.
const (
	killedURL    = "SOURCE_TEST_URL"
	killedCommit = "SOURCE_TEST_COMMIT"
	killedDir    = "SOURCE_TEST_DIR"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(killedURL); url != "" {
		fetchToBeKilled(url, os.Getenv(killedCommit), os.Getenv(killedDir))
	}
	os.Exit(m.Run())
}

func fetchToBeKilled(url, commit, dir string) {
	client, err := source.New(source.Options{TrustedOrigins: []string{strings.TrimSuffix(url, "/app.git")}})
	if err != nil {
		panic(err)
	}
	client = client.WithMirrors(source.NewMirrors(filepath.Join(dir, "mirrors"), 1<<30))
	err = client.Fetch(context.Background(), deployment.Repository{URL: url, ProjectID: project}, commit, deployment.Ref{}, filepath.Join(dir, "checkout"), func(line string) {
		_, _ = io.WriteString(os.Stdout, line+"\n")
	})
	panic(err)
}

// TestAKilledFetchLeavesAUsableMirror kills a process while a pack arrives, at first into no mirror, then into one.
func TestAKilledFetchLeavesAUsableMirror(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := newHost(t, gitserve.Options{}, 1<<30)
	h.dir = filepath.Join(dir, "mirrors")
	h.mirrors = source.NewMirrors(h.dir, 1<<30)
	h.client = newClient(t, h.server.URL).WithMirrors(h.mirrors)
	repo := h.repo("app")
	for i := range 2 {
		commit := gitservetest.Commit(t, repo, "main", large(50, 10<<10+i))
		front, halfway := stalling(t, &gitservetest.Server{Root: h.root}, 100<<10)
		kill(t, front.URL+"/app.git", commit, dir, halfway)
		incoming, err := filepath.Glob(filepath.Join(h.dir, ".incoming-*"))
		require.NoError(t, err)
		require.Len(t, incoming, 1)

		long := time.Now().Add(-2 * time.Hour)
		require.NoError(t, os.Chtimes(incoming[0], long, long))
		require.Len(t, h.fetch(project, repo, commit), 50+7+1)
		require.NoFileExists(t, incoming[0], "nobody writes to it any more")
		h.server.moved()
		h.fetch(project, repo, commit)
		require.Zero(t, h.server.moved())
	}
}

func kill(t *testing.T, url, commit, dir string, when <-chan struct{}) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), killedURL+"="+url, killedCommit+"="+commit, killedDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, said, "fetching commit")
	<-when
	require.Eventually(t, func() bool { // what was sent may lie in the connection yet
		left, err := filepath.Glob(filepath.Join(dir, "mirrors", ".incoming-*"))
		return err == nil && len(left) > 0
	}, time.Minute, time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "checkout")))
}
