package certificates

import (
	"sync"
	"time"
)

// lately is how long ago a certificate may have been served for its expiry to matter: one that nobody asks for is not renewed.
const lately = 10 * time.Minute

// Where a certificate is from.
const (
	sourceOwn      = "own"
	sourceIssued   = "issued"
	sourceWildcard = "wildcard"
)

// served notes which certificates are in use.
type served struct {
	mu   sync.Mutex
	uses map[string]use // by name; "" is the operator's own
}

type use struct{ expires, last time.Time }

func (s *served) note(name string, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uses == nil {
		s.uses = map[string]use{}
	}
	s.uses[name] = use{expires: expires, last: time.Now()}
}

// soonest returns by source when the first expires of those that are in use.
func (s *served) soonest() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := map[string]time.Time{}
	for name, u := range s.uses {
		if time.Since(u.last) > lately {
			delete(s.uses, name)
			continue
		}
		source := sourceIssued
		if name == "" {
			source = sourceOwn
		}
		if known, ok := first[source]; !ok || u.expires.Before(known) {
			first[source] = u.expires
		}
	}
	return first
}
