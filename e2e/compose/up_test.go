package compose_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/registry"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// Docker Compose starts deploy/compose.yaml with the images of deploy/Dockerfile, and an app is deployed and visited.
func TestUp_DeploysAnApp(t *testing.T) {
	in := newInstallation(t)
	buildImages(t, in.dir)
	in.up(t)
	in.note(t)
	in.seed(t)
	require.Regexp(t, `nixpacks 1\.\d+`, in.must(t, "exec", "-T", "worker", "nixpacks", "--version"))
	require.Equal(t, http.StatusOK, statusOf(t, "http://127.0.0.1:"+in.ports["TEMPORAL_UI_PORT"]+"/healthz"))

	api := in.api(t)
	url := in.repository(t, map[string]string{
		"package.json": `{"name": "app", "private": true, "scripts": {"build": "node look.js", "start": "node server.js"}}`,
		"look.js":      lookAround(in.address(t, "registry")),
		"server.js":    server,
	})
	d := deploy(t, api, url)
	body := in.visit(t, d.PreviewURL)
	require.Equal(t, "hello from compose; registry: closed", body, "the app answers, and its build did not reach the registry")
	require.Equal(t, body, in.visit(t, d.EnvironmentURL))

	// In order: nobody is killed.
	in.must(t, "stop", "api", "gateway", "worker")
	for _, service := range []string{"migrate", "api", "gateway", "worker"} {
		require.Equal(t, "exited 0", docker(t, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", project+"-"+service+"-1"), service)
	}
}

// buildImages builds deploy/Dockerfile's images, and those that stand in for what public registries have. The CLI that plans
// is this machine's: its crate takes minutes to build.
func buildImages(t *testing.T, dir string) {
	t.Helper()
	w := openWorkshop(t, dir)
	programs := w.programs(t)
	for target, name := range map[string]string{"slipway": "slipway:e2e", "worker": "slipway-worker:e2e"} {
		w.build(t, image{
			name: name, context: "../..", dockerfile: "../../deploy/Dockerfile", target: target,
			replaced: map[string]string{"nixpacks": programs},
		})
	}
	for _, target := range []string{"postgres", "temporal", "registry", "buildkitd"} {
		w.build(t, image{
			name: "slipway-standin-" + target + ":e2e", context: "testdata", dockerfile: "testdata/standins.Dockerfile", target: target,
			replaced: map[string]string{"programs": programs},
		})
	}
}

// seed puts the base images of the air-gapped profile into the installation's registry, as `slipway admin images add` does.
func (in *installation) seed(t *testing.T) {
	t.Helper()
	cache, err := testbed.Cache()
	require.NoError(t, err)
	_, err = registry.Seed(t.Context(), registry.Client{Host: "127.0.0.1:" + in.ports["REGISTRY_PORT"], Insecure: true}, filepath.Join(cache, "images"))
	require.NoError(t, err)
}

// address is that of a service on the builders' network.
func (in *installation) address(t *testing.T, service string) string {
	t.Helper()
	ip := docker(t, "inspect", "--format", "{{.NetworkSettings.Networks."+project+"_build.IPAddress}}", project+"-"+service+"-1")
	return net.JoinHostPort(ip, in.ports["REGISTRY_PORT"])
}

// lookAround writes down at build time whether an address can be reached.
func lookAround(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return `const socket = require('net').connect({host: '` + host + `', port: ` + port + `, timeout: 1000});
const end = (found) => { require('fs').writeFileSync('found', found); process.exit(); };
socket.on('connect', () => end('open')).on('timeout', () => end('closed')).on('error', () => end('closed'));`
}

const server = `const found = require('fs').readFileSync('found');
require('http').createServer((_, answer) => answer.end('hello from compose; registry: ' + found)).listen(process.env.PORT);`

// api returns a client with the token that migrate has made.
func (in *installation) api(t *testing.T) *client.ClientWithResponses {
	t.Helper()
	token := in.must(t, "exec", "-T", "api", "cat", "/var/lib/slipway/admin.token")
	c, err := client.NewClientWithResponses("http://127.0.0.1:"+in.ports["API_PORT"], client.WithRequestEditorFn(
		func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	require.NoError(t, err)
	return c
}

// deploy deploys a repository and waits until it is live.
func deploy(t *testing.T, api *client.ClientWithResponses, url string) *client.Deployment {
	t.Helper()
	project, err := api.CreateProjectWithResponse(t.Context(), client.ProjectCreate{Name: "app", RepoURL: url})
	require.NoError(t, err)
	require.NotNil(t, project.JSON201, "%s", project.Body)
	asked, err := api.CreateDeploymentWithResponse(t.Context(), "app", nil, client.DeploymentCreate{})
	require.NoError(t, err)
	require.NotNil(t, asked.JSON202, "%s", asked.Body)
	var d *client.Deployment
	require.Eventually(t, func() bool {
		answer, err := api.GetDeploymentWithResponse(t.Context(), asked.JSON202.ID)
		require.NoError(t, err)
		d = answer.JSON200
		return d != nil && d.FinishedAt != nil
	}, 10*time.Minute, 200*time.Millisecond)
	require.Equal(t, client.DeploymentStatusReady, d.Status, "%+v", d.Failure)
	return d
}

// visit reads a preview through the gateway, whatever this machine's resolver thinks of its name.
func (in *installation) visit(t *testing.T, url string) string {
	t.Helper()
	gateway := "127.0.0.1:" + in.ports["GATEWAY"]
	browser := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, gateway)
	}}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := browser.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
	return strings.TrimSpace(string(body))
}

func statusOf(t *testing.T, url string) int {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	return response.StatusCode
}
