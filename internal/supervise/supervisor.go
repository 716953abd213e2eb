package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
)

// Supervisor keeps a list of children running.
type Supervisor struct {
	runDir  string
	backoff Backoff
	log     *slog.Logger

	changing sync.Mutex // held by Start and Stop from beginning to end

	mu       sync.Mutex
	children []*child // in the order they were started
}

// New returns a supervisor without children that keeps its owner files in runDir, which is made if need be.
func New(runDir string, backoff Backoff, log *slog.Logger) (*Supervisor, error) {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for owner files: %w", err)
	}
	return &Supervisor{runDir: runDir, backoff: backoff, log: log}, nil
}

// Start ends what an earlier supervisor left of the child, starts it, and returns when it is ready; from then on it is
// restarted whenever it exits. On error nothing of this child runs; the children started before it are not touched.
func (s *Supervisor) Start(ctx context.Context, spec Spec) error {
	spec, err := spec.withDefaults()
	if err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if slices.ContainsFunc(s.list(), func(c *child) bool { return c.spec.Name == spec.Name }) {
		return fmt.Errorf("child %s is supervised already", spec.Name)
	}
	c, err := s.prepare(ctx, spec)
	if err != nil {
		return fmt.Errorf("start %s: %w", spec.Name, err)
	}
	before := s.list()
	s.replace(append(before, c)) // Status shows a child that is starting
	if err := c.run(ctx); err != nil {
		s.replace(before)
		return fmt.Errorf("start %s: %w (output in %s)", spec.Name, err, spec.LogFile)
	}
	return nil
}

// list returns a copy of the children.
func (s *Supervisor) list() []*child {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.children)
}

func (s *Supervisor) replace(children []*child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.children = children
}

// prepare makes the place free for a child.
func (s *Supervisor) prepare(ctx context.Context, spec Spec) (*child, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	path := ownerPath(s.runDir, spec.Name)
	if _, err := os.Stat(path); err == nil {
		if err := reclaim(ctx, path, boot, s.log); err != nil {
			return nil, fmt.Errorf("end process left by %s: %w", path, err)
		}
	}
	output, err := openLog(spec.LogFile, spec.LogLimit, nil)
	if err != nil {
		return nil, err
	}
	endCtx, hurry := context.WithCancel(context.WithoutCancel(ctx))
	return &child{
		spec: spec, runDir: s.runDir, backoff: s.backoff, log: s.log.With("child", spec.Name), output: output,
		endCtx: endCtx, hurry: hurry, done: make(chan struct{}), status: Status{Name: spec.Name},
	}, nil
}

// StartAll starts the children one after the other. When one does not start, those before it are stopped again.
func (s *Supervisor) StartAll(ctx context.Context, specs ...Spec) error {
	for _, spec := range specs {
		if err := s.Start(ctx, spec); err != nil {
			return errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		}
	}
	return nil
}

// Status returns what is known of every child, in the order they were started.
func (s *Supervisor) Status() []Status {
	children := s.list()
	out := make([]Status, len(children))
	for i, c := range children {
		out[i] = c.snapshot()
	}
	return out
}

// Stop stops the children, the last one first, each within its own StopTimeout; when ctx is done, what still runs is
// killed. It returns when none runs. The supervisor can then be used again.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	var errs []error
	for _, c := range slices.Backward(s.list()) {
		if err := c.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.spec.Name, err))
		}
	}
	s.replace(nil)
	return errors.Join(errs...)
}
