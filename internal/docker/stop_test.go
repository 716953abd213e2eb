package docker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

func TestStopAsksBeforeItKills(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := startReady(t, e, spec(""))
	lines := follow(t, e, p.Container)
	began := time.Now()
	require.NoError(t, e.Stop(t.Context(), p.Container, 30*time.Second))
	require.Less(t, time.Since(began), 20*time.Second, "the app ends on SIGTERM")
	require.Equal(t, []string{"0"}, attributes(t, p.Container, events.ActionDie, "exitCode", began))
	require.Contains(t, texts(<-lines), "got SIGTERM", "what it says last is read before it is removed")
	_, err := api.ContainerInspect(t.Context(), p.Container)
	require.True(t, errdefs.IsNotFound(err), "the container is still there")
	require.NoError(t, e.Stop(t.Context(), p.Container, 0), "stopping twice is no error")

	require.NoError(t, e.RemoveNetwork(t.Context(), p.Network))
	require.NoError(t, e.RemoveNetwork(t.Context(), p.Network), "removing twice is no error")
}

// Whoever follows what an app says may take a moment to read its last lines, and cannot keep the container from going.
func TestStopLeavesTimeToReadTheLastLines(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := startReady(t, e, spec(""))
	defer e.Join(p.Container)()
	require.NoError(t, e.Halt(t.Context(), p.Container, 30*time.Second))
	began := time.Now()
	require.NoError(t, e.Stop(t.Context(), p.Container, 0))
	require.GreaterOrEqual(t, time.Since(began), docker.LastLinesLimit)
	_, err := api.ContainerInspect(t.Context(), p.Container)
	require.True(t, errdefs.IsNotFound(err), "the container is still there")
}

func TestStopKillsAfterTheGrace(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := startReady(t, e, spec("stubborn"))
	began := time.Now()
	require.NoError(t, e.Stop(t.Context(), p.Container, time.Second))
	require.Greater(t, time.Since(began), 900*time.Millisecond)
}

func TestConcurrentStopsAllSucceed(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("silent"))
	errs := make(chan error)
	for range 4 {
		go func() { errs <- e.Stop(t.Context(), p.Container, time.Second) }()
	}
	for range 4 {
		require.NoError(t, <-errs)
	}
}

func TestTheImageGoesWithItsLastContainer(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	img, err := mutate.Config(testImage, v1.Config{Entrypoint: []string{"/testapp"}, Labels: map[string]string{"test": uuid.NewString()}})
	require.NoError(t, err)
	ref := push(t, img, nil)
	require.NoError(t, e.Pull(t.Context(), ref, nil))
	var previews []deployment.Preview
	for range 3 {
		s := spec("silent")
		s.Image = ref
		previews = append(previews, start(t, e, s))
	}
	require.NoError(t, e.Stop(t.Context(), previews[0].Container, 0))
	_, err = e.Suspend(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, e.Stop(t.Context(), previews[1].Container, 0))
	_, err = api.ImageInspect(t.Context(), ref)
	require.NoError(t, err, "a container that stands still needs it")

	require.NoError(t, e.RemoveAll(t.Context()))
	_, err = api.ImageInspect(t.Context(), ref)
	require.True(t, errdefs.IsNotFound(err), "the image is still there")
	_, err = api.ImageInspect(t.Context(), imageName)
	require.NoError(t, err)
}

// A deploy that is canceled after its pull has no container whose end would take the image along.
func TestImagesThatNoContainerRuns(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	img, err := mutate.Config(testImage, v1.Config{Entrypoint: []string{"/testapp"}, Labels: map[string]string{"slipway.project": uuid.NewString()}})
	require.NoError(t, err)
	ref := push(t, img, nil)
	unused := func() []string {
		refs, err := e.UnusedImages(t.Context())
		require.NoError(t, err)
		require.NotContains(t, refs, imageName, "an image of somebody else's")
		return refs
	}
	require.NotContains(t, unused(), ref)
	require.NoError(t, e.Pull(t.Context(), ref, nil))
	require.Contains(t, unused(), ref)
	s := spec("silent")
	s.Image = ref
	p := start(t, e, s)
	require.NotContains(t, unused(), ref)
	require.NoError(t, e.RemoveImage(t.Context(), ref), "it stays: its container needs it")
	require.NoError(t, e.Stop(t.Context(), p.Container, 0))

	require.NoError(t, e.Pull(t.Context(), ref, nil))
	require.NoError(t, e.RemoveImage(t.Context(), ref))
	require.NoError(t, e.RemoveImage(t.Context(), ref), "gone is gone")
	_, err = api.ImageInspect(t.Context(), ref)
	require.True(t, errdefs.IsNotFound(err))
}

