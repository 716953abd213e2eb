package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/worker"
)

// leases is a ledger of one host.
type leases struct {
	mu   sync.Mutex
	open int
	most int
	err  error
}

func (l *leases) count(context.Context) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.err
}

func (l *leases) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open += n
	l.most = max(l.most, l.open)
}

func (l *leases) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func newSlots(l *leases, limit int, check time.Duration) *worker.LeaseSlots {
	return worker.NewLeaseSlots(l.count, limit, check, slog.New(slog.DiscardHandler))
}

func TestLeaseSlots_NeverMoreThanTheHostHas(t *testing.T) {
	t.Parallel()
	const limit, claimers, claims = 3, 12, 200
	ledger := &leases{}
	slots := newSlots(ledger, limit, time.Millisecond)
	var given, pending atomic.Int64
	var wait sync.WaitGroup
	for range claimers {
		wait.Go(func() {
			for given.Add(1) <= claims {
				if _, err := slots.ReserveSlot(t.Context(), nil); err != nil {
					t.Error(err)
					return
				}
				assert.LessOrEqual(t, pending.Add(1), int64(limit))
				ledger.add(1) // the claim takes its lease
				pending.Add(-1)
				slots.ReleaseSlot(nil)
				ledger.add(-1) // the build is over
				slots.Free()
			}
		})
	}
	wait.Wait()
	require.LessOrEqual(t, ledger.most, limit)
	require.Equal(t, limit, slots.MaxSlots())
	require.Nil(t, slots.TryReserveSlot(nil))
}

// reserve tells when a slot was given.
func reserve(ctx context.Context, slots *worker.LeaseSlots) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := slots.ReserveSlot(ctx, nil)
		done <- err
	}()
	return done
}

// requireWaits is for a bubble in which nobody does anything any more but wait.
func requireWaits(t *testing.T, done <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		t.Fatalf("a slot was given, or refused: %v", err)
	default:
	}
}

// requireGiven is the same for a slot that is given without a look at the clock.
func requireGiven(t *testing.T, done <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		require.NoError(t, err)
	default:
		t.Fatal("no slot was given")
	}
}

func TestLeaseSlots_FreeWakesWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := &leases{open: 1}
		slots := newSlots(ledger, 1, time.Hour)
		done := reserve(t.Context(), slots)
		requireWaits(t, done)
		ledger.add(-1)
		slots.Free()
		requireGiven(t, done)

		next := reserve(t.Context(), slots) // the claim has not ended yet, and takes no lease
		requireWaits(t, next)
		slots.ReleaseSlot(nil)
		requireGiven(t, next)
	})
}

func TestLeaseSlots_NoneWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slots := newSlots(&leases{}, 2, time.Hour)
		var room atomic.Bool
		slots.Room = room.Load
		first, second := reserve(t.Context(), slots), reserve(t.Context(), slots)
		requireWaits(t, first)
		requireWaits(t, second)
		room.Store(true)
		slots.Free()
		slots.Free()
		requireGiven(t, first)
		requireGiven(t, second)
	})
}

func TestLeaseSlots_TwoThatAreFreedAtOnceWakeTwo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := &leases{open: 2}
		slots := newSlots(ledger, 2, time.Hour)
		first, second := reserve(t.Context(), slots), reserve(t.Context(), slots)
		requireWaits(t, first)
		requireWaits(t, second)
		ledger.add(-2)
		slots.Free()
		slots.Free()
		requireGiven(t, first)
		requireGiven(t, second)
	})
}

func TestLeaseSlots_WaitsWhileTheLedgerCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := &leases{err: errors.New("connection refused")}
		slots := newSlots(ledger, 1, 5*time.Millisecond)
		done := reserve(t.Context(), slots)
		requireWaits(t, done)
		ledger.fail(nil)
		require.NoError(t, <-done)
	})
}

func TestLeaseSlots_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slots := newSlots(&leases{open: 1}, 1, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		done := reserve(ctx, slots)
		requireWaits(t, done)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}
