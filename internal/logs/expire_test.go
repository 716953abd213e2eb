package logs_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
)

// another is a bench with one more deployment, in an environment of its own.
func (b bench) another(name string) bench {
	b.t.Helper()
	p, err := b.store.CreateProject(b.t.Context(), deployment.Project{Name: name}.WithDefaults())
	require.NoError(b.t, err)
	d, _, err := b.store.CreateDeployment(b.t.Context(), deployment.NewDeployment{Project: p, Environment: "production"})
	require.NoError(b.t, err)
	b.id = d.ID
	return b
}

func (b bench) exec(sql string, args ...any) {
	b.t.Helper()
	_, err := b.pool.Exec(b.t.Context(), sql, args...)
	require.NoError(b.t, err)
}

// endedFor ends the deployment so long ago.
func (b bench) endedFor(hours int) {
	b.t.Helper()
	_, err := b.store.Finish(b.t.Context(), b.id, "", deployment.StatusFailed, nil)
	require.NoError(b.t, err)
	b.exec("UPDATE deployments SET finished_at = now() - $2 * interval '1 hour' WHERE id = $1", b.id, hours)
}

// short appends n lines.
func (b bench) short(w *logs.Writer, n int) {
	b.t.Helper()
	for i := range n {
		w.Append(b.id, line(fmt.Sprint(i)))
	}
	require.NoError(b.t, w.Flush(b.t.Context(), b.id))
}

func (b bench) removedAt() *time.Time {
	b.t.Helper()
	d, err := b.store.Deployment(b.t.Context(), b.id)
	require.NoError(b.t, err)
	return d.LogRemovedAt
}

func (b bench) expire(w *logs.Writer, want int) {
	b.t.Helper()
	n, err := w.Expire(b.t.Context(), 48*time.Hour)
	require.NoError(b.t, err)
	require.Equal(b.t, want, n)
}

// requireRemoved checks that nothing but the line that says so is left of a log of so many lines.
func (b bench) requireRemoved(lines int) {
	b.t.Helper()
	left := b.lines()
	require.Len(b.t, left, 1)
	cut, err := whole(left, 0)
	require.NoError(b.t, err)
	require.Equal(b.t, int64(1), cut.From)
	require.EqualValues(b.t, lines, cut.To)
	require.EqualValues(b.t, lines, cut.Lines)
	require.WithinDuration(b.t, time.Now(), *b.removedAt(), time.Minute)
	require.Contains(b.t, left[0].Text, fmt.Sprintf("… the log, %d lines (", lines))
	require.Contains(b.t, left[0].Text, fmt.Sprintf("was removed on %s after the retention of 2 days …", b.removedAt().Format(time.DateOnly)))
}

func TestAnOldLogIsRemovedAndSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	b.short(w, 12_345)
	b.expire(w, 0)
	b.endedFor(47)
	b.expire(w, 0)
	require.Nil(t, b.removedAt())
	b.requireGapless(12_345)
	b.endedFor(49)
	b.expire(w, 1)
	b.expire(w, 0)
	b.requireRemoved(12_345)
}

func TestOfAnEmptyLogNothingIsLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.endedFor(49)
	b.expire(b.writer(), 1)
	require.Empty(t, b.lines())
	require.NotNil(t, b.removedAt())
}

func TestACutLogIsRemovedToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.bounded(6_000 * 2 * 105)
	b.short(w, 40_000)
	_, cut := b.requireBounded(6_000 * 2 * 105)
	require.Greater(t, cut.From, int64(5_000), "its first lines take more than one batch")
	b.endedFor(49)
	b.expire(w, 1)
	b.requireRemoved(40_000)
}

// Killed between two of its transactions, a removal leaves what one that has done its share leaves.
func TestARemovalGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.bounded(1 << 30)
	b.exec("INSERT INTO log_heads (deployment_id, seq, head_to) VALUES ($1, 7000, 7000)", b.id)
	b.exec(`INSERT INTO log_lines (deployment_id, seq, time, step, attempt, stream, text)
		SELECT $1, n, now(), 'build', 1, 'stdout', n::text FROM generate_series(1, 7000) n`, b.id)
	b.exec("UPDATE log_heads SET seq = 157000 WHERE deployment_id = $1", b.id)
	b.exec(`INSERT INTO log_lines (deployment_id, seq, time, step, attempt, stream, text)
		SELECT $1, n, now(), 'build', 1, 'stdout', n::text FROM generate_series(7001, 157000) n`, b.id)
	b.endedFor(49)
	b.expire(w, 0)
	lines := b.lines()
	require.Len(t, lines, 57_001)
	cut, err := whole(lines, 0)
	require.NoError(t, err)
	require.EqualValues(t, 7_001, cut.From)
	require.Nil(t, b.removedAt())
	require.Contains(t, lines[7_000].Text, "were removed on ")
	b.expire(w, 1)
	b.requireRemoved(157_000)
}

