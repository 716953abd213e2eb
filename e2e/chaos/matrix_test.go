package chaos_test

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var cells = flag.String("cells", "short", "which of the matrix: short (what make test has time for), together (each process killed once, "+
	"with deploys at all moments under way) or single (each process at each moment, one cell at a time)")

// cell is one process and the moments at which it is killed.
type cell struct {
	process string
	at      []string
}

// short is what make test runs: the worker at every moment, with deploys at all of them under way at one kill, and each
// other process once, where it is needed most.
var short = []cell{
	{"worker", names()},
	{"api", []string{"queued"}},
	{"gateway", []string{"switch"}},
	{"temporal", []string{"plan"}},
	{"postgres", []string{"switch"}},
	{"buildkitd", []string{"solve"}},
	{"registry", []string{"push"}},
}

func names() (all []string) {
	for _, m := range moments {
		all = append(all, m.name)
	}
	return all
}

// chosen returns the cells of the matrix that are wanted.
func chosen(t *testing.T) (all []cell) {
	t.Helper()
	for _, c := range short {
		switch *cells {
		case "short":
			all = append(all, c)
		case "together":
			all = append(all, cell{c.process, names()})
		case "single":
			for _, name := range names() {
				all = append(all, cell{c.process, []string{name}})
			}
		default:
			require.FailNow(t, "bad flag", "-cells=%s: short, together or single", *cells)
		}
	}
	return all
}

// TestMatrix kills processes while deploys are held at moments. Each cell is a subtest PROCESS/MOMENT, or PROCESS/all.
func TestMatrix(t *testing.T) {
	ran := &results{}
	for _, c := range chosen(t) {
		name := c.at[0]
		if len(c.at) > 1 {
			name = "all"
		}
		t.Run(c.process+"/"+name, func(t *testing.T) { c.run(t, ran) })
	}
	if *report != "" {
		ran.write(t, *report)
	}
}

// held is a deploy at its moment.
type held struct {
	app *app
	id  string
	let func()
}

// run brings deploys to the cell's moments, kills the process, starts it again, and notes how long after the kill each of
// them was well.
func (c cell) run(t *testing.T, ran *results) {
	t.Helper()
	deploys := c.reachAll(t)
	killed := time.Now()
	require.NoError(t, in.part(c.process).kill())
	for _, h := range deploys {
		h.let()
	}
	require.NoError(t, pause(t.Context(), down))
	require.NoError(t, in.part(c.process).start(t.Context()))
	t.Run("recover", func(t *testing.T) {
		for n, h := range deploys {
			t.Run(c.at[n], func(t *testing.T) {
				t.Parallel()
				defer func() {
					ran.add(c.process, c.at[n], result{t.Failed(), time.Since(killed).Seconds()})
				}()
				awaitStatus(t, h.id, "ready")
				requireInvariants(t, h.app, h.id)
				t.Logf("%s killed at %s: recovered after %.1fs", c.process, c.at[n], time.Since(killed).Seconds())
			})
		}
	})
}

// reachAll brings a deploy to each of the cell's moments, so that all are there at once.
func (c cell) reachAll(t *testing.T) []held {
	t.Helper()
	deploys := make([]held, len(c.at))
	t.Cleanup(func() { // when one has not got there, the others are let go
		for _, h := range deploys {
			if h.let != nil {
				h.let()
			}
		}
	})
	for _, r := range []round{isHeld, passes, isShort} {
		reached := t.Run("reach", func(t *testing.T) {
			for n, m := range c.moments() {
				if m.round != r {
					continue
				}
				t.Run(m.name, func(t *testing.T) {
					t.Parallel()
					a := newApp(t, c.process+"-"+m.name, m.settings, m.delay)
					id, let := m.reach(t, a)
					deploys[n] = held{a, id, let}
				})
			}
		})
		if !reached {
			t.FailNow()
		}
	}
	return deploys
}

func (c cell) moments() (at []moment) {
	for _, m := range moments {
		for _, name := range c.at {
			if m.name == name {
				at = append(at, m)
			}
		}
	}
	return at
}
