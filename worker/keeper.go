package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// pokeTimeout bounds a word to Temporal, pokePause is how long a Keeper waits before it says again what was not heard.
const pokeTimeout, pokePause = 5 * time.Second, time.Second

// PreviewLeases is what a Keeper asks the store for.
type PreviewLeases interface {
	// ListenLeases tells until ctx ends of which environments the leases have changed: changed with an id, all when that may have been
	// missed.
	ListenLeases(ctx context.Context, log *slog.Logger, all func(), changed func(environmentID string))
	StandingLeases(ctx context.Context) ([]deployment.StandingLease, error)
}

// Keeper passes the word that a lease has changed on, from Postgres to the workflow that keeps it. Several may do so at the same time.
type Keeper struct {
	Leases PreviewLeases
	Poke   func(ctx context.Context, environmentID string) error // has a lease looked at
	Policy deployment.LeasePolicy
	Log    *slog.Logger

	mu      sync.Mutex
	missed  bool            // words may have been
	changed map[string]bool // environments
	words   chan struct{}   // there are some
}

// Run passes words on until ctx ends. What Temporal does not hear is said again.
func (k *Keeper) Run(ctx context.Context) {
	k.words = make(chan struct{}, 1)
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() {
		k.Leases.ListenLeases(ctx, k.Log, func() { k.note(true) }, func(id string) { k.note(false, id) })
	})
	for {
		select {
		case <-k.words:
		case <-ctx.Done():
			return
		}
		err := k.passOn(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		k.Log.Warn("leases of previews are looked at later", "error", err)
		select {
		case <-time.After(pokePause):
		case <-ctx.Done():
		}
	}
}

func (k *Keeper) note(missed bool, environments ...string) {
	k.mu.Lock()
	k.missed = k.missed || missed
	if k.changed == nil {
		k.changed = map[string]bool{}
	}
	for _, id := range environments {
		k.changed[id] = true
	}
	k.mu.Unlock()
	select {
	case k.words <- struct{}{}:
	default:
	}
}

// passOn says all there is to say. What it could not say is there to be said again.
func (k *Keeper) passOn(ctx context.Context) error {
	k.mu.Lock()
	missed, changed := k.missed, k.changed
	k.missed, k.changed = false, nil
	k.mu.Unlock()
	var failed error
	if missed {
		if failed = k.noteDue(ctx); failed != nil {
			k.note(true)
		}
	}
	for id := range changed {
		if failed == nil {
			failed = k.poke(ctx, id)
		}
		if failed != nil {
			k.note(false, id)
		}
	}
	return failed
}

// noteDue notes every lease about which something is due.
func (k *Keeper) noteDue(ctx context.Context) error {
	leases, err := k.Leases.StandingLeases(ctx)
	for _, l := range leases {
		if l.Duty(k.Policy).Act != "" {
			k.note(false, l.EnvironmentID)
		}
	}
	return err
}

func (k *Keeper) poke(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, pokeTimeout)
	defer cancel()
	return k.Poke(ctx, id)
}
