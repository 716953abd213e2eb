package e2e_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	bkclient "github.com/moby/buildkit/client"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

// A project keeps to one of two builders. When that is lost with all that it has, the other one begins with the steps that the
// registry keeps of production.
func TestABuilderIsLost(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	lost, left := buildkittest.StartEmpty(t, 4<<30), buildkittest.StartEmpty(t, 4<<30)
	repo, url := publicRepository(t)
	in.env = append(in.env, "SLIPWAY_BUILDKIT_ADDR="+lost.Address+","+left.Address, "SLIPWAY_REGISTRY_CACHE=true",
		"SLIPWAY_GIT_ALLOW_SCHEMES=https,http", "SLIPWAY_GIT_ALLOW_NETS="+privateNet)
	_, err := in.run("up", "--example", "")
	require.NoError(t, err)
	project := map[string]any{"name": "kept", "repo_url": url}
	require.Equal(t, http.StatusCreated, in.call(t, http.MethodPost, "/v1/projects", project, nil).status)

	mark := uuid.NewString()
	deploy := func(word string) client.Deployment {
		gitservetest.Commit(t, repo, "main", map[string]string{"word": word, "Dockerfile": "FROM debian:bookworm-slim AS made\n" +
			"RUN echo " + mark + " >/mark\nCOPY word /word\nRUN cat /word /mark >/index.html\n" +
			"FROM slipway/static:bookworm\nRUN cp \"$(command -v caddy)\" /usr/bin/serve\nCOPY --from=made /index.html /srv/\nEXPOSE 3000\n" +
			`CMD ["/usr/bin/serve", "file-server", "--root", "/srv", "--listen", ":3000"]` + "\n"})
		d := in.deployed(t, "kept")
		status, body := in.get(t, d.PreviewURL)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, word+mark+"\n", body)
		return d
	}
	first := deploy("one")
	kept := first.ID + "-cache"
	require.Eventually(t, func() bool { return slices.Contains(in.tags(t, "kept"), kept) }, ofADeploy, tick, "once it is ready")
	if !holds(t, lost, mark) {
		lost, left = left, lost
	}
	require.True(t, holds(t, lost, mark))
	require.False(t, holds(t, left, mark), "one of them builds the project")

	require.NoError(t, lost.Process.Signal(syscall.SIGKILL))
	second := deploy("two")
	require.True(t, holds(t, left, "imported sha256:"), "the result of a step that it never ran")
	require.Equal(t, []bool{true, false}, []bool{cachedStep(t, second, mark), cachedStep(t, second, "cat /word")})
	require.Eventually(t, func() bool {
		tags := in.tags(t, "kept")
		return slices.Contains(tags, second.ID+"-cache") && !slices.Contains(tags, kept)
	}, ofADeploy, tick, "the newest is enough")
}

// deployed deploys a project's default branch and waits until that is live.
func (in *installation) deployed(t *testing.T, project string) (d client.Deployment) {
	t.Helper()
	require.Equal(t, http.StatusAccepted, in.call(t, http.MethodPost, "/v1/projects/"+project+"/deployments", map[string]any{}, &d).status)
	require.Eventually(t, func() bool {
		in.call(t, http.MethodGet, "/v1/deployments/"+d.ID, nil, &d)
		return d.Status == client.DeploymentStatusReady || d.Status == client.DeploymentStatusFailed
	}, ofADeploy, tick)
	require.Equal(t, client.DeploymentStatusReady, d.Status, explain(d))
	return d
}

// publicRepository is one that anybody may fetch, at an address that slipway-dev has to be allowed.
func publicRepository(t *testing.T) (repo *gitservetest.Repo, url string) {
	t.Helper()
	git := gitservetest.New(t, gitserve.Options{}) // for its repositories
	handler, err := gitserve.Handler(gitserve.Options{Root: git.Root})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.77.0.1:0")
	require.NoError(t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}} //nolint:gosec // serves this test alone
	server.Start()
	t.Cleanup(server.Close)
	return git.Repo(t, "kept"), server.URL + "/kept.git"
}

// builder is a client of the system's own buildkitd.
func (s *system) builder(ctx context.Context) (*bkclient.Client, error) {
	config, err := os.ReadFile(filepath.Join(s.data, "buildkit", "buildkitd.toml"))
	if err != nil {
		return nil, err
	}
	found := regexp.MustCompile(`address = \["(unix://[^"]+)"\]`).FindSubmatch(config)
	if found == nil {
		return nil, errors.New("buildkitd.toml names no address")
	}
	return bkclient.New(ctx, string(found[1]))
}

// forgetMounts removes the cache mounts of this run's projects, which no later run has. A mount that was used within a week outlives
// layers: those of a few runs would leave no room for the base images, which each run would unpack anew.
func (s *system) forgetMounts(ctx context.Context) error {
	builder, err := s.builder(ctx)
	if err != nil {
		return err
	}
	defer builder.Close()
	return builder.Prune(ctx, nil, bkclient.PruneAll, bkclient.Filter{"type==exec.cachemount"})
}

// holds reports whether a builder has the result of a step that says mark.
func holds(t *testing.T, builder *buildkittest.Stack, mark string) bool {
	t.Helper()
	c, err := bkclient.New(t.Context(), builder.Address)
	require.NoError(t, err)
	defer c.Close()
	records, err := c.DiskUsage(t.Context())
	require.NoError(t, err)
	return slices.ContainsFunc(records, func(r *bkclient.UsageInfo) bool { return strings.Contains(r.Description, mark) })
}

// cachedStep reports whether a build found the step that says what in a cache.
func cachedStep(t *testing.T, d client.Deployment, what string) bool {
	t.Helper()
	require.NotNil(t, d.Build)
	for _, v := range d.Build.Vertices {
		if strings.Contains(v.Name, what) {
			return v.Cached
		}
	}
	require.Fail(t, "no such step", "%s: %v", what, d.Build.Vertices)
	return false
}
