package activities

import (
	"errors"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// pass is one look at what differs. It repairs what it finds unless it only looks, and names it when somebody wants to know.
type pass struct {
	names, dry bool
	result     temporal.ReconcileResult
}

func passFor(in temporal.ReconcileInput) *pass { return &pass{names: in.Named(), dry: in.DryRun} }

// mend repairs one difference and counts it. What has moved on since it was found is none. Where differences are named, one that
// cannot be repaired is named with the reason; else that is the error.
func (p *pass) mend(count *int, d deployment.Difference, repair func() error) error {
	if p.dry {
		p.name(d)
		return nil
	}
	err := repair()
	switch {
	case errors.Is(err, deployment.ErrStaleRun), errors.Is(err, deployment.ErrConflict):
		return nil
	case err == nil:
		*count++
	case p.names:
		f := failureOf(err, "")
		d.Error, d.Fix, err = bounded(f.Message, maxFailureLine), f.Fix, nil
	}
	p.name(d)
	return err
}

// name adds a difference to those that the result names.
func (p *pass) name(d deployment.Difference) {
	if p.names {
		p.result.Name(d)
	}
}
