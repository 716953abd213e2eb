package logs

import "sync"

const channel = "slipway_deployment" // notified by the schema's triggers with a deployment's id

// waiters are who waits for word of a deployment. The zero value has none.
type waiters struct {
	mu   sync.Mutex
	each map[string]*waiting
}

type waiting struct {
	word  chan struct{} // closed when there is word
	count int
}

// join returns a channel that is closed at the next word of the deployment, and what to call when nobody listens to it
// any more.
func (w *waiters) join(id string) (word <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.each == nil {
		w.each = map[string]*waiting{}
	}
	g, ok := w.each[id]
	if !ok {
		g = &waiting{word: make(chan struct{})}
		w.each[id] = g
	}
	g.count++
	return g.word, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if g.count--; g.count == 0 && w.each[id] == g {
			delete(w.each, id)
		}
	}
}

// wake tells everybody who waits for the deployment.
func (w *waiters) wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if g, ok := w.each[id]; ok {
		close(g.word)
		delete(w.each, id)
	}
}

// wakeAll tells everybody: nobody knows what was said while nobody listened.
func (w *waiters) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, g := range w.each {
		close(g.word)
		delete(w.each, id)
	}
}
