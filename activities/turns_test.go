package activities_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// queued is a deployment of an environment whose deployments take turns, and two that wait for it.
func (b *bench) queued() (first, second, third deployment.Deployment) {
	b.t.Helper()
	first = b.deploy()
	b.inLine(first)
	second, third = b.deploy(), b.deploy()
	require.True(b.t, second.Waiting())
	return first, second, third
}

// begun reports whether a deployment's workflow was ever started.
func (b *bench) begun(d deployment.Deployment) bool {
	b.t.Helper()
	run, _, err := b.deploys.CurrentRun(b.t.Context(), d.ID)
	require.NoError(b.t, err)
	return run != ""
}

func (b *bench) close(d deployment.Deployment) error {
	return b.run(d, func(ctx workflow.Context) error {
		in := temporal.CloseInput{DeploymentID: d.ID, Outcome: deployment.StatusFailed}
		_, err := call[temporal.CloseResult](ctx, b, b.control.CloseDeployment, in)
		return err
	})
}

// countingStarter notes what is asked of Temporal, and does not reach it while it is away.
type countingStarter struct {
	activities.Workflows
	away   atomic.Bool
	starts atomic.Int64
	resets atomic.Int64
}

func (c *countingStarter) Start(ctx context.Context, d deployment.Deployment, p deployment.Project) error {
	if c.away.Load() {
		return errors.New("unreachable")
	}
	c.starts.Add(1)
	return c.Workflows.Start(ctx, d, p)
}

func (c *countingStarter) Retry(ctx context.Context, d deployment.Deployment, p deployment.Project) (string, error) {
	c.resets.Add(1)
	return c.Workflows.Retry(ctx, d, p)
}

func TestCloseDeployment_BeginsTheNext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second, third := b.queued()
	require.NoError(t, b.close(first))
	require.True(t, b.begun(second))
	require.True(t, b.get(third).Waiting())
	require.False(t, b.begun(third))
}

func TestReleasePreview_BeginsTheNextWhenTheRouteHasSwitched(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second, _ := b.queued()
	b.engine.on("keep alive", func(context.Context) error { assert.False(t, b.begun(second)); return nil })
	require.NoError(t, b.run(first, func(ctx workflow.Context) error {
		if err := b.upTo(ctx, first, deployment.StepRelease); err != nil {
			return err
		}
		_, err := call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(first))
		return err
	}))
	require.Equal(t, deployment.StatusReady, b.get(first).Status)
	require.True(t, b.begun(second))
}

// Whoever ended the first dies between the row, which admits the second, and its workflow: the end stands, and reconcilers,
// two at the same time, begin it once.
func TestRepair_BeginsWhatWasAdmittedAndNotStarted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var log bytes.Buffer
	starter := &countingStarter{Workflows: b.deploys}
	starter.away.Store(true)
	b.control.Turns.Workflows, b.control.Turns.Log = starter, slog.New(slog.NewTextHandler(&log, nil))
	first, second, third := b.queued()
	require.NoError(t, b.close(first))
	require.Equal(t, deployment.StatusFailed, b.get(first).Status)
	require.True(t, b.get(second).Due())
	require.False(t, b.begun(second))
	require.Contains(t, log.String(), "the reconciler will")

	starter.away.Store(false)
	b.repairTwice(starter)
	require.True(t, b.begun(second))
	require.Contains(t, []int64{1, 2}, starter.starts.Load(), "both may have asked; there is one workflow")
	require.True(t, b.get(third).Waiting())
	require.False(t, b.begun(third))
}

// repairTwice lets two hosts reconcile at the same time.
func (b *bench) repairTwice(workflows activities.Workflows) {
	b.t.Helper()
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			r := b.reconciler()
			r.Age, r.Workflows = 0, workflows
			_, err := r.Repair(b.t.Context(), temporal.ReconcileInput{})
			assert.NoError(b.t, err)
		})
	}
	wait.Wait()
}

// A retry that waited has a run already: it is reset, once, however many find that its turn has come.
func TestRepair_ResetsARetryWhoseTurnHasCome(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second, _ := b.queued()
	require.NoError(t, b.close(first))
	_, err := b.store.RequestRetry(t.Context(), first.ID, 0)
	require.NoError(t, err)
	former := b.get(first).RunID
	require.NotEmpty(t, former)
	require.True(t, b.get(first).Waiting())
	starter := &countingStarter{Workflows: b.deploys}
	b.repairTwice(starter)
	require.Zero(t, starter.resets.Load(), "before its turn")

	_, err = b.store.Finish(t.Context(), second.ID, "", deployment.StatusFailed, nil) // by who dies before the next has begun
	require.NoError(t, err)
	b.repairTwice(starter)
	require.EqualValues(t, 1, starter.resets.Load())
	d := b.get(first)
	require.NotEqual(t, former, d.RunID)
	require.Nil(t, d.RetryRequestedAt)
	run, _, err := b.deploys.CurrentRun(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, run, d.RunID)
}

// The reconciler ends what was terminated, and begins the next in the same pass.
func TestRepair_TheEndOfWhatWasTerminatedBeginsTheNext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second, _ := b.queued()
	require.NoError(t, b.deploys.Start(t.Context(), first, b.project))
	run, _, err := b.deploys.CurrentRun(t.Context(), first.ID)
	require.NoError(t, err)
	require.NoError(t, b.store.BeginRun(t.Context(), first.ID, "", run))
	require.NoError(t, b.client.TerminateWorkflow(t.Context(), temporal.DeployWorkflowID(first.ID), "", "test"))
	_, err = b.pool.Exec(t.Context(), "UPDATE deployments SET started_at = started_at - interval '2 hours' WHERE id = $1", first.ID)
	require.NoError(t, err)
	result, err := b.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, temporal.ReconcileResult{Closed: 1}, result)
	require.Equal(t, "deploy.workflow_lost", b.get(first).Failure.Code)
	require.True(t, b.begun(second))
}

func TestRepair_AdmitsWhatWaitsForNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second, _ := b.queued()
	_, err := b.pool.Exec(t.Context(), "UPDATE deployments SET status = 'failed', finished_at = now() WHERE id = $1", first.ID)
	require.NoError(t, err)
	b.repairTwice(b.deploys)
	require.True(t, b.begun(second))
}
