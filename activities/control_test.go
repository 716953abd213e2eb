package activities_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

func TestCloseDeployment_Repeats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	in := temporal.CloseInput{
		DeploymentID: d.ID, Outcome: deployment.StatusFailed, Failure: deployment.UserFailure("plan.none", "", "nothing to build"),
	}
	var first, again temporal.CloseResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
		if err := b.upTo(ctx, d, deployment.StepFetch); err != nil {
			return err
		}
		if _, err := call[temporal.ClaimResult](ctx, b, b.slots.ClaimHost, temporal.StepInput{DeploymentID: d.ID}); err != nil {
			return err
		}
		if first, err = call[temporal.CloseResult](ctx, b, b.control.CloseDeployment, in); err != nil {
			return err
		}
		in.Outcome = deployment.StatusCanceled
		again, err = call[temporal.CloseResult](ctx, b, b.control.CloseDeployment, in)
		return err
	}))
	require.Equal(t, deployment.StatusFailed, first.Outcome)
	require.Equal(t, first, again, "the first word stands")
	require.Empty(t, b.owned(d, deployment.ResourceLease))
	require.Equal(t, "plan.none", b.get(d).Failure.Code)
}

func TestCloseDeployment_OfAStaleRunLeavesTheOthersLease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	err := b.run(d, func(ctx workflow.Context) error {
		if err := b.upTo(ctx, d, deployment.StepFetch); err != nil {
			return err
		}
		if err := b.takeOver(t.Context(), d, "newer"); err != nil {
			return err
		}
		if err := b.store.Own(t.Context(), b.lease(d, hostID)); err != nil {
			return err
		}
		_, err := call[temporal.CloseResult](ctx, b, b.control.CloseDeployment, temporal.CloseInput{DeploymentID: d.ID, Outcome: deployment.StatusFailed})
		return err
	})
	require.True(t, activities.IsType(err, activities.ErrTypeStaleRun), "%v", err)
	require.Len(t, b.owned(d, deployment.ResourceLease), 1)
}

func (b *bench) lease(d deployment.Deployment, host string) deployment.Resource {
	return deployment.Resource{Kind: deployment.ResourceLease, Name: d.ID, Host: host, DeploymentID: d.ID, RunID: "some"}
}

// The build is over when a place for the preview is looked for: a lease that its host could not give back ends there.
func TestPlacePreview_GivesUpLeasesThatWereLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	require.NoError(t, b.store.SeenHost(t.Context(), hostID, []string{"preview"}, 1))
	require.NoError(t, b.store.Own(t.Context(), b.lease(d, "a host that is gone")))
	var place temporal.PlaceResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
		place, err = call[temporal.PlaceResult](ctx, b, b.control.PlacePreview, temporal.StepInput{DeploymentID: d.ID})
		return err
	}))
	require.Equal(t, temporal.PlaceResult{HostID: hostID, Queue: temporal.QueuePreviewHost(hostID)}, place)
	require.Empty(t, b.owned(d))
}

func TestVacateHost_Repeats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	freed := 0
	b.slots.Freed = func() { freed++ }
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if _, err := call[temporal.ClaimResult](ctx, b, b.slots.ClaimHost, temporal.StepInput{DeploymentID: d.ID}); err != nil {
			return err
		}
		if err := b.upTo(ctx, d, deployment.StepPlan); err != nil {
			return err
		}
		for range 2 {
			if _, err := call[none](ctx, b, b.slots.VacateHost, temporal.CleanUpInput{DeploymentID: d.ID, Canceled: true}); err != nil {
				return err
			}
		}
		return nil
	}))
	require.Equal(t, 2, freed)
	require.Empty(t, b.owned(d))
	require.NoDirExists(t, filepath.Join(b.workspaces.Root, d.ID))
	require.Equal(t, deployment.StatusCanceling, b.get(d).Status)
}

