package activities_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/temporal"
)

// realEngine is the machine's Docker engine, whose image is there already.
type realEngine struct {
	*docker.Engine
	api          *client.Client
	image        string
	installation string
}

func (e *realEngine) Pull(context.Context, string, func(deployment.Progress)) error { return nil }

func (e *realEngine) Start(ctx context.Context, s deployment.RunSpec) (deployment.Preview, error) {
	s.Image = e.image
	return e.Engine.Start(ctx, s)
}

// onRealEngine lets the bench's previews run in Docker.
func (b *bench) onRealEngine() *realEngine {
	b.t.Helper()
	e := &realEngine{image: "slipway-test/activities:" + uuid.NewString(), installation: "test-" + uuid.NewString()}
	var err error
	e.api, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(b.t, err)
	e.Engine = e.as(b.t, hostID)
	e.importImage(b.t)
	b.t.Cleanup(func() {
		require.NoError(b.t, e.RemoveAll(context.Background()))
		_, err := e.api.ImageRemove(context.Background(), e.image, image.RemoveOptions{Force: true})
		require.NoError(b.t, err)
		require.NoError(b.t, e.api.Close())
	})
	b.preview.Engine = e
	b.project.HealthCheck.TimeoutSeconds = 60 // a container takes its time on a busy machine
	b.project, err = b.store.UpdateProject(b.t.Context(), b.project)
	require.NoError(b.t, err)
	return e
}

// as is the same engine as another host of the installation has it.
func (e *realEngine) as(t *testing.T, host string) *docker.Engine {
	t.Helper()
	engine, err := docker.New(docker.Options{Installation: e.installation, HostID: host, SubnetPool: netip.MustParsePrefix("10.212.0.0/16")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

// importImage makes an image of the app that internal/docker's tests run.
func (e *realEngine) importImage(t *testing.T) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "testapp")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, "../internal/docker/testdata/testapp")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	program, err := os.ReadFile(binary)
	require.NoError(t, err)
	var root bytes.Buffer
	w := tar.NewWriter(&root)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "testapp", Mode: 0o755, Size: int64(len(program))}))
	_, err = w.Write(program)
	require.NoError(t, errors.Join(err, w.Close()))
	answer, err := e.api.ImageImport(t.Context(), image.ImportSource{Source: &root, SourceName: "-"}, e.image,
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/testapp"]`}})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, answer)
	require.NoError(t, errors.Join(err, answer.Close()))
}

func (e *realEngine) runs(t *testing.T, name string) bool {
	t.Helper()
	c, err := e.api.ContainerInspect(t.Context(), name)
	require.NoError(t, err)
	return c.State.Running
}

func requireAnswers(t *testing.T, p deployment.Preview) {
	t.Helper()
	response, err := http.Get("http://" + p.Address)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestLease_OnARealEngine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.onRealEngine()
	d := b.sleeping()
	was := b.standing(d).Preview
	require.False(t, e.runs(t, was.Container))

	begun := time.Now()
	woken, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.True(t, woken.Done)
	t.Logf("woken within %s", time.Since(begun).Round(time.Millisecond))
	require.True(t, e.runs(t, was.Container))
	is := b.standing(d).Preview
	require.Equal(t, was.Address, is.Address)
	require.Equal(t, was.ContainerID, is.ContainerID)
	requireAnswers(t, is)

	b.idle() // and somebody removes its container while it sleeps
	_, err = b.act(d, b.preview.SleepPreview)
	require.NoError(t, err)
	require.NoError(t, e.api.ContainerRemove(t.Context(), was.Container, container.RemoveOptions{Force: true}))
	_, err = b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	is = b.standing(d).Preview
	require.NotEqual(t, was.ContainerID, is.ContainerID)
	requireAnswers(t, is)
	require.Len(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork), 2)

	b.sql("UPDATE preview_leases SET wanted = 'stopped'")
	_, err = b.act(d, b.preview.StopPreview)
	require.NoError(t, err)
	left, err := e.Owned(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
	require.Empty(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork))
}

func TestStartPreview_TwiceAtOnceOnARealEngine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.onRealEngine()
	d := b.sleeping()
	b.sql("UPDATE preview_leases SET wanted = 'stopped'")
	_, err := b.act(d, b.preview.StopPreview)
	require.NoError(t, err)
	b.sql("UPDATE preview_leases SET wanted = 'running'")
	var both sync.WaitGroup
	for _, id := range []string{"one", "two"} {
		both.Go(func() {
			assert.NoError(t, b.runAs("preview/"+id+d.ID, func(ctx workflow.Context) error {
				_, err := call[temporal.LeaseResult](ctx, b, b.preview.StartPreview, temporal.StepInput{DeploymentID: d.ID})
				return err
			}))
		})
	}
	both.Wait()
	owned, err := e.Owned(t.Context())
	require.NoError(t, err)
	require.Len(t, owned, 2, "one container and one network")
	p := b.standing(d).Preview
	require.Equal(t, deployment.PreviewLive, p.State)
	requireAnswers(t, p)
}

func TestStartPreview_AnAppThatExitsOnARealEngine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.onRealEngine()
	d := b.sleeping()
	require.NoError(t, b.store.MergeEnvVars(t.Context(), d.Scope(), []deployment.EnvVar{{Name: "MODE", Value: "exit", Target: deployment.TargetRuntime}}))
	require.NoError(t, e.api.ContainerRemove(t.Context(), b.standing(d).Preview.Container, container.RemoveOptions{Force: true}))
	result, err := b.act(d, b.preview.StartPreview)
	require.NoError(t, err)
	require.Equal(t, "release.app_exited", result.Failure.Code)
	require.Contains(t, result.Failure.Lines, "boom: no such table")
	require.Equal(t, deployment.PreviewFailed, b.standing(d).Preview.State)
	left, err := e.Owned(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}
