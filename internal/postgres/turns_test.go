package postgres_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// due lists the deployments that are to be begun.
func (b bench) due(beside string, olderThan time.Duration) []deployment.Deployment {
	b.t.Helper()
	list, err := b.Due(b.t.Context(), beside, olderThan)
	require.NoError(b.t, err)
	return list
}

func (b bench) policy(d deployment.Deployment, policy deployment.OrderPolicy) deployment.Deployment {
	b.t.Helper()
	_, newest, err := b.SetOrderPolicy(b.t.Context(), d.EnvironmentID, policy)
	require.NoError(b.t, err)
	return newest
}

// line is an environment whose deployments take turns, with n of them: the first has begun and the others wait.
func (b bench) line(p deployment.Project, n int) (all []deployment.Deployment) {
	b.t.Helper()
	all = append(all, b.deploy(p, "production"))
	b.policy(all[0], deployment.OrderQueue)
	b.through(all[0], "run", deployment.StepBuild)
	for range n - 1 {
		all = append(all, b.deploy(p, "production"))
	}
	return all
}

// requireWaiting checks what a deployment that waits tells about it.
func (b bench) requireWaiting(id string, place int, waitsFor string) {
	b.t.Helper()
	d := b.get(id)
	require.True(b.t, d.Waiting())
	require.False(b.t, d.Due())
	require.Equal(b.t, &deployment.StepNow{Name: deployment.StepResolve, Attempt: 1, WaitingFor: waitsFor, QueuePosition: place}, d.Step)
}

// requireTurn checks that a deployment is the one of its environment that is to be begun.
func (b bench) requireTurn(id string) {
	b.t.Helper()
	due := b.due(id, 0)
	require.Len(b.t, due, 1)
	require.Equal(b.t, id, due[0].ID)
	require.True(b.t, due[0].Due())
	require.Nil(b.t, due[0].Step)
}

// Whatever the end, it admits the next, once.
func TestQueue_EveryEndAdmitsTheNext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ends := map[deployment.Status]func(deployment.Deployment){
		deployment.StatusReady: func(d deployment.Deployment) {
			b.through(d, "run", deployment.StepRelease)
			for range 2 {
				_, err := b.SwitchRoute(t.Context(), "run", preview(d))
				require.NoError(t, err)
			}
		},
		deployment.StatusCanceled: func(d deployment.Deployment) {
			_, err := b.RequestCancel(t.Context(), d.ID)
			require.NoError(t, err)
			require.Empty(t, b.due(d.ID, 0), "something of it may be left")
			b.finish(d, "run", deployment.StatusFailed)
		},
	}
	for _, outcome := range []deployment.Status{deployment.StatusFailed, deployment.StatusSuperseded} {
		ends[outcome] = func(d deployment.Deployment) { b.finish(d, "run", outcome) }
	}
	for outcome, end := range ends {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			p := b.project(string(outcome))
			elsewhere := b.deploy(p, "branch/a")
			all := b.line(p, 3)
			b.requireTurn(elsewhere.ID)
			require.Empty(t, b.due(all[0].ID, 0), "it has begun")
			b.requireWaiting(all[1].ID, 1, "deployment #2 of this environment")
			b.requireWaiting(all[2].ID, 2, "deployment #2 of this environment")
			end(all[0])
			require.Equal(t, outcome, b.status(all[0].ID))
			b.requireTurn(all[1].ID)
			b.requireWaiting(all[2].ID, 1, "deployment #3 of this environment")
			if outcome != deployment.StatusReady { // a word that comes again admits nobody
				b.finish(all[0], "run", outcome)
				b.requireWaiting(all[2].ID, 1, "deployment #3 of this environment")
			}
			b.finish(all[1], "", deployment.StatusFailed)
			b.requireTurn(all[2].ID)
			b.finish(all[2], "", deployment.StatusFailed)
			b.requireTurn(b.deploy(p, "production").ID)
		})
	}
}

func TestQueue_OneThatWaitsIsCanceledAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	all := b.line(b.project("app"), 3)
	canceled, err := b.RequestCancel(t.Context(), all[1].ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusCanceled, canceled.Status)
	require.NotNil(t, canceled.FinishedAt)
	require.NotNil(t, canceled.CancelRequestedAt)
	require.Nil(t, canceled.Step)
	_, err = b.RequestCancel(t.Context(), all[1].ID)
	require.ErrorIs(t, err, deployment.ErrNotCancelable)
	b.requireWaiting(all[2].ID, 1, "deployment #1 of this environment")
	b.finish(all[0], "run", deployment.StatusFailed)
	b.requireTurn(all[2].ID)

	_, err = b.RequestCancel(t.Context(), all[2].ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusCanceling, b.status(all[2].ID), "its workflow may be under way")
}

