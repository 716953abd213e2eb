package source_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
)

const lfsAttributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"

func oidOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func pointerTo(content string) string {
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oidOf(content), len(content))
}

// lfsHost serves repositories and, beside them, the batch API; the objects themselves come from a host of their own.
type lfsHost struct {
	*gitservetest.Server // for its repositories
	url                  string
	storage              *listener
	storageToken         string
	auth                 func(user, token string) bool

	mu      sync.Mutex
	objects map[string]string // OID → content
	asked   []string          // paths of batches
	fetched int
	status  int // of batches, when set
	wrap    func(http.ResponseWriter, *http.Request, http.HandlerFunc)
}

func newLFSHost(t *testing.T, auth func(user, token string) bool) *lfsHost {
	t.Helper()
	l := &lfsHost{objects: map[string]string{}, auth: auth, storageToken: "Bearer storage-token", Server: gitservetest.New(t, gitserve.Options{})}
	l.storage = newListener(t, func(w http.ResponseWriter, r *http.Request) {
		if l.wrap != nil {
			l.wrap(w, r, l.object)
			return
		}
		l.object(w, r)
	})
	git, err := gitserve.Handler(gitserve.Options{Root: l.Root, Auth: auth})
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/objects/batch") {
			l.batch(w, r)
			return
		}
		git.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

func (l *lfsHost) batch(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, r.URL.Path)
	user, token, _ := r.BasicAuth()
	if l.auth != nil && !l.auth(user, token) && r.Header.Get("Authorization") != "RemoteAuth by-ssh" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if l.status != 0 {
		w.WriteHeader(l.status)
		return
	}
	var question struct {
		Operation string
		Objects   []struct {
			OID  string
			Size int64
		}
	}
	if json.NewDecoder(r.Body).Decode(&question) != nil || question.Operation != "download" || r.Header.Get("Accept") != "application/vnd.git-lfs+json" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	var answers []map[string]any
	for _, o := range question.Objects {
		answer := map[string]any{"oid": o.OID, "size": o.Size}
		if _, ok := l.objects[o.OID]; ok {
			answer["actions"] = map[string]any{"download": map[string]any{
				"href": l.storage.URL + "/" + o.OID, "header": map[string]string{"Authorization": l.storageToken},
			}}
		} else {
			answer["error"] = map[string]any{"code": 404, "message": "Object does not exist"}
		}
		answers = append(answers, answer)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"transfer": "basic", "objects": answers})
}

