package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdkworker "go.temporal.io/sdk/worker"
)

// LeaseSlots lets a worker poll for claims only while its host has a free lease. A slot of the SDK ends with the claim
// activity, but the lease that it took lasts until the build has left the host: without this supplier one host would
// claim every deploy in the queue while the others idle.
type LeaseSlots struct {
	Open  func(ctx context.Context) (int, error) // slots of this host that are taken, as the ledger says
	Max   int
	Check time.Duration // how often to look again while there is no free lease, besides Free
	Room  func() bool   // whether the host has room for a build; nil for always
	Log   *slog.Logger

	mu      sync.Mutex
	pending int // slots given out for claims that have not ended
	freed   chan struct{}
}

// NewLeaseSlots returns a supplier of max slots.
func NewLeaseSlots(open func(context.Context) (int, error), max int, check time.Duration, log *slog.Logger) *LeaseSlots {
	return &LeaseSlots{Open: open, Max: max, Check: check, Log: log, freed: make(chan struct{}, 1)}
}

// Free says that a lease was given back, or that there is room again, so that a waiting poller looks at once.
func (s *LeaseSlots) Free() {
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// ReserveSlot waits until the host has a lease to give. When the ledger cannot be read it waits too: to claim blindly
// would be to overload the host.
func (s *LeaseSlots) ReserveSlot(ctx context.Context, _ sdkworker.SlotReservationInfo) (*sdkworker.SlotPermit, error) {
	for {
		free, err := s.reserve(ctx)
		if free {
			return &sdkworker.SlotPermit{}, nil
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("count leases", "error", err)
		}
		timer := time.NewTimer(s.Check)
		select {
		case <-timer.C:
		case <-s.freed:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}

func (s *LeaseSlots) reserve(ctx context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending >= s.Max || s.Room != nil && !s.Room() {
		return false, nil
	}
	ask, cancel := context.WithTimeout(ctx, 5*time.Second) // the end of a claim waits for the mutex
	defer cancel()
	open, err := s.Open(ask)
	if err != nil || open+s.pending >= s.Max {
		return false, err
	}
	s.pending++
	return true, nil
}

// TryReserveSlot never gives a slot: it is asked for eager activities, which claims are not.
func (s *LeaseSlots) TryReserveSlot(sdkworker.SlotReservationInfo) *sdkworker.SlotPermit { return nil }

// MarkSlotUsed changes nothing: a slot counts from its reservation on.
func (s *LeaseSlots) MarkSlotUsed(sdkworker.SlotMarkUsedInfo) {}

// ReleaseSlot ends a claim; the lease that it may have taken stands in the ledger by now.
func (s *LeaseSlots) ReleaseSlot(sdkworker.SlotReleaseInfo) {
	s.mu.Lock()
	s.pending--
	s.mu.Unlock()
	s.Free()
}

// MaxSlots returns the number of leases of the host.
func (s *LeaseSlots) MaxSlots() int { return s.Max }
