package docker_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

// command is a container that runs the test app as a command: it prints its arguments, or does as its mode says.
func command(mode string) deployment.RunSpec {
	s := spec(mode)
	s.Name += "-release"
	s.Command = []string{"/testapp", "migrate", "up"}
	return s
}

// onced is a run of a command: how often it was begun, and what it printed.
type onced struct {
	begun atomic.Int64
	mu    sync.Mutex
	lines []string
}

func (o *onced) run(ctx context.Context, e *docker.Engine, s deployment.RunSpec, limit time.Duration) error {
	return e.RunOnce(ctx, s, deployment.Once{
		Limit: limit, Grace: 10 * time.Second,
		Begin: func(context.Context) error { o.begun.Add(1); return nil },
		Line: func(l deployment.OutputLine) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.lines = append(o.lines, l.Text)
		},
	})
}

// state of a container of the engine.
func state(t *testing.T, name string) *container.InspectResponse {
	t.Helper()
	c, err := api.ContainerInspect(t.Context(), name)
	require.NoError(t, err)
	return &c
}

// untilRuns returns when the container runs.
func untilRuns(t *testing.T, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := api.ContainerInspect(t.Context(), name)
		return err == nil && c.State.Running
	}, time.Minute, 20*time.Millisecond)
}

// untilPrinted returns when a run has printed a line.
func untilPrinted(t *testing.T, o *onced, line string) {
	t.Helper()
	require.Eventually(t, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return slices.Contains(o.lines, line)
	}, time.Minute, 20*time.Millisecond)
}

func TestRunOnceRunsTheCommandWithTheLimitsOfAPreview(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("command")
	var o onced
	require.NoError(t, o.run(t.Context(), e, s, time.Hour))
	require.Equal(t, []string{"mode command", "migrate up"}, o.lines)
	c := state(t, s.Name)
	require.Equal(t, "exited", c.State.Status)
	require.Equal(t, int64(64<<20), c.HostConfig.Memory)
	require.Equal(t, int64(5e8), c.HostConfig.NanoCPUs)
	require.Equal(t, []string{"ALL"}, []string(c.HostConfig.CapDrop))
	require.Contains(t, c.NetworkSettings.Networks, e.NetworkName(s.DeploymentID))
	require.Equal(t, s.RunID, c.Config.Labels[docker.LabelRun])
}

func TestRunOnceAnswersAgainAndDoesNotRunAgain(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("command")
	var first, again onced
	require.NoError(t, first.run(t.Context(), e, s, time.Hour))
	before := state(t, s.Name)
	require.NoError(t, again.run(t.Context(), e, s, time.Hour))
	require.Equal(t, before.State, state(t, s.Name).State)
	require.Zero(t, again.begun.Load())
	require.Equal(t, first.lines, again.lines)
}

func TestRunOnceReportsTheExitAgainAndAgain(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("exit")
	for range 2 {
		var o onced
		f := failureOf(t, o.run(t.Context(), e, s, time.Hour))
		require.Equal(t, "release.command_failed", f.Code)
		require.Equal(t, deployment.ClassUser, f.Class)
		require.Equal(t, 7, *f.ExitCode)
		require.Len(t, f.Lines, deployment.MaxFailureLines)
		require.Contains(t, f.Lines, "boom: no such table")
		require.Len(t, o.lines, 62)
	}
}

func TestRunOnceTellsOutOfMemory(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("oom")
	var o onced
	f := failureOf(t, o.run(t.Context(), e, s, time.Hour))
	require.Equal(t, "release.command_out_of_memory", f.Code)
	require.Equal(t, 137, *f.ExitCode)
}

func TestRunOnceWaitsForOneThatRuns(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("waiting")
	var given, o onced
	first, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() { gaveUp <- given.run(first, e, s, time.Hour) }()
	untilPrinted(t, &given, "waiting")
	cancel()
	require.ErrorIs(t, <-gaveUp, context.Canceled)
	require.True(t, state(t, s.Name).State.Running, "whoever is gone leaves it running")

	ended := make(chan error, 1)
	go func() { ended <- o.run(t.Context(), e, s, time.Hour) }()
	require.NoError(t, api.ContainerStop(t.Context(), s.Name, container.StopOptions{}))
	require.NoError(t, <-ended)
	require.Zero(t, o.begun.Load())
	require.Contains(t, o.lines, "got SIGTERM")
}