func (l *lfsHost) object(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	content, ok := l.objects[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok || r.Header.Get("Authorization") != l.storageToken {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	l.fetched++
	_, _ = w.Write([]byte(content))
}

func (l *lfsHost) put(contents ...string) {
	for _, content := range contents {
		l.objects[oidOf(content)] = content
	}
}

func TestLFSObjectsTakeThePlaceOfTheirPointers(t *testing.T) {
	t.Parallel()
	host := newLFSHost(t, onlyWith("x-token-auth", goodToken))
	small, big := "small", noise(200<<10)
	host.put(small, big)
	lib, app := host.Repo(t, "lib"), host.Repo(t, "app")
	libAt := gitservetest.Commit(t, lib, "main", map[string]string{".gitattributes": lfsAttributes, "l.bin": pointerTo(small)})
	files := modules("lib", "../lib.git")
	files["assets/.gitattributes"], files["assets/a.bin"], files["assets/b.bin"] = lfsAttributes, pointerTo(big), pointerTo(big)
	files["not-a-pointer"] = strings.Replace(pointerTo(small), "sha256", "sha1", 1)
	commit := gitservetest.Commit(t, app, "main", files, gitservetest.Submodule("lib", libAt), gitservetest.Executable("tool.bin", pointerTo(small)))
	client := newClient(t, host.url, host.storage.URL)
	dir := t.TempDir()
	var lines []string
	repo := withToken(t, client, host.url+"/app.git", "", goodToken)
	require.NoError(t, client.Fetch(t.Context(), repo, commit, deployment.Ref{}, dir, func(line string) { lines = append(lines, line) }))
	got := listing(t, dir)
	require.Equal(t, "-rw-r--r-- "+big, got["assets/a.bin"])
	require.Equal(t, got["assets/a.bin"], got["assets/b.bin"])
	require.Equal(t, "-rwxr-xr-x "+small, got["tool.bin"])
	require.Equal(t, "-rw-r--r-- "+small, got["lib/l.bin"])
	require.Contains(t, got["not-a-pointer"], "sha1")
	require.Equal(t, []string{"/app.git/info/lfs/objects/batch", "/lib.git/info/lfs/objects/batch"}, host.asked)
	require.Equal(t, 3, host.fetched, "an object that two files have is fetched once")
	require.Contains(t, strings.Join(lines, "\n"), "fetching 2 Git LFS objects")
	for _, sent := range host.storage.credentials() {
		require.Equal(t, host.storageToken, sent, "the token stays with its host")
	}
}

func TestPointersStayWhereNobodyUsesLFS(t *testing.T) {
	t.Parallel()
	host := newLFSHost(t, nil)
	commit := gitservetest.Commit(t, host.Repo(t, "app"), "main", map[string]string{"a.bin": pointerTo("x"), ".gitattributes": "* text=auto\n"})
	dir := t.TempDir()
	require.NoError(t, newClient(t, host.url).Fetch(t.Context(), at(host.url+"/app.git"), commit, deployment.Ref{}, dir, nil))
	require.Equal(t, "-rw-r--r-- "+pointerTo("x"), listing(t, dir)["a.bin"])
	require.Empty(t, host.asked)
}

func TestLFSFailures(t *testing.T) {
	t.Parallel()
	content := "the content"
	redirected := newListener(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for name, test := range map[string]struct {
		prepare func(*lfsHost)
		token   string
		class   deployment.Class
		code    string
	}{
		"missing":     {func(*lfsHost) {}, goodToken, deployment.ClassUser, "source.lfs_object_missing"},
		"wrong token": {func(l *lfsHost) { l.auth = onlyWith("x-token-auth", "another") }, goodToken, deployment.ClassUser, "source.credential_refused"},
		"no LFS":      {func(l *lfsHost) { l.status = 404 }, goodToken, deployment.ClassUser, "source.lfs_unavailable"},
		"away":        {func(l *lfsHost) { l.status = 503 }, goodToken, deployment.ClassTransient, "source.unreachable"},
		"gone from storage": {func(l *lfsHost) {
			l.put(content)
			l.wrap = func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) { w.WriteHeader(404) }
		}, goodToken, deployment.ClassUser, "source.lfs_object_missing"},
		"other content": {func(l *lfsHost) { l.objects[oidOf(content)] = "another one" }, goodToken, deployment.ClassUser, "source.lfs_object_corrupt"},
		"longer":        {func(l *lfsHost) { l.objects[oidOf(content)] = content + "!" }, goodToken, deployment.ClassUser, "source.lfs_object_corrupt"},
		"shorter":       {func(l *lfsHost) { l.objects[oidOf(content)] = "the" }, goodToken, deployment.ClassTransient, "source.unreachable"},
		"redirect to a host that asks": {func(l *lfsHost) {
			l.put(content)
			l.wrap = func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
				http.Redirect(w, r, redirected.URL, http.StatusFound)
			}
		}, goodToken, deployment.ClassTransient, "source.unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newLFSHost(t, onlyWith("x-token-auth", goodToken))
			commit := gitservetest.Commit(t, host.Repo(t, "app"), "main", map[string]string{".gitattributes": lfsAttributes, "a.bin": pointerTo(content)})
			test.prepare(host)
			client := newClient(t, host.url, host.storage.URL, redirected.URL)
			dir := t.TempDir()
			err := client.Fetch(t.Context(), withToken(t, client, host.url+"/app.git", "", test.token), commit, deployment.Ref{}, dir, nil)
			requireFailure(t, err, test.class, test.code)
			require.NotContains(t, err.Error(), goodToken)
			requireEmpty(t, dir)
			require.Empty(t, redirected.credentials())
		})
	}
}

