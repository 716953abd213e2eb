package e2e_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

// canaries is a project whose every secret is looked for: a git token, a build variable, a runtime one, and one of several lines that is
// both.
type canaries struct {
	*search
	project string
	marker  string
	values  map[string]string
	began   time.Time

	asking sync.Mutex
	ids    []string // of deployments
}

// between holds what JSON, URLs, shells and regular expressions write or read in their own ways.
const between = `"&<%+/='$ \`

func newCanaries(t *testing.T) *canaries {
	t.Helper()
	c := &canaries{search: newSearch(), marker: "marker" + strings.ToLower(rand.Text()[:16]), values: map[string]string{}, began: time.Now()}
	c.expect(c.marker)
	for name, middle := range map[string]string{"GIT_TOKEN": "-", "CANARY_BUILD": between, "CANARY_RUNTIME": between, "CANARY_BOTH": "\n"} {
		c.values[name] = c.secret(name, middle)
	}
	c.project = createProject(t, "canary", c.repository(t), map[string]any{"health_check": map[string]any{"timeout_seconds": 60}})
	put := map[string]any{"kind": "token", "secret": c.values["GIT_TOKEN"]}
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodPut, "/v1/projects/canary/git-credential", put, nil).status)
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodPut, "/v1/projects/canary/env", map[string]any{"vars": []map[string]any{
		{"name": "CANARY_BUILD", "value": c.values["CANARY_BUILD"], "target": "build"},
		{"name": "CANARY_RUNTIME", "value": c.values["CANARY_RUNTIME"], "target": "runtime"},
		{"name": "CANARY_BOTH", "value": c.values["CANARY_BOTH"], "target": "both"},
	}}, nil).status)
	return c
}

// repository serves an app to those who know the token, under the marker's name.
func (c *canaries) repository(t *testing.T) string {
	t.Helper()
	git := gitservetest.New(t, gitserve.Options{})
	gitservetest.Commit(t, git.Repo(t, c.marker), "main", map[string]string{
		"package.json": `{"name": "canary", "private": true, "scripts": {"start": "node server.js"}}`,
		"server.js": `const hash = s => require("crypto").createHash("sha256").update(s).digest("hex");
console.log("the app says", process.env.CANARY_RUNTIME, JSON.stringify(process.env.CANARY_BOTH));
if (process.argv[3] === "die") process.exit(7);
require("http").createServer((_, r) => r.end(hash(process.env.CANARY_RUNTIME) + " " + process.env.CANARY_BUILD)).listen(process.env.PORT, "0.0.0.0");
`,
	})
	handler, err := gitserve.Handler(gitserve.Options{Root: git.Root, Auth: func(_, given string) bool { return given == c.values["GIT_TOKEN"] }})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.77.0.1:0")
	require.NoError(t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}} //nolint:gosec // serves this test alone
	server.Start()
	t.Cleanup(server.Close)
	return server.URL + "/" + c.marker + ".git"
}

// prints is a build command that prints its secrets in every way that a log has to hide, and leaves the marker in the image. It lasts
// long enough to be seen among the machine's processes.
func (c *canaries) prints(end string) string {
	return `echo ` + c.marker + ` | tee built; printf '%s\n' "$CANARY_BUILD" "$CANARY_BOTH"; ` +
		`node -p 'const {CANARY_BUILD: b, CANARY_BOTH: x} = process.env; [b, JSON.stringify(b), encodeURIComponent(b), JSON.stringify(x), encodeURIComponent(x), btoa(b)].join(" ")' >&2; ` +
		`sleep 2; ` + end
}

// deploys runs a deploy whose build fails, the same one retried, and one whose app dies; it returns the one that is live.
func (c *canaries) deploys(t *testing.T) (live client.Deployment) {
	t.Helper()
	patch(t, c.project, map[string]any{"build_command": c.prints("exit 3"), "start_command": "node server.js " + c.marker})
	failed := c.ask(t)
	require.Equal(t, "build.command_failed", waitEnd(t, failed, "failed").Failure.Code)
	former := show(t, failed)
	c.read(t, failed)
	patch(t, c.project, map[string]any{"build_command": c.prints("true")})
	require.Equal(t, http.StatusAccepted, retry(t, failed))
	live = runAfter(t, former, "ready")
	patch(t, c.project, map[string]any{"start_command": "node server.js " + c.marker + " die"})
	died := c.ask(t)
	require.Equal(t, "release.app_exited", waitEnd(t, died, "failed").Failure.Code)
	return live
}

func (c *canaries) ask(t *testing.T) string {
	t.Helper()
	id := deploy(t, c.project, map[string]any{"force": true})
	c.expect(id)
	c.asking.Lock()
	defer c.asking.Unlock()
	c.ids = append(c.ids, id)
	return id
}

// asked returns the deployments so far.
func (c *canaries) asked() []string {
	c.asking.Lock()
	defer c.asking.Unlock()
	return slices.Clone(c.ids)
}

// A secret is where it is needed, and nowhere else: what is looked through is in docs/security.md.
func TestNoSecretIsAnywhere(t *testing.T) {
	t.Parallel()
	c := newCanaries(t)
	stop := c.watch(t)
	live := c.deploys(t)
	stop()

	status, body := dev.get(t, live.PreviewURL)
	require.Equal(t, http.StatusOK, status)
	sum := sha256.Sum256([]byte(c.values["CANARY_RUNTIME"]))
	require.Equal(t, hex.EncodeToString(sum[:])+" undefined", body, "the app has what is for it, and not what is for its build")
	container := docker(t, "ps", "-q", "--filter", "label=slipway.deployment="+live.ID)
	require.Len(t, container, 1)
	require.Contains(t, strings.Join(docker(t, "inspect", "--format", "{{json .Config.Env}}", container[0]), " "), strings.SplitN(c.values["CANARY_RUNTIME"], between, 2)[0])

	for _, id := range c.asked() {
		c.read(t, id)
	}
	c.readImages(t)
	c.readBuildKit(t)
	c.readTemporal(t)
	c.readPostgres(t)
	c.readFiles(t)
	c.readTraces()
	c.requireNothing(t, "image layers", "image config", "image history", "BuildKit's history", "BuildKit's state", "API", "slipway's logs and files",
		"Temporal's histories", "Temporal's database", "Postgres, by COPY", "Postgres, its files", "process arguments", "process environments",
		"traces", "metrics")
}
