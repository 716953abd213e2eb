package activities

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// startTimeout bounds a word to Temporal after the end of a deployment: what it does not hear, the reconciler says again.
const startTimeout = 5 * time.Second

// Line is what the store knows of deployments that take turns.
type Line interface {
	// Due lists the deployments whose turn came longer ago than the given age and that no run has begun, or whose retry has no
	// run yet: those of the environment of beside, or of all when that is empty.
	Due(ctx context.Context, beside string, olderThan time.Duration) ([]deployment.Deployment, error)
	temporal.RetryRows
	// AdmitStranded admits what waits although nothing of its environment is under way.
	AdmitStranded(ctx context.Context) error
}

// Turns begins the deployments whose turn has come. Two may do so at the same time: there is one workflow for a deployment,
// and one run for a retry.
type Turns struct {
	Line      Line
	Workflows temporal.Starter
	Log       *slog.Logger
}

// Next begins what the end of a deployment has admitted. The end stands whatever becomes of this: what is not begun here is
// begun by the reconciler.
func (t *Turns) Next(ctx context.Context, ended string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	if err := t.beginAll(ctx, ended); err != nil {
		t.Log.WarnContext(ctx, "next deploy not started; the reconciler will", "ended", ended, "error", err)
	}
}

// beginAll begins what is due beside a deployment. What cannot be begun does not keep the rest from it.
func (t *Turns) beginAll(ctx context.Context, beside string) error {
	due, err := t.Line.Due(ctx, beside, 0)
	errs := []error{err}
	for _, d := range due {
		errs = append(errs, temporal.Begin(ctx, t.Line, t.Workflows, d))
	}
	return errors.Join(errs...)
}