func TestAnImageThatWasNotPulledStays(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	own := "slipway-test/docker:" + uuid.NewString()
	require.NoError(t, api.ImageTag(t.Context(), imageName, own))
	t.Cleanup(func() { _, _ = api.ImageRemove(context.Background(), own, image.RemoveOptions{}) })
	s := spec("silent")
	s.Image = own
	require.NoError(t, e.Stop(t.Context(), start(t, e, s).Container, 0))
	_, err := api.ImageInspect(t.Context(), own)
	require.NoError(t, err)
}

func TestLogsCopyBothStreamsWholeAndBounded(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("output"))
	lines := <-follow(t, e, p.Container)
	require.Contains(t, lines, deployment.LogLine{Stream: deployment.StreamStdout, Text: "to stdout"})
	require.Contains(t, lines, deployment.LogLine{Stream: deployment.StreamStderr, Text: "to stderr"})
	require.Contains(t, texts(lines), "bad \uFFFD byte")
	require.Contains(t, texts(lines), "no line break")
	long := lines[slices.IndexFunc(lines, func(l deployment.LogLine) bool { return strings.HasPrefix(l.Text, "é") })].Text
	require.Equal(t, strings.Repeat("é", 20<<10)+" the end", long, "whoever stores the line cuts it")
}

func TestLogsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := startReady(t, e, spec(""))
	require.NoError(t, e.KeepAlive(t.Context(), p.Container, spec("").Resources))
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("seen enough")
	var lines []string
	listening := 0
	err := e.Logs(ctx, p.Container, nil, func(l deployment.OutputLine) {
		lines = append(lines, l.Text)
		if !strings.HasPrefix(l.Text, "listening") {
			return
		}
		if listening++; listening == 1 {
			require.NoError(t, api.ContainerKill(ctx, p.Container, "KILL"), "kill the app")
			require.NoError(t, api.ContainerStart(ctx, p.Container, container.StartOptions{}), "start it again")
		} else {
			cancel(enough)
		}
	})
	require.ErrorIs(t, err, enough)
	require.Equal(t, []string{"mode ", "listening on :3000", "mode ", "listening on :3000"}, lines)
}

func TestLogsGoOnFromACursor(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := start(t, e, spec("exit"))
	read := func(from deployment.OutputCursor) (lines []deployment.OutputLine) {
		require.NoError(t, e.Logs(t.Context(), p.Container, from, func(l deployment.OutputLine) { lines = append(lines, l) }))
		return lines
	}
	all := read(nil)
	require.Len(t, all, 62, "two streams of a container that has ended")
	cursor := deployment.OutputCursor{}
	for i, l := range all {
		cursor[l.Stream] = l.At
		if i%15 == 0 {
			require.ElementsMatch(t, all[i+1:], read(cursor), "after %q", l.Text)
		}
	}
	require.Empty(t, read(cursor))
}

func TestLogsOfNothingAreEmpty(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	require.NoError(t, e.Logs(t.Context(), "slipway-test-none", nil, func(deployment.OutputLine) { t.Error("a line of nothing") }))
}

// follow reads a container's output until it ends.
func follow(t *testing.T, e *docker.Engine, name string) <-chan []deployment.LogLine {
	t.Helper()
	all := make(chan []deployment.LogLine, 1)
	first := make(chan struct{})
	go func() {
		var lines []deployment.LogLine
		err := e.Logs(t.Context(), name, nil, func(l deployment.OutputLine) {
			if len(lines) == 0 {
				close(first)
			}
			lines = append(lines, deployment.LogLine{Stream: l.Stream, Text: l.Text})
		})
		if err != nil {
			t.Error(err)
		}
		all <- lines
	}()
	<-first
	return all
}

func texts(lines []deployment.LogLine) []string {
	all := make([]string, 0, len(lines))
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}
