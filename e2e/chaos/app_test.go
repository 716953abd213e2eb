package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

// answer is what the API answers.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request to the API. A transport error is for the caller: the API may have been killed.
func (i *installation) send(ctx context.Context, method, path, key string, body any) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	data, err := json.Marshal(body)
	if err != nil {
		return a, err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+i.api+path, bytes.NewReader(data))
	if err != nil {
		return a, err
	}
	request.Header.Set("Authorization", "Bearer "+i.token)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	a.status, a.header = response.StatusCode, response.Header
	a.body, err = io.ReadAll(response.Body)
	return a, err
}

// call sends a request and reads what it answers into out. An answer that is no success is an error.
func (i *installation) call(ctx context.Context, method, path, key string, body, out any) (status int, err error) {
	a, err := i.send(ctx, method, path, key, body)
	if err != nil {
		return 0, err
	}
	if a.status >= 300 {
		err = fmt.Errorf("%s %s: %d: %s", method, path, a.status, a.body)
	} else if out != nil {
		err = json.Unmarshal(a.body, out)
	}
	return a.status, err
}

// app is a project over a repository of its own.
type app struct {
	project string
	repo    *gitservetest.Repo
	delay   time.Duration // between the app's start and its first answer
	commit  string
	answer  string // of the commit's app
	env     string // name of the environment that is deployed to
	live    string // deployment that was live before
}

// newApp makes the repository and the project. The app serves its answer delay after it was started.
func newApp(t *testing.T, project string, settings map[string]any, delay time.Duration) *app {
	t.Helper()
	repo, err := gitserve.Init(t.Context(), in.path("repos/"+project+".git"))
	require.NoError(t, err)
	a := &app{project: project, repo: &gitservetest.Repo{Repository: repo}, delay: delay, env: "production"}
	a.commitThat(t, "this is "+project)
	body := map[string]any{"name": project, "repo_url": in.gitURL + "/" + project + ".git", "production_branch": "main"}
	maps.Copy(body, settings)
	_, err = in.call(t.Context(), http.MethodPost, "/v1/projects", "", body, nil)
	require.NoError(t, err)
	return a
}

// commitThat makes the app one that answers so.
func (a *app) commitThat(t *testing.T, answer string) {
	t.Helper()
	a.answer = answer
	a.commit = gitservetest.Commit(t, a.repo, "main", map[string]string{
		// npm would take a second and 60 MB for each of many previews, and most of each build's time, with nothing to install.
		"package.json":  `{"name": "app", "private": true}`,
		"nixpacks.toml": "[phases.install]\ncmds = []\n",
		"Procfile":      "web: node server.js\n",
		"server.js": fmt.Sprintf(`const answer = (_, r) => r.end(%q);
setTimeout(() => require("http").createServer(answer).listen(process.env.PORT, "0.0.0.0"), %d);
`, answer, a.delay.Milliseconds()),
		"hold.plan": in.path("hold/plan." + a.project),
	})
}

// post asks for a deploy of the commit and returns its id.
func (a *app) post(ctx context.Context) (id string, err error) {
	var d client.Deployment
	// Forced: each goes through all of its steps, though the same was built before.
	body := map[string]any{"commit": a.commit, "environment": a.env, "force": true}
	_, err = in.call(ctx, http.MethodPost, "/v1/projects/"+a.project+"/deployments", "", body, &d)
	return d.ID, err
}

func (a *app) deploy(t *testing.T) (id string) {
	t.Helper()
	id, err := a.post(t.Context())
	require.NoError(t, err)
	return id
}

// await asks for a deployment until it is as wanted. The API may be down meanwhile.
func await(t *testing.T, id, what string, within time.Duration, wanted func(client.Deployment) bool) client.Deployment {
	t.Helper()
	var d client.Deployment
	var err error
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		if _, err = in.call(t.Context(), http.MethodGet, "/v1/deployments/"+id, "", nil, &d); err == nil && wanted(d) {
			return d
		}
		if err == nil && deployment.Status(d.Status).Ended() {
			break
		}
		require.NoError(t, pause(t.Context(), tick))
	}
	failure, _ := json.Marshal(d.Failure)
	require.FailNow(t, "not "+what, "deployment %s is %q: failure %s, error %v", id, d.Status, failure, err)
	return d
}

// ofADeploy is how long one may take, with others beside it, a cold cache and a busy machine.
const ofADeploy = 10 * time.Minute

func awaitStatus(t *testing.T, id, status string) client.Deployment {
	t.Helper()
	return await(t, id, status, ofADeploy, func(d client.Deployment) bool { return string(d.Status) == status })
}

// visit reads a URL of the gateway.
func visit(ctx context.Context, url string) (body string, err error) {
	browser := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, in.gateway)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := browser.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	return string(data), err
}