// A claim that was asked for while the host had room finds that it has none: it goes back into the line and takes nothing.
func TestClaimHost_IsRefusedWhileTheHostIsClosed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	asked := 0
	b.slots.Closed = func() error {
		if asked++; asked > 1 {
			return nil
		}
		require.Empty(t, b.owned(d))
		return deployment.DiskFailure("host.disk_low", "free some", "host %s: 1 GB free of 3 GB needed", hostID)
	}
	var refused error
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		once := workflow.WithRetryPolicy(b.options(ctx), sdktemporal.RetryPolicy{MaximumAttempts: 1})
		refused = workflow.ExecuteActivity(once, b.slots.ClaimHost, temporal.StepInput{DeploymentID: d.ID}).Get(ctx, nil)
		_, err := call[temporal.ClaimResult](ctx, b, b.slots.ClaimHost, temporal.StepInput{DeploymentID: d.ID})
		return err
	}))
	require.True(t, activities.IsType(refused, "host.disk_low"), "%v", refused)
	require.ErrorContains(t, refused, "needs disk space on the host: host "+hostID)
	require.Len(t, b.owned(d, deployment.ResourceLease), 1)
}

func TestSweepStrays_LeavesWhatADeploymentHas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	_, err := b.store.Finish(t.Context(), d.ID, "", deployment.StatusFailed, nil)
	require.NoError(t, err)
	stray := filepath.Join(b.workspaces.Root, uuid.NewString())
	for _, folder := range []string{stray, filepath.Join(b.workspaces.Root, d.ID)} {
		require.NoError(t, os.MkdirAll(filepath.Join(folder, "fetch-1"), 0o700))
	}
	for range 2 {
		require.NoError(t, b.slots.SweepStrays(t.Context()))
	}
	require.NoDirExists(t, stray)
	require.DirExists(t, filepath.Join(b.workspaces.Root, d.ID), "a retry of it may be about to begin")
}

func TestSweepWorkspaces_RemovesWhatEndedWithoutThisHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ended, underWay := b.deploy(), b.deployTo("branch/a")
	for _, d := range []deployment.Deployment{ended, underWay} {
		require.NoError(t, os.MkdirAll(filepath.Join(b.workspaces.Root, d.ID, "fetch-1"), 0o700))
		require.NoError(t, b.store.Own(t.Context(), b.lease(d, hostID)))
		require.NoError(t, b.store.Own(t.Context(), deployment.Resource{
			Kind: deployment.ResourceWorkspace, Name: d.ID, Host: hostID, DeploymentID: d.ID, RunID: "some",
		}))
	}
	purged := filepath.Join(b.workspaces.Root, someDeployment)
	require.NoError(t, os.MkdirAll(purged, 0o700))
	_, err := b.store.Finish(t.Context(), ended.ID, "", deployment.StatusFailed, nil)
	require.NoError(t, err)
	require.NoError(t, b.store.Disown(t.Context(), b.lease(ended, hostID))) // as the deployment's end did

	leases, err := b.store.OpenLeases(t.Context(), hostID)
	require.NoError(t, err)
	require.NoError(t, b.slots.SweepWorkspaces(t.Context(), leases))
	require.NoDirExists(t, filepath.Join(b.workspaces.Root, ended.ID))
	require.NoDirExists(t, purged)
	require.Empty(t, b.owned(ended))
	require.DirExists(t, filepath.Join(b.workspaces.Root, underWay.ID))
	require.Len(t, b.owned(underWay), 2)
}

// reconciler is one whose workflows are on the real server, where nobody works on them.
func (b *bench) reconciler() *activities.Reconciler {
	return &activities.Reconciler{
		Leases: b.store, Policy: idlePolicy,
		Store: b.store, Ledger: b.store, Stuck: b.store, Deleted: b.store, Retention: b.store, Keep: activities.Keep{Images: 5, Unused: time.Hour},
		Workflows: b.deploys, Images: b.shelf, PushHost: "registry:5000", Tags: b.store, Age: time.Hour, Grace: time.Hour,
	}
}

