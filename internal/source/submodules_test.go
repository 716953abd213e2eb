package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

// modules writes a .gitmodules of path and URL pairs.
func modules(pairs ...string) map[string]string {
	var text strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&text, "[submodule %q]\n\tpath = %s\n\turl = %s\n", pairs[i], pairs[i], pairs[i+1])
	}
	return map[string]string{".gitmodules": text.String()}
}

func TestSubmodulesAreCheckedOutAtTheirRecordedCommits(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{Auth: onlyWith("x-token-auth", goodToken)})
	inner, lib, app := server.Repo(t, "inner"), server.Repo(t, "lib"), server.Repo(t, "app")
	innerAt := gitservetest.Commit(t, inner, "main", map[string]string{"i": "1"})
	gitservetest.Commit(t, inner, "main", map[string]string{"i": "2"})
	libAt := gitservetest.Commit(t, lib, "main", modules("deep/inner", "../inner.git"), gitservetest.Submodule("deep/inner", innerAt))
	gitservetest.Commit(t, lib, "main", map[string]string{"late": "x"})
	files := modules("vendor/lib", "../lib.git", "again", lib.URL)
	files["a"] = "a"
	commit := gitservetest.Commit(t, app, "main", files, gitservetest.Submodule("vendor/lib", libAt), gitservetest.Submodule("again", libAt))

	client := newClient(t, server.URL)
	dir := t.TempDir()
	require.NoError(t, client.Fetch(t.Context(), withToken(t, client, app.URL, "", goodToken), commit, deployment.Ref{}, dir, nil))
	got := listing(t, dir)
	for _, path := range []string{"vendor/lib/deep/inner/i", "again/deep/inner/i"} {
		require.Equal(t, "-rw-r--r-- 1", got[path])
	}
	require.Equal(t, "-rw-r--r-- a", got["a"])
	require.NotContains(t, got, "vendor/lib/late")
}

func TestASubmoduleOnAnotherHostGetsNoCredential(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{Auth: onlyWith("x-token-auth", goodToken)})
	elsewhere := newListener(t, asksForCredentials)
	app := server.Repo(t, "app")
	commit := gitservetest.Commit(t, app, "main", modules("lib", elsewhere.URL+"/lib.git"), gitservetest.Submodule("lib", strings.Repeat("1", 40)))
	client := newClient(t, server.URL, elsewhere.URL)
	dir := t.TempDir()
	err := client.Fetch(t.Context(), withToken(t, client, app.URL, "", goodToken), commit, deployment.Ref{}, dir, nil)
	failure := requireFailure(t, err, deployment.ClassUser, "source.credential_not_sent")
	require.Contains(t, failure.Message, `submodule "lib"`)
	require.Contains(t, failure.Fix, "relative URL")
	require.Empty(t, elsewhere.credentials())
	requireEmpty(t, dir)
}

func TestSubmodulesBySSH(t *testing.T) {
	t.Parallel()
	git := gitservetest.New(t, gitserve.Options{})
	lib, app := git.Repo(t, "lib"), git.Repo(t, "app")
	libAt := gitservetest.Commit(t, lib, "main", map[string]string{"l": "1"})
	key, public := sshKey(t, "-t", "ed25519")
	server, other := newSSHD(t, "", nil, public), newSSHD(t, "", nil, public)
	commit := gitservetest.Commit(t, app, "main", modules("lib", "../lib.git"), gitservetest.Submodule("lib", libAt))
	gitservetest.Commit(t, app, "elsewhere", modules("lib", other.url(lib.Dir)), gitservetest.Submodule("lib", libAt))

	client := newSSHClient(t)
	repo := withKey(t, client, server.url(app.Dir), key, server.knownHosts("ed25519"))
	dir := t.TempDir()
	require.NoError(t, client.Fetch(t.Context(), repo, commit, deployment.Ref{}, dir, nil), server.log())
	require.Equal(t, "-rw-r--r-- 1", listing(t, dir)["lib/l"])

	repo.Credential.KnownHosts = server.knownHosts("ed25519") + "\n" + other.knownHosts("ed25519")
	client = newSSHClient(t, knowing(t, other.knownHosts("ed25519")))
	commit, _, err := client.Resolve(t.Context(), repo, deployment.Ref{Kind: deployment.RefBranch, Name: "elsewhere"})
	require.NoError(t, err)
	err = client.Fetch(t.Context(), repo, commit, deployment.Ref{}, t.TempDir(), nil)
	requireFailure(t, err, deployment.ClassUser, "source.credential_not_sent")
	require.NotContains(t, other.log(), "Accepted", "no key was shown to another server")
}

