package main

import (
	"context"
	"fmt"
)

// comparison is what a case has measured, by app.
type comparison struct {
	apps  []string
	pairs map[string][]pair
}

func (c *comparison) add(app string, p pair) {
	if c.pairs == nil {
		c.pairs = map[string][]pair{}
	}
	if c.pairs[app] == nil {
		c.apps = append(c.apps, app)
	}
	c.pairs[app] = append(c.pairs[app], p)
}

// twins are the two copies of an example, one for each side.
type twins struct {
	source string
	of     map[side]*app
}

func (b *bench) newTwins(ctx context.Context, source, prefix string) (t twins, err error) {
	t = twins{source, map[side]*app{}}
	for _, s := range []side{b.slipway, b.bare} {
		if t.of[s], err = b.newApp(ctx, source, fmt.Sprintf("bench-%s-%s-%s", prefix, source, s.name())); err != nil {
			return t, err
		}
	}
	return t, nil
}

// cold deploys apps that nobody has seen before, with nothing cached.
func (b *bench) cold(ctx context.Context) error {
	return b.coldly(ctx, caseCold, func(ctx context.Context, round int, all []twins) error {
		for _, t := range all {
			if !b.more(round) {
				return nil
			}
			p, err := b.both(round, func(s side) (sample, error) { return b.fromNothing(ctx, s, t.of[s]) })
			if err != nil {
				return err
			}
			b.results[caseCold].add(t.source, p)
		}
		return nil
	})
}

// four deploys all apps at once, with nothing cached.
func (b *bench) four(ctx context.Context) error {
	return b.coldly(ctx, caseFour, func(ctx context.Context, round int, all []twins) error {
		p, err := b.both(round, func(s side) (sample, error) {
			var apps []*app
			for _, t := range all {
				apps = append(apps, t.of[s])
			}
			return b.fromNothing(ctx, s, apps...)
		})
		if err == nil {
			b.results[caseFour].add("all", p)
		}
		return err
	})
}

func (b *bench) coldly(ctx context.Context, as string, turn func(context.Context, int, []twins) error) error {
	b.slipway.as = as
	var all []twins
	for _, source := range b.apps {
		t, err := b.newTwins(ctx, source, as)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	for round := 0; b.more(round); round++ {
		b.logf("%s, round %d", as, round+1)
		if err := turn(ctx, round, all); err != nil {
			return err
		}
	}
	return nil
}

// fromNothing deploys apps that are new to the side, with BuildKit's cache empty and no image of them on the engine, and removes
// all of them.
func (b *bench) fromNothing(ctx context.Context, s side, apps ...*app) (m sample, err error) {
	if err := b.sweep(ctx); err != nil {
		return m, err
	}
	if err := b.prune(ctx); err != nil {
		return m, err
	}
	for _, a := range apps {
		if err := b.commit(ctx, a); err != nil {
			return m, err
		}
		if err := s.adopt(ctx, a); err != nil {
			return m, err
		}
	}
	if m, err = b.measure(ctx, s, apps...); err != nil {
		return m, err
	}
	for _, a := range apps {
		if err := s.forget(ctx, a); err != nil {
			return m, err
		}
	}
	return m, nil
}

// warm deploys a commit that changes one line of what was deployed before, and then that commit again.
func (b *bench) warm(ctx context.Context) error {
	var all []twins
	for _, source := range b.apps {
		t, err := b.newTwins(ctx, source, "warm")
		if err != nil {
			return err
		}
		all = append(all, t)
		b.logf("first deploys of %s", source)
		if err := b.first(ctx, t); err != nil {
			return err
		}
	}
	for round := 0; b.more(round); round++ {
		for _, t := range all {
			if !b.more(round) {
				break
			}
			if err := b.warmRound(ctx, round, t); err != nil {
				return err
			}
		}
	}
	for _, t := range all {
		for s, a := range t.of {
			if err := s.forget(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// first deploys an app on each side, so that there is something to change. It is not compared: whoever comes second finds the base
// image in BuildKit's cache.
func (b *bench) first(ctx context.Context, t twins) error {
	b.slipway.as = "first"
	for _, s := range []side{b.slipway, b.bare} {
		if err := s.adopt(ctx, t.of[s]); err != nil {
			return err
		}
		if _, err := b.measure(ctx, s, t.of[s]); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) warmRound(ctx context.Context, round int, t twins) error {
	for _, as := range []string{caseChanged, caseSame} {
		b.logf("%s, round %d of %s", as, round+1, t.source)
		b.slipway.as = as
		p, err := b.both(round, func(s side) (sample, error) {
			if as == caseChanged {
				if err := b.commit(ctx, t.of[s]); err != nil {
					return sample{}, err
				}
			}
			return b.measure(ctx, s, t.of[s])
		})
		if err != nil {
			return err
		}
		b.results[as].add(t.source, p)
	}
	return nil
}