// The next is canceled at the moment in which it is admitted: either way the one after it has its turn when that is over.
func TestQueue_CancelAgainstAdmission(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for range 10 {
		all := b.line(p, 3)
		var wait sync.WaitGroup
		wait.Go(func() { b.finish(all[0], "run", deployment.StatusFailed) })
		wait.Go(func() {
			_, err := b.RequestCancel(t.Context(), all[1].ID)
			assert.NoError(t, err)
		})
		wait.Wait()
		if b.status(all[1].ID) == deployment.StatusCanceling {
			b.requireWaiting(all[2].ID, 1, "deployment #"+number(all[1])+" of this environment")
			b.finish(all[1], "", deployment.StatusCanceled)
		}
		require.Equal(t, deployment.StatusCanceled, b.status(all[1].ID))
		b.requireTurn(all[2].ID)
		b.finish(all[2], "", deployment.StatusFailed)
	}
}

// Two who end the same deployment at the same moment, as its workflow and the reconciler may, admit one.
func TestQueue_TwoEndersAdmitOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for range 10 {
		all := b.line(p, 3)
		b.through(all[0], "run", deployment.StepRelease)
		var wait sync.WaitGroup
		for range 2 {
			wait.Go(func() {
				_, err := b.Finish(t.Context(), all[0].ID, "run", deployment.StatusFailed, nil)
				assert.NoError(t, err)
			})
			wait.Go(func() { _, _ = b.SwitchRoute(t.Context(), "run", preview(all[0])) }) // refused when it has failed
		}
		wait.Wait()
		require.True(t, b.status(all[0].ID).Ended())
		b.requireTurn(all[1].ID)
		b.requireWaiting(all[2].ID, 1, "deployment #"+number(all[1])+" of this environment")
		b.finish(all[1], "", deployment.StatusFailed)
		b.finish(all[2], "", deployment.StatusFailed)
	}
}

// Many are created while others end: at no moment are two of the environment under way, and none is left over.
func TestQueue_ManyAtOnce(t *testing.T) {
	t.Parallel()
	const many = 24
	b := newBench(t)
	p := b.project("app")
	b.finish(b.line(p, 1)[0], "run", deployment.StatusFailed)
	var wait sync.WaitGroup
	for range many {
		wait.Go(func() { b.deploy(p, "production") })
	}
	var order []int64
	for len(order) < many {
		due, err := b.Due(t.Context(), "", 0)
		require.NoError(t, err)
		require.LessOrEqual(t, len(due), 1)
		for _, d := range due {
			require.NoError(t, b.begin(d, "run"))
			b.finish(d, "run", deployment.StatusFailed)
			order = append(order, d.Generation)
		}
	}
	wait.Wait()
	require.IsIncreasing(t, order)
	require.Empty(t, b.due("", 0))
}

func TestQueue_SwitchOfPolicy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	all := b.line(p, 4)
	require.Equal(t, all[3].ID, b.policy(all[0], deployment.OrderQueue).ID)
	b.requireWaiting(all[1].ID, 1, "deployment #1 of this environment")

	newest := b.policy(all[0], deployment.OrderSupersede)
	require.Equal(t, all[3].ID, newest.ID)
	require.True(t, newest.Due())
	require.Equal(t, deployment.StatusCanceling, b.status(all[0].ID))
	for _, waited := range all[1:3] {
		d := b.get(waited.ID)
		require.Equal(t, deployment.StatusSuperseded, d.Status)
		require.Equal(t, newest.ID, d.SupersededBy)
	}
	b.requireTurn(newest.ID)
	b.policy(newest, deployment.OrderQueue)
	b.requireTurn(newest.ID)
	last := b.deploy(p, "production")
	b.requireWaiting(last.ID, 1, "deployment #1 of this environment")
	b.finish(all[0], "run", deployment.StatusCanceled)
	b.requireWaiting(last.ID, 1, "deployment #4 of this environment")
	b.finish(newest, "", deployment.StatusFailed)
	b.requireTurn(last.ID)
	b.finish(last, "", deployment.StatusFailed)
	require.Empty(t, b.policy(last, deployment.OrderSupersede).ID, "nothing is under way")

	fresh := b.deploy(p, "branch/a")
	b.remove(fresh.Scope())
	_, _, err := b.SetOrderPolicy(t.Context(), fresh.EnvironmentID, deployment.OrderQueue)
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

// The policy changes while one is created and another ends.
func TestQueue_SwitchOfPolicyAmidOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for _, policy := range []deployment.OrderPolicy{deployment.OrderSupersede, deployment.OrderQueue, deployment.OrderSupersede} {
		all := b.line(p, 2)
		if policy == deployment.OrderQueue {
			b.policy(all[0], deployment.OrderSupersede)
		}
		var wait sync.WaitGroup
		wait.Go(func() { b.policy(all[0], policy) })
		wait.Go(func() { b.deploy(p, "production") })
		wait.Go(func() { _, _ = b.Finish(t.Context(), all[0].ID, "run", deployment.StatusFailed, nil) })
		wait.Wait()
		for due := b.due("", 0); len(due) > 0; due = b.due("", 0) {
			for _, d := range due {
				b.finish(d, d.RunID, deployment.StatusFailed)
			}
		}
		left, err := b.UnderWayIn(t.Context(), of(p))
		require.NoError(t, err)
		require.Empty(t, left, "%s", policy)
	}
}

