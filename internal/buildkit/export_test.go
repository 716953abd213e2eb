package buildkit

import (
	"context"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// SolveAndDie solves as a worker does that is killed before it can have the daemon forget the solve.
func (b *Builder) SolveAndDie(ctx context.Context, r deployment.BuildRequest, sink deployment.BuildSink) (deployment.BuildOutcome, error) {
	return b.build(ctx, r, sink)
}

// SolveAndDie does Builder.SolveAndDie at an address.
func (p *Pool) SolveAndDie(ctx context.Context, address string, r deployment.BuildRequest, sink deployment.BuildSink) (deployment.BuildOutcome, error) {
	return p.at(address).SolveAndDie(ctx, r, sink)
}
