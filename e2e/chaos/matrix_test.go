package chaos_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var cells = flag.String("cells", "short", "which of the matrix: short (what make test has time for), together (each process killed once, "+
	"with deploys at all moments under way) or single (each process at each moment, one cell at a time)")

// cell is an act and the moments at which it is done.
type cell struct {
	act string
	at  []string
}

// short is what make test runs: the worker at every moment, with deploys at all of them under way at one kill, and each
// other act once, where it is needed most.
var short = []cell{
	{"worker", names()},
	{"api", []string{"queued"}},
	{"gateway", []string{"switch"}},
	{"temporal", []string{"plan"}},
	{"postgres", []string{"switch"}},
	{"buildkitd", []string{"solve"}},
	{"dockerd", []string{"pull", "drain"}},
	{"registry", []string{"push"}},
	{"cancel", []string{"push"}},
	{"worker-cancel", []string{"solve"}},
	{"race", []string{"switch"}},
	{"terminate", []string{"solve"}},
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
	if *cells == "short" {
		return short
	}
	for _, act := range acts {
		switch *cells {
		case "together":
			all = append(all, cell{act, names()})
		case "single":
			for _, name := range names() {
				all = append(all, cell{act, []string{name}})
			}
		default:
			require.FailNow(t, "bad flag", "-cells=%s: short, together or single", *cells)
		}
	}
	return all
}

// TestMatrix kills processes, cancels, races and terminates while deploys are held at moments. Each cell is a subtest
// ACT/MOMENT, ACT/MOMENT+MOMENT or ACT/all.
func TestMatrix(t *testing.T) {
	ran := &results{}
	for _, c := range chosen(t) {
		name := strings.Join(c.at, "+")
		if len(c.at) == len(moments) {
			name = "all"
		}
		t.Run(c.act+"/"+name, func(t *testing.T) { c.run(t, ran) })
	}
	if *report != "" {
		ran.write(t, *report)
	}
}

// held is a deploy at its moment.
type held struct {
	at  string
	app *app
	id  string
	let func()
}

// run brings deploys to the cell's moments, acts, and notes how long after that each of them was well.
func (c cell) run(t *testing.T, ran *results) {
	t.Helper()
	deploys, act := c.reachAll(t), actOf(c.act)
	begun := time.Now()
	if act.all != nil {
		act.all(t, deploys)
	}
	t.Run("recover", func(t *testing.T) {
		for _, h := range deploys {
			t.Run(h.at, func(t *testing.T) {
				t.Parallel()
				defer func() {
					ran.add(c.act, h.at, result{t.Failed(), time.Since(begun).Seconds()})
				}()
				act.each(t, h)
				t.Logf("%s at %s: well after %.1fs", c.act, h.at, time.Since(begun).Seconds())
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
					a := newApp(t, c.act+"-"+m.name, m.settings, m.delay)
					id, let := m.reach(t, a)
					deploys[n] = held{m.name, a, id, let}
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