func TestQueue_ARetryTakesItsTurn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	all := b.line(p, 4)
	b.finish(all[0], "run", deployment.StatusFailed)
	require.NoError(t, b.begin(all[1], "run"))
	retried, err := b.RequestRetry(t.Context(), all[0].ID, 0)
	require.NoError(t, err)
	require.True(t, retried.Waiting())
	b.requireWaiting(all[0].ID, 1, "deployment #2 of this environment")
	b.requireWaiting(all[2].ID, 2, "deployment #2 of this environment")
	require.NoError(t, b.MakeRetry(t.Context(), all[0].ID, func(context.Context, string) (string, error) { panic("before its turn") }))

	// A reset by tctl in the meantime is refused, and the run that it made is the one that is reset when the turn comes.
	require.ErrorIs(t, b.begin(all[0], "tctl"), deployment.ErrStaleRun)
	b.requireWaiting(all[0].ID, 1, "deployment #2 of this environment")
	underWay, err := b.UnderWay(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, underWay, 1, "nothing of it has begun")

	b.finish(all[1], "run", deployment.StatusFailed)
	b.requireTurn(all[0].ID)
	require.NoError(t, b.MakeRetry(t.Context(), all[0].ID, func(_ context.Context, run string) (string, error) { return "after " + run, nil }))
	require.Equal(t, "after tctl", b.get(all[0].ID).RunID)
	b.finish(all[0], "after tctl", deployment.StatusFailed)
	b.requireTurn(all[2].ID)

	// One that is canceled while it waits can be retried; one that waits while a newer one goes live cannot be live any more.
	_, err = b.RequestRetry(t.Context(), all[1].ID, 0)
	require.NoError(t, err)
	canceled, err := b.RequestCancel(t.Context(), all[1].ID)
	require.NoError(t, err)
	require.Equal(t, deployment.StatusCanceled, canceled.Status)
	_, err = b.RequestRetry(t.Context(), all[1].ID, 0)
	require.NoError(t, err)
	b.live(all[2], "run")
	require.Equal(t, deployment.StatusSuperseded, b.status(all[1].ID))
	require.Equal(t, all[2].ID, b.get(all[1].ID).SupersededBy)
	b.requireTurn(all[3].ID)

	// A reset of one that has ended is a retry, and takes its turn likewise.
	b.finish(all[3], "", deployment.StatusFailed)
	next := b.deploy(p, "production")
	require.ErrorIs(t, b.begin(all[3], "tctl"), deployment.ErrStaleRun)
	b.requireWaiting(all[3].ID, 1, "deployment #5 of this environment")
	b.finish(next, "", deployment.StatusFailed)
	b.requireTurn(all[3].ID)
	require.NoError(t, b.begin(all[3], "again"), "one that nobody makes wait")
}

// What a process of an older slipway ended admits nobody.
func TestAdmitStranded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	all, others := b.line(b.project("app"), 3), b.line(b.project("other"), 2)
	require.NoError(t, b.AdmitStranded(t.Context()))
	require.Empty(t, b.due("", 0))
	b.exec("UPDATE deployments SET status = 'failed', finished_at = now() WHERE id = $1", all[0].ID)
	b.requireWaiting(all[1].ID, 1, "its turn")
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { assert.NoError(t, b.AdmitStranded(t.Context())) })
	}
	wait.Wait()
	b.requireTurn(all[1].ID)
	b.requireWaiting(all[2].ID, 1, "deployment #2 of this environment")
	b.requireWaiting(others[1].ID, 1, "deployment #1 of this environment")
}

func TestQueue_DeletionLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	all := b.line(b.project("app"), 3)
	b.remove(all[0].Scope())
	for _, d := range all[1:] {
		require.Equal(t, deployment.StatusCanceled, b.status(d.ID))
		require.True(t, b.get(d.ID).Unknown())
	}
	require.Equal(t, deployment.StatusCanceling, b.status(all[0].ID))
	b.finish(all[0], "run", deployment.StatusCanceled)
	require.NoError(t, b.Purge(t.Context(), all[0].Scope()))
}

// A rollback is a deployment like others.
func TestQueue_ARollbackTakesItsTurn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	first := b.deploy(p, "production")
	require.NoError(t, b.begin(first, "run"))
	require.NoError(t, b.SetImage(t.Context(), first.ID, "run", deployment.BuiltImage{Image: "app", Digest: "sha256:1", Input: "in"}))
	b.live(first, "run")
	all := b.line(p, 2)
	back, _, err := b.CreateDeployment(t.Context(), deployment.NewDeployment{
		Project: p, Environment: "production", Reuse: &deployment.Reuse{From: first.ID},
	})
	require.NoError(t, err)
	b.requireWaiting(back.ID, 2, "deployment #"+number(all[0])+" of this environment")
	b.finish(all[0], "run", deployment.StatusFailed)
	b.finish(all[1], "", deployment.StatusFailed)
	b.requireTurn(back.ID)
}

func number(d deployment.Deployment) string { return strconv.Itoa(d.Number) }