func TestSubmodulesThatAreRefused(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	client := newClient(t, server.URL)
	somewhere := strings.Repeat("1", 40)
	many := func() (pairs []string, links []gitservetest.Entry) {
		for i := range 101 {
			name := fmt.Sprint("m", i)
			pairs, links = append(pairs, name, "../app.git"), append(links, gitservetest.Submodule(name, somewhere))
		}
		return pairs, links
	}
	pairs, links := many()
	for name, test := range map[string]struct {
		files   map[string]string
		entries []gitservetest.Entry
		code    string
	}{
		"address": {modules("lib", "https://169.254.169.254/x"), []gitservetest.Entry{gitservetest.Submodule("lib", somewhere)}, "source.address_refused"},
		"scheme":  {modules("lib", "http://git.example.com/x"), []gitservetest.Entry{gitservetest.Submodule("lib", somewhere)}, "source.url_invalid"},
		"file":    {modules("lib", "file:///etc"), []gitservetest.Entry{gitservetest.Submodule("lib", somewhere)}, "source.url_invalid"},
		"gone":    {modules("lib", "../nowhere.git"), []gitservetest.Entry{gitservetest.Submodule("lib", somewhere)}, "source.repository_not_found"},
		"commit":  {modules("lib", "../commit.git"), []gitservetest.Entry{gitservetest.Submodule("lib", somewhere)}, "source.commit_not_found"},
		"many":    {modules(pairs...), links, "source.too_many_submodules"},
		"link":    {nil, []gitservetest.Entry{gitservetest.Symlink(".gitmodules", "/etc/passwd"), gitservetest.Submodule("lib", somewhere)}, "source.tree_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := server.Repo(t, name)
			commit := gitservetest.Commit(t, repo, "main", test.files, test.entries...)
			dir := t.TempDir()
			err := client.Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, dir, nil)
			requireFailure(t, err, deployment.ClassUser, test.code)
			requireEmpty(t, dir)
		})
	}
	t.Run("deep", func(t *testing.T) {
		t.Parallel()
		repo := server.Repo(t, "deep")
		commit := gitservetest.Commit(t, repo, "main", map[string]string{"bottom": "x"})
		for range 9 { // each commit holds the one before
			commit = gitservetest.Commit(t, repo, "main", modules("in", "../deep.git"), gitservetest.Submodule("in", commit))
		}
		err := client.Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, t.TempDir(), nil)
		requireFailure(t, err, deployment.ClassUser, "source.too_many_submodules")
	})
}

func TestALinkThatNobodyNamesStaysAnEmptyFolder(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	repo := server.Repo(t, "app")
	commit := gitservetest.Commit(t, repo, "main", map[string]string{"a": "a"}, gitservetest.Submodule("lib", strings.Repeat("1", 40)))
	dir := t.TempDir()
	var lines []string
	require.NoError(t, newClient(t, server.URL).Fetch(t.Context(), at(repo.URL), commit, deployment.Ref{}, dir, func(line string) { lines = append(lines, line) }))
	require.Equal(t, "drwxr-xr-x ", listing(t, dir)["lib"])
	require.Contains(t, strings.Join(lines, "\n"), "1 folders stand for other repositories")
	require.Contains(t, lines[0], "fetching commit "+commit[:12])
}

func TestSubmodulesShareTheLimits(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	lib, app := server.Repo(t, "lib"), server.Repo(t, "app")
	libAt := gitservetest.Commit(t, lib, "main", map[string]string{"zeros": strings.Repeat("\x00", 600<<10)})
	commit := gitservetest.Commit(t, app, "main", modules("a", "../lib.git", "b", "../lib.git"), gitservetest.Submodule("a", libAt), gitservetest.Submodule("b", libAt))
	dir := t.TempDir()
	err := limited(t, server.URL, 1<<20).Fetch(t.Context(), at(app.URL), commit, deployment.Ref{}, dir, nil)
	requireFailure(t, err, deployment.ClassUser, "source.too_large")
	requireEmpty(t, dir)
}
