package dnsproof

import (
	"time"

	"github.com/go-acme/lego/v5/challenge"
)

// hurried is a provider whose records are not waited for long.
type hurried struct {
	challenge.Provider
	limit time.Duration
}

// Timeout says for how long.
func (h hurried) Timeout() (limit, pause time.Duration) { return h.limit, time.Millisecond }

// NameServer completes an address.
var NameServer = nameServer

// SolverOf returns one with a provider of the test's.
func SolverOf(p challenge.Provider) *Solver { return &Solver{provider: p} }

// SetLimit bounds how long a record is waited for.
func (s *Solver) SetLimit(limit time.Duration) { s.provider = hurried{s.provider, limit} }
