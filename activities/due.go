package activities

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// beginDue begins what was accepted, admitted or to be retried while whoever was to begin it died.
func (r *Reconciler) beginDue(ctx context.Context, p *pass) error {
	errs := []error{r.admitStranded(ctx, p)}
	due, err := r.Stuck.Due(ctx, "", r.Age)
	errs = append(errs, err)
	for _, d := range due {
		errs = append(errs, r.begin(ctx, d, p))
	}
	return errors.Join(errs...)
}

// admitStranded admits what waits for nothing. It does not count: what it admits is begun, and counts then.
func (r *Reconciler) admitStranded(ctx context.Context, p *pass) error {
	if p.names {
		environments, err := r.Stuck.Stranded(ctx)
		if err != nil {
			return err
		}
		for _, id := range environments {
			p.name(deployment.Difference{Kind: "environment", Thing: id, Found: "deployments wait in it, and nothing is under way", Repair: "the next one admitted"})
		}
	}
	if p.dry {
		return nil
	}
	return r.Stuck.AdmitStranded(ctx)
}

// begin makes a run that is not there. A workflow that was terminated before it could begin is there, and will never run; one
// that goes on has not been taken by a worker yet.
func (r *Reconciler) begin(ctx context.Context, d deployment.Deployment, p *pass) error {
	start := func() error { return temporal.Begin(ctx, r.Stuck, r.Workflows, d) }
	if d.RetryRequestedAt != nil {
		return p.mend(&p.result.Retried, differenceOf(d, "its retry has no run", "retried"), start)
	}
	run, open, err := r.Workflows.CurrentRun(ctx, d.ID)
	switch {
	case err != nil || open:
		return err
	case run == "":
		return p.mend(&p.result.Started, differenceOf(d, "its workflow was never started", "started"), start)
	default:
		return r.closeLost(ctx, d, p)
	}
}