func TestRepair_RemovesWhatIsPastItsRetention(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old, newer := b.deploy(), b.deploy()
	for _, d := range []deployment.Deployment{old, newer} {
		b.writer.Append(d.ID, deployment.LogLine{Step: deployment.StepFetch, Stream: deployment.StreamSlipway, Text: "a line"})
		require.NoError(t, b.writer.Flush(t.Context(), d.ID))
		_, err := b.store.Finish(t.Context(), d.ID, "", deployment.StatusFailed, nil)
		require.NoError(t, err)
	}
	_, err := b.pool.Exec(t.Context(), "UPDATE deployments SET finished_at = now() - interval '3 days' WHERE finished_at IS NOT NULL")
	require.NoError(t, err)
	r := b.reconciler()
	r.Past, r.PastLogs = b.store, b.writer
	result, err := r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Zero(t, result.Logs+result.Deployments, "what has no retention is kept for ever")

	r.Keep.Logs, r.Keep.Deployments = 24*time.Hour, 48*time.Hour
	result, err = r.Repair(t.Context(), temporal.ReconcileInput{DryRun: true})
	require.NoError(t, err)
	require.Zero(t, result.Logs+result.Deployments)
	require.Contains(t, result.Differences, deployment.Difference{Kind: "log", Thing: "of deployment " + old.ID, Found: "past its retention", Repair: "removed"})

	counted := map[string]int{}
	r.Repaired = func(kind string, n int) { counted[kind] += n }
	result, err = r.Repair(t.Context(), temporal.ReconcileInput{List: true})
	require.NoError(t, err)
	require.Equal(t, 2, result.Logs)
	require.Contains(t, result.Differences, deployment.Difference{Kind: "deployment", Thing: old.ID, Found: "past its retention", Repair: "deleted"})
	require.Equal(t, 1, result.Deployments, "the newest of its environment stays")
	require.Equal(t, 2, counted["logs_removed"])
	require.Equal(t, 1, counted["deployments_removed"])
	_, err = b.store.Deployment(t.Context(), old.ID)
	require.ErrorIs(t, err, deployment.ErrNotFound)
	stands, err := b.store.Deployment(t.Context(), newer.ID)
	require.NoError(t, err)
	require.NotNil(t, stands.LogRemovedAt)
}

// movedMeanwhile is a Temporal whose answer about a run comes when the row names another one already.
type movedMeanwhile struct {
	activities.Workflows
	move func()
}

func (m movedMeanwhile) CurrentRun(context.Context, string) (string, bool, error) {
	m.move()
	return "third", true, nil
}

func TestRepair_CountsNothingThatItDidNotRepair(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	require.NoError(t, b.store.BeginRun(t.Context(), d.ID, "", "first"))
	_, err := b.pool.Exec(t.Context(), "UPDATE deployments SET started_at = started_at - interval '2 hours'")
	require.NoError(t, err)
	r := b.reconciler()
	r.Workflows = movedMeanwhile{r.Workflows, func() {
		require.NoError(t, b.store.BeginRun(t.Context(), d.ID, "first", "second"))
	}}
	result, err := r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Zero(t, result)
	require.Equal(t, "second", b.get(d).RunID)
}

// slowRuns is a Temporal that answers about a run only when it has been asked for several.
type slowRuns struct {
	activities.Workflows
	asked atomic.Int32
	many  int32
	all   chan struct{} // closed when it has been
}

func (s *slowRuns) CurrentRun(ctx context.Context, id string) (string, bool, error) {
	if s.asked.Add(1) == s.many {
		close(s.all)
	}
	select {
	case <-s.all:
		return s.Workflows.CurrentRun(ctx, id)
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}

// A thousand deployments may be under way: a pass that asked for one after the other would not get to its end.
func TestRepair_AsksForManyRunsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.reconciler()
	r.Age = time.Minute
	const many = 8
	for n := range many {
		d, _, err := b.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: b.project, Environment: fmt.Sprintf("branch/%d", n)})
		require.NoError(t, err)
		require.NoError(t, b.store.BeginRun(t.Context(), d.ID, "", "lost"))
	}
	_, err := b.pool.Exec(t.Context(), "UPDATE deployments SET started_at = started_at - interval '1 hour'")
	require.NoError(t, err)
	r.Workflows = &slowRuns{Workflows: r.Workflows, many: many, all: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result, err := r.Repair(ctx, temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, temporal.ReconcileResult{Closed: many}, result)
}

