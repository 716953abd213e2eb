package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// past makes deployments over for two hours, with their logs removed.
func (b bench) past(all ...deployment.Deployment) {
	b.t.Helper()
	for _, d := range all {
		b.exec("UPDATE deployments SET finished_at = now() - interval '2 hours', log_removed_at = now() WHERE id = $1", d.ID)
		b.exec("UPDATE previews SET updated_at = now() - interval '2 hours' WHERE deployment_id = $1", d.ID)
	}
}

// failed is a new deployment that has ended.
func (b bench) failed(p deployment.Project, environment string) deployment.Deployment {
	b.t.Helper()
	d := b.deploy(p, environment)
	b.finish(d, "", deployment.StatusFailed)
	return d
}

// expire deletes what is over for an hour, and checks how many that were.
func (b bench) expire(keep, want int) {
	b.t.Helper()
	n, err := b.ExpireDeployments(b.t.Context(), time.Hour, keep, 100)
	require.NoError(b.t, err)
	require.Equal(b.t, want, n)
}

func (b bench) requireStands(d deployment.Deployment, stands bool) {
	b.t.Helper()
	_, err := b.Deployment(b.t.Context(), d.ID)
	if stands {
		require.NoError(b.t, err)
	} else {
		require.ErrorIs(b.t, err, deployment.ErrNotFound)
	}
}

// disown forgets what a deployment owns, as when its image is removed or its tag was passed on.
func (b bench) disown(d deployment.Deployment) {
	b.t.Helper()
	b.exec("DELETE FROM resources WHERE deployment_id = $1", d.ID)
}

func TestExpireDeployments_OldOnesButTheNewest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	old, young, logged := b.failed(p, "branch/a"), b.failed(p, "branch/a"), b.failed(p, "branch/a")
	newest, elsewhere := b.failed(p, "branch/a"), b.failed(p, "branch/b")
	b.past(old, young, logged, newest, elsewhere)
	b.exec("UPDATE deployments SET finished_at = now() - interval '59 minutes' WHERE id = $1", young.ID)
	b.exec("UPDATE deployments SET log_removed_at = NULL WHERE id = $1", logged.ID)
	b.expire(1, 1)
	b.expire(1, 0)
	b.requireStands(old, false)
	for _, d := range []deployment.Deployment{young, logged, newest, elsewhere} {
		b.requireStands(d, true)
	}
}

func TestExpireDeployments_LeavesWhatIsLiveUnderWayOrOwns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	live := b.shown(p, "production", "sha256:1")
	b.past(live)
	b.disown(live)
	b.exec("UPDATE previews SET state = 'stopped' WHERE deployment_id = $1", live.ID)

	running := b.deploy(p, "branch/a")
	b.through(running, "run", deployment.StepBuild)
	b.exec("UPDATE deployments SET log_removed_at = now() WHERE id = $1", running.ID)

	draining := b.shown(p, "branch/b", "sha256:2")
	b.shown(p, "branch/b", "sha256:3")
	b.past(draining)
	b.disown(draining)
	b.exec("UPDATE deployments SET image_removed_at = now() WHERE id = $1", draining.ID)
	b.exec("UPDATE previews SET state = 'live' WHERE deployment_id = $1", draining.ID)

	owner := b.failed(p, "branch/c")
	require.NoError(t, b.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceWorkspace, Name: "w", Host: "h", DeploymentID: owner.ID, RunID: "run"}))
	b.past(owner)
	for _, environment := range []string{"production", "branch/a", "branch/c"} {
		b.deploy(p, environment) // a newer one, so that it is not for being the newest that one stays
	}
	b.expire(1, 0)

	// What held them goes, one after the other.
	b.disown(owner)
	b.expire(1, 1)
	b.requireStands(owner, false)
	b.exec("UPDATE previews SET state = 'stopped', updated_at = now() WHERE deployment_id = $1", draining.ID)
	b.expire(1, 0) // stopped just now
	b.past(draining)
	b.expire(1, 1)
	b.requireStands(draining, false)
	b.requireStands(live, true)
	b.requireStands(running, true)
}

func TestExpireDeployments_LeavesWhatOneMayGoBackTo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	gone, one := b.shown(p, "production", "sha256:1"), b.shown(p, "production", "sha256:2")
	again, third := b.shown(p, "production", "sha256:2"), b.shown(p, "production", "sha256:2")
	live := b.shown(p, "production", "sha256:3")
	b.exec("UPDATE deployments SET image_removed_at = now() WHERE id = $1", gone.ID)
	for _, d := range []deployment.Deployment{gone, one, again, third, live} {
		b.disown(d)
		b.past(d)
	}
	b.expire(3, 2)
	b.requireStands(gone, false) // its image is given up
	b.requireStands(one, false)  // the fourth of what was live last
	b.requireStands(again, true)
	b.expire(1, 1)
	b.requireStands(again, false)
	b.requireStands(third, true) // the newest that has this image, which is kept
	b.requireStands(live, true)

	back, err := b.reuse(p, "production", "")
	require.NoError(t, err)
	require.Equal(t, third.ID, back.ReusedFrom)
}

func TestExpireDeployments_LeavesWhereAnImageIsFrom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	first := b.shown(p, "production", "sha256:1")
	second := b.shown(p, "production", "sha256:2")
	back, err := b.reuse(p, "production", first.ID)
	require.NoError(t, err)
	b.live(back, "run")
	for _, d := range []deployment.Deployment{first, second, back} {
		b.disown(d)
		b.past(d)
		b.exec("UPDATE previews SET state = 'stopped' WHERE deployment_id = $1 AND deployment_id <> $2", d.ID, back.ID)
	}
	b.exec("UPDATE deployments SET image_removed_at = now() WHERE id = $1", second.ID)
	b.expire(1, 1)
	b.requireStands(second, false)
	b.requireStands(first, true) // without it, nobody would know where in the order the live one stands
	require.Equal(t, first.ID, b.get(back.ID).ReusedFrom)
}