func TestRunOnceManyTimesAtOnceRunsOnce(t *testing.T) {
	t.Parallel()
	var installation string
	e := newEngine(t, func(o *docker.Options) { installation = o.Installation })
	same := func(o *docker.Options) { o.Installation = installation }
	engines := []*docker.Engine{e, newEngine(t, same), newEngine(t, same)}
	s := command("command")
	begin := time.Now()
	const n = 6
	var o onced
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = o.run(t.Context(), engines[i%len(engines)], s, time.Hour) })
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Len(t, attributes(t, s.Name, events.ActionStart, "name", begin), 1)
}

// attributes is what the engine has told of containers of a name at each event of a kind.
func attributes(t *testing.T, name string, event events.Action, attribute string, since time.Time) (found []string) {
	t.Helper()
	messages, failed := api.Events(t.Context(), events.ListOptions{
		Since: strconv.FormatInt(since.Unix(), 10), Until: strconv.FormatInt(time.Now().Unix()+1, 10),
		Filters: filters.NewArgs(filters.Arg("container", name), filters.Arg("event", string(event))),
	})
	for {
		select {
		case message := <-messages:
			found = append(found, message.Actor.Attributes[attribute])
		case err := <-failed:
			require.ErrorIs(t, err, io.EOF)
			return found
		}
	}
}

// A worker can die between the container and its start: it has not run, and is made anew.
func TestRunOnceMakesAnewWhatWasNeverStarted(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("command")
	died, cancel := context.WithCancel(t.Context())
	err := e.RunOnce(died, s, deployment.Once{Limit: time.Hour, Begin: func(context.Context) error { cancel(); return nil }})
	require.ErrorIs(t, err, context.Canceled)
	before := state(t, s.Name)
	require.Equal(t, "created", before.State.Status)
	var o onced
	require.NoError(t, o.run(t.Context(), e, s, time.Hour))
	require.Equal(t, int64(1), o.begun.Load())
	require.NotEqual(t, before.ID, state(t, s.Name).ID)
	require.Equal(t, []string{"mode command", "migrate up"}, o.lines)
}

func TestRunOnceAsksBeforeItStarts(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("command")
	no := errors.New("no")
	err := e.RunOnce(t.Context(), s, deployment.Once{Limit: time.Hour, Begin: func(context.Context) error { return no }})
	require.ErrorIs(t, err, no)
	_, err = api.ContainerInspect(t.Context(), s.Name)
	require.True(t, errdefs.IsNotFound(err), "%v", err)
}

func TestRunOnceStopsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("waiting")
	for range 2 { // whoever comes later says the same
		var o onced
		f := failureOf(t, o.run(t.Context(), e, s, 5*time.Second))
		require.Equal(t, "release.command_timeout", f.Code)
		require.Equal(t, deployment.ClassUser, f.Class)
		require.Equal(t, []string{"mode waiting", "waiting", "got SIGTERM"}, f.Lines)
		require.False(t, state(t, s.Name).State.Running)
	}
}

func TestRunOnceOfARemovedContainerIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("silent")
	var o onced
	ended := make(chan error, 1)
	go func() { ended <- o.run(t.Context(), e, s, time.Hour) }()
	untilRuns(t, s.Name)
	require.NoError(t, api.ContainerRemove(t.Context(), s.Name, container.RemoveOptions{Force: true}))
	f := failureOf(t, <-ended)
	require.Contains(t, []string{"release.container_gone", "release.command_out_of_memory"}, f.Code, "gone, or seen between its kill and that")
	require.Equal(t, int64(1), o.begun.Load(), "it is for the caller to say whether to run it again")
}

// How a command ended that slipway stopped says nothing: its container is not kept.
func TestSuspendRemovesACommand(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), command("silent")
	var o onced
	ended := make(chan error, 1)
	go func() { ended <- o.run(t.Context(), e, s, time.Hour) }()
	untilRuns(t, s.Name)
	n, err := e.Suspend(t.Context(), time.Second)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	<-ended
	_, err = api.ContainerInspect(t.Context(), s.Name)
	require.True(t, errdefs.IsNotFound(err), "%v", err)
}
