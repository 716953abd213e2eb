package activities

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Past deletes what is over for longer than it is kept.
type Past interface {
	// ExpiredDeployments lists deployments that are over for longer than age and whose logs are removed, at most limit of them. It
	// leaves out what is live, under way, owns something, is the newest of its environment, or may be gone back to as one of the last
	// keep.
	ExpiredDeployments(ctx context.Context, age time.Duration, keep, limit int) (ids []string, err error)
	// ExpireDeployments deletes those.
	ExpireDeployments(ctx context.Context, age time.Duration, keep, limit int) (int, error)
}

// PastLogs removes logs.
type PastLogs interface {
	// Expired lists some deployments that are over for longer than age and have their logs still.
	Expired(ctx context.Context, age time.Duration) (ids []string, err error)
	// Expire removes some of these logs, and returns how many are gone.
	Expire(ctx context.Context, age time.Duration) (int, error)
}

// deploymentsAPass bounds how many deployments a pass deletes.
const deploymentsAPass = 100

// removePast removes logs before the deployments that lead to them.
func (r *Reconciler) removePast(ctx context.Context, p *pass) (err error) {
	if r.Keep.Logs > 0 {
		if err := r.removePastLogs(ctx, p); err != nil {
			return err
		}
	}
	if r.Keep.Deployments == 0 {
		return nil
	}
	if p.names {
		ids, err := r.Past.ExpiredDeployments(ctx, r.Keep.Deployments, r.Keep.Images, deploymentsAPass)
		if err != nil {
			return err
		}
		for _, id := range ids {
			p.name(deployment.Difference{Kind: "deployment", Thing: id, Found: "past its retention", Repair: "deleted"})
		}
	}
	if !p.dry {
		p.result.Deployments, err = r.Past.ExpireDeployments(ctx, r.Keep.Deployments, r.Keep.Images, deploymentsAPass)
	}
	return err
}

func (r *Reconciler) removePastLogs(ctx context.Context, p *pass) (err error) {
	if p.names {
		ids, err := r.PastLogs.Expired(ctx, r.Keep.Logs)
		if err != nil {
			return err
		}
		for _, id := range ids {
			p.name(deployment.Difference{Kind: "log", Thing: "of deployment " + id, Found: "past its retention", Repair: "removed"})
		}
	}
	if !p.dry {
		p.result.Logs, err = r.PastLogs.Expire(ctx, r.Keep.Logs)
	}
	return err
}