func TestRepair_StartsWhatWasQueuedAndNeverStarted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lost := b.deploy()
	fresh := b.deployTo("branch/a")
	_, err := b.pool.Exec(t.Context(), "UPDATE deployments SET admitted_at = admitted_at - interval '2 hours' WHERE id = $1", lost.ID)
	require.NoError(t, err)
	r := b.reconciler()
	for _, started := range []int{1, 0} { // the second pass finds the workflow there
		result, err := r.Repair(t.Context(), temporal.ReconcileInput{})
		require.NoError(t, err)
		require.Equal(t, temporal.ReconcileResult{Started: started}, result)
	}
	description, err := b.client.DescribeWorkflowExecution(t.Context(), temporal.DeployWorkflowID(lost.ID), "")
	require.NoError(t, err)
	require.Equal(t, temporal.WorkflowDeploy, description.GetWorkflowExecutionInfo().GetType().GetName())
	_, err = b.client.DescribeWorkflowExecution(t.Context(), temporal.DeployWorkflowID(fresh.ID), "")
	require.Error(t, err)
}

func TestRepair_RepeatsCancelsAndClosesWhatHasNoWorkflow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	open, without := b.deploy(), b.deployTo("branch/a")
	r := b.reconciler()
	require.NoError(t, r.Workflows.Start(t.Context(), open, b.project))
	for _, d := range []deployment.Deployment{open, without} {
		_, err := b.store.RequestCancel(t.Context(), d.ID)
		require.NoError(t, err)
		require.NoError(t, b.store.Own(t.Context(), b.lease(d, hostID)))
	}
	result, err := r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, 2, result.Canceled)
	require.Equal(t, deployment.StatusCanceled, b.get(without).Status)
	require.Empty(t, b.owned(without), "its slot is free again")
	require.Equal(t, deployment.StatusCanceling, b.get(open).Status, "its workflow will close it")
	require.Len(t, b.owned(open), 1)
	require.Contains(t, b.historyOf(open), "WorkflowExecutionCancelRequested")
}

// What an operator terminated while it was canceling has nobody left to record its end.
func TestRepair_ClosesWhatWasTerminatedWhileItCanceled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	r := b.reconciler()
	require.NoError(t, r.Workflows.Start(t.Context(), d, b.project))
	_, err := b.store.RequestCancel(t.Context(), d.ID)
	require.NoError(t, err)
	_, err = r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, deployment.StatusCanceling, b.get(d).Status)
	require.NoError(t, b.client.TerminateWorkflow(t.Context(), temporal.DeployWorkflowID(d.ID), "", "test"))
	_, err = r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Equal(t, deployment.StatusCanceled, b.get(d).Status)
}

func TestRepair_OneThatCannotBeRepairedKeepsNoOtherFromIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	_, err := b.pool.Exec(t.Context(), "UPDATE deployments SET admitted_at = admitted_at - interval '2 hours'")
	require.NoError(t, err)
	canceled := b.deployTo("branch/a")
	_, err = b.store.RequestCancel(t.Context(), canceled.ID)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), "UPDATE projects SET deleted_at = now()") // under d's feet
	require.NoError(t, err)
	result, err := b.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
	require.ErrorIs(t, err, deployment.ErrNotFound)
	require.Equal(t, temporal.ReconcileResult{Canceled: 1, Torn: 1}, result)
	require.Equal(t, deployment.StatusQueued, b.get(d).Status)
	require.Equal(t, deployment.StatusCanceled, b.get(canceled).Status)
}
