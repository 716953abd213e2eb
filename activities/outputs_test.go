package activities_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
)

// outputs is what a worker of the host follows previews with; stop ends it as the worker's end does.
func (b *bench) outputs() (o *activities.Outputs, follow func(), stop func()) {
	b.t.Helper()
	o = &activities.Outputs{Engine: b.engine, Logs: b.writer, Hold: b.recorder.Hold, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(b.t.Context())
	follow = func() {
		previews, err := b.store.PreviewsOn(ctx, hostID)
		require.NoError(b.t, err)
		o.Follow(ctx, previews)
	}
	stop = func() { cancel(); o.Wait() }
	b.t.Cleanup(stop)
	return o, follow, stop
}

// printed is what the log holds of the app's output, oldest first.
func (b *bench) printed(d deployment.Deployment, step deployment.StepName) (texts []string) {
	b.t.Helper()
	require.NoError(b.t, b.writer.Flush(b.t.Context(), d.ID))
	lines, err := b.reader.Lines(b.t.Context(), d.ID, 0, 1_000_000)
	require.NoError(b.t, err)
	for _, l := range lines {
		if l.Step == step && l.Stream == deployment.StreamStdout {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

func (b *bench) awaitPrinted(d deployment.Deployment, want ...string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return len(b.printed(d, deployment.StepApp)) >= len(want) }, soon, interval)
	require.Equal(b.t, want, b.printed(d, deployment.StepApp))
}

func TestOutputs_GoOnWhereTheDeployAndTheLastWorkerStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	told := make(chan struct{}, 1)
	b.preview.WentLive = func() { told <- struct{}{} }
	d := b.live()
	<-told
	require.Equal(t, []string{"listening"}, b.printed(d, deployment.StepRelease))

	b.engine.print("one", "two")
	_, follow, stop := b.outputs()
	follow()
	follow() // a second call follows nothing twice
	b.awaitPrinted(d, "one", "two")
	stop()

	b.engine.print("while nobody followed")
	_, follow, stop = b.outputs()
	follow()
	b.awaitPrinted(d, "one", "two", "while nobody followed")
	stop()
	require.Equal(t, []string{"listening"}, b.printed(d, deployment.StepRelease), "what the deploy has logged is not logged again")
}

func TestOutputs_TwoWorkersOfOneHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	var want []string
	for i := range 2000 {
		want = append(want, fmt.Sprint("line ", i))
	}
	b.engine.print(want...)
	for range 2 {
		_, follow, _ := b.outputs()
		follow()
	}
	b.awaitPrinted(d, want...)
}

func TestOutputs_AnEngineThatWasAwayIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	b.engine.print("one")
	failed := make(chan struct{})
	b.engine.on("logs", once(func(context.Context) error { close(failed); return errors.New("engine is away") }))
	_, follow, _ := b.outputs()
	follow()
	<-failed
	require.Eventually(t, func() bool { follow(); return len(b.printed(d, deployment.StepApp)) == 1 }, soon, interval)
}

func TestOutputs_NeverHoldSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	b.engine.secrets = []string{"of-the-container"} // as it was made: the project's settings may have changed since
	b.engine.print("it is of-the-container")
	_, follow, _ := b.outputs()
	follow()
	b.awaitPrinted(d, "it is ***")

	b.recorder.Hold(d.ID)() // a step of the deployment that begins and ends meanwhile
	b.writer.Append(d.ID, deployment.LogLine{Step: deployment.StepApp, Stream: deployment.StreamStdout, Text: "still of-the-container"})
	b.awaitPrinted(d, "it is ***", "still ***")
}

func TestOutputs_KeepALogBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	var lines []string
	for i := range 1000 {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	b.engine.print(lines...)
	o, follow, stop := b.outputs()
	bounded := logs.NewWriterWith(b.pool, slog.New(slog.DiscardHandler), logs.Options{MaxBytes: 20_000})
	t.Cleanup(func() { stop(); _ = bounded.Close(context.Background()) })
	o.Logs = bounded
	follow()
	require.Eventually(t, func() bool {
		kept := b.printed(d, deployment.StepApp)
		return len(kept) > 0 && len(kept) < 200 && kept[len(kept)-1] == "line 999"
	}, soon, interval)
	require.NotEmpty(t, b.printed(d, deployment.StepRelease))
}
