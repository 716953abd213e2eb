package buildkit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	askEvery   = 5 * time.Second // between two looks at a builder
	answerTime = 2 * time.Second // after which a builder that says nothing counts as away
	overload   = 1.25            // how much more than its share of builds a builder may have
	always     = 2               // builds that one may have whatever its share is: a cold cache costs more than a neighbour
)

// Pool is one or several builders that stand in for each other. A project's builds go to the same one, where its layers
// and cache mounts are, unless that is away or has far more builds than others. It is safe for concurrent use.
type Pool struct {
	log     *slog.Logger
	mu      sync.Mutex
	members []*member
}

// member is a builder with what the pool knows of it.
type member struct {
	*Builder
	away   bool
	builds int // of this process
}

// NewPool returns the builders at addresses, which connect at the first use. What else opts says holds for each.
func NewPool(ctx context.Context, opts Options, addresses []string, log *slog.Logger) (*Pool, error) {
	p := &Pool{log: log}
	for _, address := range addresses {
		opts.Address = address
		b, err := New(ctx, opts)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.members = append(p.members, &member{Builder: b})
	}
	return p, nil
}

// Close closes the connections, which cancels the solves that are under way.
func (p *Pool) Close() error {
	var errs []error
	for _, m := range p.members {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// Choose returns the address of the builder that a build of the project is for, which answered just now; done has to be
// called when the build has ended. When none answers that is a *deployment.Failure, which is worth another try.
func (p *Pool) Choose(ctx context.Context, project string) (address string, done func(), err error) {
	var tried []*member
	var errs []error
	for {
		m := p.take(project, tried)
		if m == nil {
			return "", nil, deployment.AwayFailure(deployment.ComponentBuildKit, "build.builder_unavailable",
				"check that buildkitd runs at "+p.addresses(), "choose a builder: %w", errors.Join(errs...))
		}
		release := sync.OnceFunc(func() { p.release(m) })
		if err = p.ask(ctx, m); err == nil {
			return m.address, release, nil
		}
		release()
		if ctx.Err() != nil {
			return "", nil, fmt.Errorf("choose a builder: %w", ctx.Err())
		}
		tried, errs = append(tried, m), append(errs, err)
	}
}

// Home returns the address of the builder that builds of the project go to while it is not overloaded, for what goes with one of them and
// counts as none.
func (p *Pool) Home(project string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ranked := p.ranked(project)
	return ranked[max(0, slices.IndexFunc(ranked, func(m *member) bool { return !m.away }))].address
}

// take counts a build for the best builder that was not tried yet; nil when all were.
func (p *Pool) take(project string, tried []*member) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	ranked := slices.DeleteFunc(p.ranked(project), func(m *member) bool { return slices.Contains(tried, m) })
	if len(ranked) == 0 {
		return nil
	}
	bound := p.bound()
	at := slices.IndexFunc(ranked, func(m *member) bool { return !m.away && m.builds < bound })
	if at < 0 {
		at = max(0, slices.IndexFunc(ranked, func(m *member) bool { return !m.away }))
	}
	ranked[at].builds++
	return ranked[at]
}

// bound is how many builds a builder may have before others get the next: its share of all of them, and some more.
func (p *Pool) bound() int {
	builds, there := 1, 0 // the one that is to come
	for _, m := range p.members {
		builds += m.builds
		if !m.away {
			there++
		}
	}
	return max(always, int(overload*float64(builds)/float64(max(there, 1))+0.999))
}

func (p *Pool) release(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.builds--
}

// ranked orders the builders for a project, by a number that a pair of the two always has (rendezvous hashing): when one goes, its
// projects alone move, each to a builder of its own, and they come back with it.
func (p *Pool) ranked(project string) []*member {
	weight := func(m *member) uint64 {
		sum := sha256.Sum256([]byte(m.address + "\x00" + project))
		return binary.BigEndian.Uint64(sum[:])
	}
	ranked := slices.Clone(p.members)
	slices.SortFunc(ranked, func(a, b *member) int { return cmp.Compare(weight(b), weight(a)) })
	return ranked
}

// ask asks a builder for a sign of life and notes the answer.
func (p *Pool) ask(ctx context.Context, m *member) error {
	look, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := m.Ping(look)
	if ctx.Err() == nil {
		p.note(m, err)
	}
	return err
}

// note notes whether a builder is away.
func (p *Pool) note(m *member, err error) {
	p.mu.Lock()
	changed := m.away != (err != nil)
	m.away = err != nil
	p.mu.Unlock()
	switch {
	case changed && err != nil:
		p.log.Warn("builder is away: builds go to others", "address", m.address, "error", err)
	case changed:
		p.log.Info("builder is back", "address", m.address)
	}
}

// Watch looks at every builder again and again until ctx ends.
func (p *Pool) Watch(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		p.lookAtAll(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lookAtAll asks every builder at once and returns what is wrong with each, in their order.
func (p *Pool) lookAtAll(ctx context.Context) []error {
	errs := make([]error, len(p.members))
	var group sync.WaitGroup
	for i, m := range p.members {
		group.Go(func() { errs[i] = p.ask(ctx, m) })
	}
	group.Wait()
	return errs
}

// Ping fails when no builder answers.
func (p *Pool) Ping(ctx context.Context) error {
	errs := p.lookAtAll(ctx)
	if slices.Contains(errs, nil) {
		return nil
	}
	return errors.Join(errs...)
}

// Solve does Builder.Solve at an address that Choose returned. A builder that goes away meanwhile is left at once.
func (p *Pool) Solve(ctx context.Context, address string, r deployment.BuildRequest, sink deployment.BuildSink) (deployment.BuildOutcome, error) {
	m := p.at(address)
	if m == nil {
		return deployment.BuildOutcome{}, errors.New("solve " + r.Ref + ": there is no builder " + address)
	}
	outcome, err := m.Solve(ctx, r, sink)
	var f *deployment.Failure
	if errors.As(err, &f) && f.Component == deployment.ComponentBuildKit {
		p.note(m, err)
	}
	return outcome, err
}

// Lookup does Builder.Lookup, within a moment when the builder does not answer at all. A builder that is not of this pool, or no
// more, knows nothing.
func (p *Pool) Lookup(ctx context.Context, address, ref string) (string, error) {
	m := p.at(address)
	if m == nil {
		return "", nil
	}
	if err := p.ask(ctx, m); err != nil {
		return "", unavailable(address, err)
	}
	return m.Lookup(ctx, ref)
}

func (p *Pool) at(address string) *member {
	for _, m := range p.members {
		if m.address == address {
			return m
		}
	}
	return nil
}

// Local returns the builders of this machine, which share its disks.
func (p *Pool) Local() []*Builder {
	var local []*Builder
	for _, m := range p.members {
		if !strings.HasPrefix(m.address, "tcp:") && !strings.HasPrefix(m.address, "kube-pod:") {
			local = append(local, m.Builder)
		}
	}
	return local
}

// Status tells of each builder what the pool knows now.
func (p *Pool) Status() []deployment.BuilderStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []deployment.BuilderStatus
	for _, m := range p.members {
		list = append(list, deployment.BuilderStatus{Address: m.address, Up: !m.away, Builds: m.builds})
	}
	return list
}

func (p *Pool) addresses() string {
	var list []string
	for _, m := range p.members {
		list = append(list, m.address)
	}
	return strings.Join(list, ", ")
}
