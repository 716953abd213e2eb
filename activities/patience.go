package activities

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	defaultPatience = 25 * time.Second       // a restart or a failover of Postgres
	lastWord        = 5 * time.Second        // for the end of a step, once the log is stored or was waited for, and for a phase, which is told once
	progressTime    = time.Second            // for a percentage, which the next one replaces: the work waits for it
	persistInterval = 200 * time.Millisecond // between two tries
)

// final are the answers of the store that no second try changes.
var final = []error{
	deployment.ErrStaleRun, deployment.ErrEnded, deployment.ErrConflict, deployment.ErrSuperseded, deployment.ErrCancelRequested,
	deployment.ErrNotFound, deployment.ErrInvalidMove,
}

func (r *Recorder) patience() time.Duration {
	if r.Patience > 0 {
		return r.Patience
	}
	return defaultPatience
}

// persist calls write until it succeeds, is refused, ctx ends, or Postgres has been away for too long; it returns
// write's last error. Without it the attempts of a step are used up in seconds while Postgres restarts.
func (r *Recorder) persist(ctx context.Context, write func() error) error {
	waiting, cancel := context.WithTimeout(ctx, r.patience())
	defer cancel()
	tick := time.NewTicker(persistInterval)
	defer tick.Stop()
	for {
		err := write()
		if err == nil || isFinal(err) {
			return err
		}
		select {
		case <-tick.C:
		case <-waiting.Done():
			return err
		}
	}
}

func isFinal(err error) bool {
	for _, answer := range final {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
