package main

import (
	"context"
	"slices"
)

// side is one of the two that are compared.
type side interface {
	name() string
	// adopt makes an app deployable, as one that was never seen before.
	adopt(ctx context.Context, a *app) error
	// ready brings about what a deploy takes for granted and is not measured by.
	ready(ctx context.Context, apps []*app) error
	// deploy deploys apps at the same time and waits until all of them answer as they should.
	deploy(ctx context.Context, apps []*app) (sample, error)
	// forget removes all of an app.
	forget(ctx context.Context, a *app) error
}

// measure deploys apps on a side.
func (b *bench) measure(ctx context.Context, s side, apps ...*app) (sample, error) {
	if err := s.ready(ctx, apps); err != nil {
		return sample{}, err
	}
	m, err := s.deploy(ctx, apps)
	if err == nil {
		b.logf("  %-7s %6.2f s: %s", s.name(), m.took.Seconds(), breakdown([]sample{m}))
	}
	return m, err
}

// both lets each side have its turn in a round. Who is first changes from round to round.
func (b *bench) both(round int, turn func(side) (sample, error)) (p pair, err error) {
	order := []side{b.slipway, b.bare}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	for _, s := range order {
		m, err := turn(s)
		if err != nil {
			return p, err
		}
		if s == b.slipway {
			p.slipway = m
		} else {
			p.bare = m
		}
	}
	return p, nil
}
