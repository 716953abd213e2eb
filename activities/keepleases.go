package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// LeaseWorkflows is what Temporal knows of the workflows that keep leases.
type LeaseWorkflows interface {
	// PokeLease has the lease of an environment looked at, by a workflow that is begun if none is open.
	PokeLease(ctx context.Context, environmentID string) error
	// OpenLeases tells of which environments the leases are kept by an open workflow.
	OpenLeases(ctx context.Context) (map[string]bool, error)
}

// keepLeases has leases looked at about which something is due that nobody has done: the word of it was lost, a workflow was
// terminated, or a host has fallen silent, of which nobody is told. Only one that nobody keeps is a difference: an open workflow may be
// about what is due.
func (r *Reconciler) keepLeases(ctx context.Context, p *pass) error {
	leases, err := r.Leases.StandingLeases(ctx)
	if err != nil || len(leases) == 0 {
		return err
	}
	open, err := r.Workflows.OpenLeases(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range leases {
		duty := l.Duty(r.Policy)
		late := duty.Act != "" && l.Now.Sub(duty.Since) > r.Age
		unkept := !open[l.EnvironmentID] && (late || !duty.Next.IsZero() && l.Now.Sub(l.Since) > r.Age)
		poke := func() error { return r.Workflows.PokeLease(ctx, l.EnvironmentID) }
		switch {
		case unkept:
			errs = append(errs, p.mend(&p.result.Leases, unkeptLease(l, duty), poke))
		case late && !p.dry:
			errs = append(errs, poke())
		}
	}
	return errors.Join(errs...)
}

func unkeptLease(l deployment.StandingLease, duty deployment.Duty) deployment.Difference {
	found := "no workflow keeps its lease"
	if duty.Act != "" {
		found = fmt.Sprintf("%s, and is due to %s: %s", found, duty.Act, duty.Why)
	}
	return deployment.Difference{Kind: "preview", Thing: fmt.Sprintf("%s#%d", l.Project, l.Number), Found: found, Repair: "begun"}
}
