package logs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// wait calls Wait in the background and returns its answer.
func (b bench) wait(after int64, timeout time.Duration) <-chan error {
	return b.waitKnowing(after, false, timeout)
}

// waitKnowing does so for a caller who knows whether the deployment has ended.
func (b bench) waitKnowing(after int64, ended bool, timeout time.Duration) <-chan error {
	answer := make(chan error, 1)
	go func() { answer <- b.reader.Wait(b.t.Context(), b.id, after, ended, timeout) }()
	return answer
}

// waitJoined does so for an hour, and returns when Wait has begun to listen: when its query, which comes after, stands
// before a lock.
func (b bench) waitJoined(after int64) <-chan error {
	b.t.Helper()
	tx, err := b.pool.Begin(b.t.Context())
	require.NoError(b.t, err)
	_, err = tx.Exec(b.t.Context(), "LOCK TABLE log_heads IN ACCESS EXCLUSIVE MODE")
	require.NoError(b.t, err)
	answer := b.wait(after, time.Hour)
	require.Eventually(b.t, func() bool {
		var n int
		err := tx.QueryRow(b.t.Context(), "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = current_database() AND NOT granted").Scan(&n)
		return err == nil && n > 0
	}, time.Minute, 10*time.Millisecond)
	require.NoError(b.t, tx.Rollback(b.t.Context()))
	return answer
}

func requireSoon(t *testing.T, answer <-chan error) {
	t.Helper()
	select {
	case err := <-answer:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was woken")
	}
}

// untilListening returns once a notification has come through: they are sent until one wakes who waits.
func (b bench) untilListening() {
	b.t.Helper()
	answer := b.wait(1<<40, time.Hour)
	require.Eventually(b.t, func() bool {
		if _, err := b.pool.Exec(b.t.Context(), "SELECT pg_notify('slipway_deployment', $1)", b.id); err != nil {
			return false
		}
		select {
		case err := <-answer:
			if err != nil { // its connection was one that an outage has cut
				answer = b.wait(1<<40, time.Hour)
			}
			return err == nil
		default:
			return false
		}
	}, time.Minute, time.Millisecond)
}

func TestWaitIsWokenByLinesAndByStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	b.untilListening()

	answer := b.wait(0, time.Hour)
	w.Append(b.id, line("a"))
	requireSoon(t, answer)
	requireSoon(t, b.wait(0, time.Hour)) // there is a line already

	answer = b.waitJoined(1)
	_, err := b.store.RequestCancel(t.Context(), b.id)
	require.NoError(t, err)
	requireSoon(t, answer)

	_, err = b.store.Finish(t.Context(), b.id, "", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	requireSoon(t, b.wait(1, time.Hour)) // nothing more of the deploy will come

	answer = b.waitKnowing(1, true, time.Hour)
	select {
	case err := <-answer:
		t.Fatalf("a caller who knows of the end waits for what the app prints, and was answered %v", err)
	default:
	}
	w.Append(b.id, line("of the app"))
	requireSoon(t, answer)
}

func TestWaitEndsWithItsTimeoutAndItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.reader.Wait(t.Context(), b.id, 0, false, time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.reader.Wait(ctx, b.id, 0, false, time.Hour), context.Canceled)
	err := b.reader.Wait(t.Context(), "01890000-0000-7000-8000-000000000000", 0, false, time.Hour)
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestManyFollowersSeeEveryLine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	const followers, lines = 8, 300
	results := make(chan error, followers)
	for range followers {
		go func() { results <- follow(b, lines) }()
	}
	for n := range lines {
		w.Append(b.id, line(fmt.Sprint(n)))
		if n%50 == 0 {
			require.NoError(t, w.Flush(t.Context(), b.id))
		}
	}
	for range followers {
		require.NoError(t, <-results)
	}
}

func follow(b bench, want int64) error {
	var seen int64
	for seen < want {
		if err := b.reader.Wait(b.t.Context(), b.id, seen, false, 2*time.Second); err != nil {
			return err
		}
		lines, err := b.reader.Lines(b.t.Context(), b.id, seen, 100)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if seen++; l.Seq != seen || l.Text != fmt.Sprint(seen-1) {
				return fmt.Errorf("line %d is %d, %q", seen, l.Seq, l.Text)
			}
		}
	}
	return nil
}

func TestTheListenerComesBackAfterAnOutage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.untilListening()
	answer := b.waitJoined(0)
	// Its query must be over before the outage, which would fail it: the connection is back in the pool then.
	require.Eventually(t, func() bool { return b.pool.Stat().AcquiredConns() == 0 }, time.Minute, time.Millisecond)
	b.outage()()
	requireSoon(t, answer) // nobody knows what was said meanwhile, so everybody is woken
	b.untilListening()
}