func TestWhatIsLiveOrWasLatelyKeepsItsLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	b.short(w, 10)
	preview := func(state, since string) {
		b.exec(`INSERT INTO previews (deployment_id, host, container_id, container, network, address, state, updated_at)
			VALUES ($1, 'h', 'c', 'c', 'n', 'a', $2, now() - $3::interval)
			ON CONFLICT (deployment_id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at`, b.id, state, since)
	}
	b.endedFor(1000)
	b.exec("UPDATE environments SET live_deployment_id = $1", b.id)
	preview("stopped", "1000 hours")
	b.expire(w, 0)
	b.exec("UPDATE environments SET live_deployment_id = NULL")
	for _, state := range []string{"starting", "live", "asleep"} {
		preview(state, "1000 hours")
		b.expire(w, 0)
	}
	preview("stopped", "47 hours")
	b.expire(w, 0)
	b.exec("UPDATE environments SET deleted_at = now(), host = NULL")
	preview("stopped", "49 hours")
	b.expire(w, 0) // its teardown removes everything
	b.exec("UPDATE environments SET deleted_at = NULL")
	b.requireGapless(10)
	b.expire(w, 1)
	b.requireRemoved(10)
}

func TestARetryHasALogAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.bounded(200 * 200)
	b.numbered(w, 0, 150)
	b.endedFor(49)
	b.expire(w, 1)
	_, err := b.store.RequestRetry(t.Context(), b.id, 0)
	require.NoError(t, err)
	require.Nil(t, b.removedAt())
	b.numbered(w, 150, 152)
	lines, cut := b.requireBounded(200 * 200)
	require.EqualValues(t, 150, cut.To)
	require.Equal(t, []string{"150", "151"}, []string{strings.TrimSpace(lines[1].Text), strings.TrimSpace(lines[2].Text)})
	b.numbered(w, 152, 1000)
	b.requireBounded(200 * 200)

	b.exec("UPDATE deployments SET status = 'failed', retry_requested_at = NULL, finished_at = now() - interval '49 hours' WHERE id = $1", b.id)
	b.expire(w, 1)
	b.requireRemoved(1000)
}

func TestTwoRemoveLogsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	var all []bench
	for i := range 6 {
		one := b.another(fmt.Sprint("app-", i))
		one.short(w, 6_000)
		one.endedFor(49 + i)
		all = append(all, one)
	}
	var mutex sync.Mutex
	var removed int
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			n, err := w.Expire(t.Context(), 48*time.Hour)
			mutex.Lock()
			defer mutex.Unlock()
			removed += n
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	n, err := w.Expire(t.Context(), 48*time.Hour) // what each left to the other
	require.NoError(t, err)
	require.Equal(t, 6, removed+n)
	for _, one := range all {
		one.requireRemoved(6_000)
	}
}

func TestARemovalThatIsKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	b.short(w, 10)
	b.endedFor(50)
	second := b.another("second")
	second.short(w, 10)
	second.endedFor(49)
	tx, err := b.pool.Begin(t.Context()) // a writer is at the second log: the removal waits there
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT FROM log_heads WHERE deployment_id = $1 FOR UPDATE", second.id)
	require.NoError(t, err)
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := w.Expire(ctx, 48*time.Hour)
		ended <- err
	}()
	require.Eventually(t, func() bool { return b.removedAt() != nil }, time.Minute, 10*time.Millisecond)
	kill()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, tx.Rollback(t.Context()))
	b.requireRemoved(10)
	second.requireGapless(10)
	require.Eventually(t, func() bool { // Postgres sees a moment later that nobody waits for that transaction any more
		n, err := w.Expire(t.Context(), 48*time.Hour)
		return err == nil && n == 1
	}, time.Minute, 10*time.Millisecond)
	second.requireRemoved(10)
}
