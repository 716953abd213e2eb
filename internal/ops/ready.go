package ops

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/secrets"
)

// readyTimeout bounds the look at what a process depends on; whoever asks /readyz seldom waits longer than some seconds.
const readyTimeout = 3 * time.Second

// Check is one thing that a process depends on.
type Check struct {
	Name string
	Ask  func(ctx context.Context) error // nil while the thing can be used
	Fix  string                          // what to do when it cannot
}

type readiness struct {
	mu     sync.Mutex
	checks map[string]Check
}

// Needs adds what a role depends on. Roles of one process may name the same thing.
func (s *Server) Needs(checks ...Check) {
	s.readiness.mu.Lock()
	defer s.readiness.mu.Unlock()
	if s.readiness.checks == nil {
		s.readiness.checks = map[string]Check{}
	}
	for _, c := range checks {
		s.readiness.checks[c.Name] = c
	}
}

const (
	stateOK          = "ok"
	stateUnavailable = "unavailable"
)

// answer is the body of /healthz and /readyz.
type answer struct {
	Status     string               `json:"status"`
	Version    string               `json:"version,omitempty"`
	Components map[string]component `json:"components,omitempty"`
}

type component struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// readyz asks everything at the same moment and answers 503 unless all of it can be used.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	found, status := s.readiness.ask(ctx), http.StatusOK
	a := answer{Status: stateOK, Version: s.Version, Components: found}
	for _, c := range found {
		if c.Status != stateOK {
			a.Status, status = stateUnavailable, http.StatusServiceUnavailable
		}
	}
	write(w, status, a)
}

func (r *readiness) ask(ctx context.Context) map[string]component {
	r.mu.Lock()
	answers := make(map[string]chan error, len(r.checks))
	checks := make(map[string]Check, len(r.checks))
	for name, check := range r.checks {
		answered := make(chan error, 1)
		checks[name], answers[name] = check, answered
		go func() { answered <- check.Ask(ctx) }()
	}
	r.mu.Unlock()
	found := make(map[string]component, len(answers))
	for name, answered := range answers {
		var err error
		select {
		case err = <-answered:
		case <-ctx.Done(): // also for one that does not heed its context
			err = ctx.Err()
		}
		found[name] = checks[name].component(err)
	}
	return found
}

func (c Check) component(err error) component {
	if err == nil {
		return component{Status: stateOK}
	}
	return component{Status: stateUnavailable, Reason: secrets.ScrubURLs(err.Error()), Fix: c.Fix}
}

func write(w http.ResponseWriter, status int, a answer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // who asked is gone
}
