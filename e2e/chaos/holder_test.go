package chaos_test

import (
	"net/http"
	"slices"
	"sync"
)

// gate holds the requests that match until it is opened.
type gate struct {
	match   func(r *http.Request) bool
	arrived chan struct{} // closed by the first request that is held
	opened  chan struct{}
	first   sync.Once
	last    sync.Once
}

func newGate(match func(r *http.Request) bool) *gate {
	return &gate{match: match, arrived: make(chan struct{}), opened: make(chan struct{})}
}

func (g *gate) open() { g.last.Do(func() { close(g.opened) }) }

// holder stands before a server and holds the requests that its gates match.
type holder struct {
	next  http.Handler
	mu    sync.Mutex
	gates []*gate
}

func (h *holder) add(g *gate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gates = append(h.gates, g)
}

func (h *holder) all() []*gate {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.gates)
}

func (h *holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, g := range h.all() {
		if !g.match(r) {
			continue
		}
		g.first.Do(func() { close(g.arrived) })
		select {
		case <-g.opened:
		case <-r.Context().Done():
			return
		}
	}
	h.next.ServeHTTP(w, r)
}