func TestExpireDeployments_WhatWasReplacedStaysReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	first, second, third := b.shown(p, "production", "sha256:1"), b.shown(p, "production", "sha256:2"), b.shown(p, "production", "sha256:3")
	require.Equal(t, second.ID, b.get(first.ID).SupersededBy)
	b.disown(second)
	b.past(second)
	b.exec("UPDATE deployments SET image_removed_at = now() WHERE id = $1", second.ID)
	b.expire(1, 1)
	require.Equal(t, third.ID, b.get(first.ID).SupersededBy)

	waits := b.deploy(p, "branch/a")
	newer := b.failed(p, "branch/a")
	b.failed(p, "branch/a")
	require.Equal(t, newer.ID, b.get(waits.ID).SupersededBy)
	b.past(newer)
	b.expire(1, 1)
	require.Equal(t, deployment.StatusSuperseded, b.status(waits.ID))
	require.Empty(t, b.get(waits.ID).SupersededBy, "nothing replaced that one")
}

func TestExpireDeployments_TakesEverythingAlong(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	request := deployment.NewDeployment{Project: p, Environment: "production", IdempotencyKey: "once", RequestDigest: []byte("digest")}
	d, _, err := b.CreateDeployment(t.Context(), request)
	require.NoError(t, err)
	b.through(d, "run", deployment.StepBuild)
	b.finish(d, "run", deployment.StatusFailed)
	b.exec("INSERT INTO log_heads (deployment_id, seq) VALUES ($1, 1)", d.ID)
	b.exec("INSERT INTO log_lines (deployment_id, seq, time, step, attempt, stream, text) VALUES ($1, 1, now(), 'build', 1, 'stdout', 'x')", d.ID)
	b.failed(p, "production")
	b.past(d)
	b.expire(1, 1)
	for _, table := range []string{"steps", "log_heads", "log_lines"} {
		var n int
		require.NoError(t, b.Pool().QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
		require.Zero(t, n, table)
	}
	again, created, err := b.CreateDeployment(t.Context(), request)
	require.NoError(t, err)
	require.True(t, created, "a key is kept as long as its row")
	require.Equal(t, 3, again.Number, "numbers are given out once")
}

func TestExpireDeployments_InBatchesAndByTwoAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 3 {
		p := b.project(fmt.Sprint("app-", i))
		for range 11 {
			b.past(b.failed(p, "production"))
		}
	}
	n, err := b.ExpireDeployments(t.Context(), time.Hour, 1, 4)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	var sum int
	var mutex sync.Mutex
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			n, err := b.ExpireDeployments(t.Context(), time.Hour, 1, 100)
			mutex.Lock()
			defer mutex.Unlock()
			sum += n
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	require.Equal(t, 26, sum, "each counts once, and the newest of each environment stays")
	b.expire(1, 0)
}

func TestExpireDeployments_ASweepThatIsKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one, two := b.project("one"), b.project("two")
	first, second := b.failed(one, "production"), b.failed(two, "production")
	b.failed(one, "production")
	b.failed(two, "production")
	b.past(first, second)
	b.exec("UPDATE deployments SET finished_at = finished_at - interval '1 hour' WHERE id = $1", first.ID)

	tx, err := b.Pool().Begin(t.Context()) // somebody creates in the second project: the sweep waits there
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT FROM projects WHERE id = $1 FOR UPDATE", two.ID)
	require.NoError(t, err)
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		n, err := b.ExpireDeployments(ctx, time.Hour, 1, 100)
		if n != 1 {
			err = errors.Join(err, fmt.Errorf("%d are deleted", n))
		}
		ended <- err
	}()
	require.Eventually(t, func() bool {
		_, err := b.Deployment(t.Context(), first.ID)
		return errors.Is(err, deployment.ErrNotFound)
	}, time.Minute, 10*time.Millisecond)
	kill()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, tx.Rollback(t.Context()))
	b.requireStands(second, true)
	b.expire(1, 1)
	b.requireStands(second, false)
}

// Whichever comes first: a rollback that was accepted finds where its image is from, one that comes too late is told so.
func TestExpireDeployments_AgainstRollbacksAndRetries(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 15 {
		p := b.project(fmt.Sprintf("app-%d", i))
		old := b.shown(p, "production", "sha256:same")
		b.shown(p, "production", "sha256:same")
		failed := b.failed(p, "branch/a")
		b.finish(b.deploy(p, "branch/a"), "", deployment.StatusCanceled)
		b.disown(old)
		b.past(old, failed)
		var rollback, retry error
		var wait sync.WaitGroup
		wait.Go(func() { _, rollback = b.reuse(p, "production", old.ID) })
		wait.Go(func() { _, retry = b.RequestRetry(t.Context(), failed.ID, 0) })
		_, err := b.ExpireDeployments(t.Context(), time.Hour, 1, 100)
		wait.Wait()
		require.NoError(t, err)
		b.requireStands(old, rollback == nil)
		b.requireStands(failed, retry == nil)
		if retry == nil {
			require.Nil(t, b.get(failed.ID).LogRemovedAt, "it has a log again")
		} else {
			require.ErrorIs(t, retry, deployment.ErrNotFound)
		}
	}
}

func TestExpireDeployments_LeavesWhatIsDeletedToItsTeardown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	old := b.failed(p, "production")
	b.past(old, b.failed(p, "production"))
	b.remove(old.Scope())
	b.expire(1, 0)
	b.requireStands(old, true)
}
