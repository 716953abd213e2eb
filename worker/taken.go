package worker

import (
	"context"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Leases is what the ledger knows of the build slots of a host.
type Leases interface {
	OpenLeases(ctx context.Context, host string) ([]deployment.Resource, error)
	// LeasesBefore lists the leases of a host that were taken longer ago than age.
	LeasesBefore(ctx context.Context, host string, age time.Duration) ([]deployment.Resource, error)
}

// Taken counts the build slots of a host that are taken. A lease is not, when its deployment claims a slot again: the answer of
// its claim was lost, or the host was silent for so long that the deployment gave it up. If it counted, a host with one slot would
// never take the claim that waits for that very slot.
type Taken struct {
	Leases Leases
	Claims func(ctx context.Context, deploymentID string) (bool, error) // whether a deployment waits for a slot, as Temporal says
	Host   string
	Max    int
	Age    time.Duration // of leases that may be so: a claim that was not answered in time is made again
	Every  time.Duration // how often to ask Temporal while every slot is taken

	mu    sync.Mutex
	asked time.Time
}

// Count returns how many are taken.
func (t *Taken) Count(ctx context.Context) (int, error) {
	open, err := t.Leases.OpenLeases(ctx, t.Host)
	if err != nil || len(open) < t.Max || !t.due() {
		return len(open), err
	}
	old, err := t.Leases.LeasesBefore(ctx, t.Host, t.Age)
	if err != nil {
		return 0, err
	}
	taken := len(open)
	for _, lease := range old {
		again, err := t.Claims(ctx, lease.DeploymentID)
		if err != nil {
			return 0, err
		}
		if again {
			taken--
		}
	}
	return taken, nil
}

func (t *Taken) due() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.asked) < t.Every {
		return false
	}
	t.asked = time.Now()
	return true
}