func TestLFSIsBoundedAndGuarded(t *testing.T) {
	t.Parallel()
	content := noise(2 << 20)
	host := newLFSHost(t, nil)
	host.put(content)
	commit := gitservetest.Commit(t, host.Repo(t, "app"), "main", map[string]string{".gitattributes": lfsAttributes, "a.bin": pointerTo(content)})
	err := limited(t, host.url, 1<<20).Fetch(t.Context(), at(host.url+"/app.git"), commit, deployment.Ref{}, t.TempDir(), nil)
	requireFailure(t, err, deployment.ClassUser, "source.too_large")
	require.Empty(t, host.asked)

	err = newClient(t, host.url).Fetch(t.Context(), at(host.url+"/app.git"), commit, deployment.Ref{}, t.TempDir(), nil)
	requireFailure(t, err, deployment.ClassUser, "source.lfs_unavailable") // the storage is not trusted, and its scheme is http
	require.Zero(t, host.fetched)

	client, err := source.New(source.Options{TrustedOrigins: []string{host.url}, AllowSchemes: []string{"http"}})
	require.NoError(t, err)
	err = client.Fetch(t.Context(), at(host.url+"/app.git"), commit, deployment.Ref{}, t.TempDir(), nil)
	requireFailure(t, err, deployment.ClassUser, "source.address_refused")
	require.Zero(t, host.fetched)
}

func TestLFSConfigNamesTheServer(t *testing.T) {
	t.Parallel()
	host, other := newLFSHost(t, onlyWith("x-token-auth", goodToken)), newLFSHost(t, nil)
	other.put("x")
	app := host.Repo(t, "app")
	commit := gitservetest.Commit(t, app, "main", map[string]string{".gitattributes": lfsAttributes, "a.bin": pointerTo("x"), ".lfsconfig": "[lfs]\n\turl = " + other.url + "/own/lfs\n"})
	client := newClient(t, host.url, other.url, other.storage.URL)
	dir := t.TempDir()
	repo := withToken(t, client, host.url+"/app.git", "", goodToken)
	require.NoError(t, client.Fetch(t.Context(), repo, commit, deployment.Ref{}, dir, nil))
	require.Equal(t, "-rw-r--r-- x", listing(t, dir)["a.bin"])
	require.Equal(t, []string{"/own/lfs/objects/batch"}, other.asked)

	commit = gitservetest.Commit(t, app, "main", map[string]string{".lfsconfig": "[lfs]\n\turl = file:///etc\n"})
	err := client.Fetch(t.Context(), repo, commit, deployment.Ref{}, t.TempDir(), nil)
	requireFailure(t, err, deployment.ClassUser, "source.url_invalid")
}

func TestLFSBySSH(t *testing.T) {
	t.Parallel()
	host := newLFSHost(t, func(string, string) bool { return false })
	host.put("x")
	app := host.Repo(t, "app")
	commit := gitservetest.Commit(t, app, "main", map[string]string{".gitattributes": lfsAttributes, "a.bin": pointerTo("x")})
	key, public := sshKey(t, "-t", "ed25519")
	says := fmt.Sprintf(`{"href": "%s/app.git/info/lfs", "header": {"Authorization": "RemoteAuth by-ssh"}, "expires_in": 60}`, host.url)
	server := newSSHD(t, `case "$SSH_ORIGINAL_COMMAND" in git-lfs-authenticate*' download') echo '`+says+`';; *) eval "$SSH_ORIGINAL_COMMAND";; esac`, nil, public)
	client := newSSHClient(t, trusting(host.url, host.storage.URL))
	dir := t.TempDir()
	repo := withKey(t, client, server.url(app.Dir), key, server.knownHosts("ed25519"))
	require.NoError(t, client.Fetch(t.Context(), repo, commit, deployment.Ref{}, dir, nil), server.log())
	require.Equal(t, "-rw-r--r-- x", listing(t, dir)["a.bin"])

	plain := newSSHD(t, "", nil, public)
	repo = withKey(t, client, plain.url(app.Dir), key, plain.knownHosts("ed25519"))
	err := client.Fetch(t.Context(), repo, commit, deployment.Ref{}, t.TempDir(), nil)
	requireFailure(t, err, deployment.ClassUser, "source.lfs_unavailable")
}
